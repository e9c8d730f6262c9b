# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States ``inactive``, ``absent`` and ``pruned``: stop a fraise, remove it or a release, tidy up."""

from __future__ import annotations

import os
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.staging import clean_scratch
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import forget, fsync_folder, move, remove_tree, utc_now

STALE_ARCHIVE_SECONDS = 3600
STOP_SECONDS = 60.0


def deactivate(call):
    """State ``inactive``: the service stops and no release is current any more; every release stays."""
    call.check_fence()
    live = call.layout.current_version()
    manager = call.manager(live)
    manager.validate()
    runs = _runs(manager)
    if not call.check_mode and (call.layout.exists() or (runs and call.params.get("fence") is not None)):
        call.layout.make()
        with call.locked("stopping"):
            call.pass_fence()
            runs = _stop_if_active(call, manager)
            live = call.layout.current_version()
            _leave_nothing_current(call, live)
            # An activation that was cut off ends here: what it came from is not live any more, either.
            call.journal.close()
    elif runs and not call.check_mode:
        _stop_if_active(call, manager)
    changed = runs or live is not None
    served = live if call.check_mode else None
    result = call.result(changed, served, service=manager if manager.exists() else None)
    return call.with_diff(result, {"active": runs, "current": live}, {"active": False, "current": None})


def _leave_nothing_current(call, live):
    """Take ``current`` away, so that neither a boot nor a later undo brings back what was stopped."""
    if forget(call.layout.current):
        fsync_folder(call.layout.root)
    if live is not None:
        state = call.state()
        state.stopped(utc_now())
        state.write()


def _runs(manager):
    return manager.exists() and manager.status().active is True


def _stop_if_active(call, manager):
    runs = _runs(manager)
    if runs:
        manager.stop(max(STOP_SECONDS, call.remaining()))
    return runs


def remove(call):
    """State ``absent``: one release when ``release`` is given, else the whole fraise."""
    call.check_fence()
    return _remove_release(call, call.params["release"]) if call.params.get("release") else _remove_all(call)


def _remove_release(call, version):
    layout = call.layout
    there = os.path.lexists(layout.release(version))
    if there:
        _refuse_used(call, version)
    if there and not call.check_mode:
        layout.make()
        with call.stage_locked(), call.locked("removing {0}".format(version)):
            call.pass_fence()
            _refuse_used(call, version)
            state = call.state()
            _discard(layout, version)
            state.forget(version)
            state.write()
    live = layout.current_version()
    return call.with_diff(call.result(there, live), {"release": version, "staged": there}, {"release": version, "staged": False})


def _refuse_used(call, version):
    entry = call.interrupted()
    if call.layout.current_version() == version:
        raise ValidationError(
            "Release {0} is live and cannot be removed".format(version), hint="Activate another release first, or leave release out to remove all."
        )
    if entry is not None and version in (entry["from"], entry["to"]):
        raise ValidationError(
            "Release {0} is part of an activation that was cut off and cannot be removed".format(version), hint="Activate a release first: that settles it."
        )


def _discard(layout, version):
    """Take the release away in one step, then remove its files."""
    trash = os.path.join(layout.incoming, "trash-{0}".format(os.urandom(4).hex()))
    os.makedirs(layout.incoming, mode=0o700, exist_ok=True)
    move(layout.release(version), trash)
    if os.path.islink(trash) or not os.path.isdir(trash):
        forget(trash)
    else:
        remove_tree(trash)


def _remove_all(call):
    layout, with_shared = call.layout, call.params["force"]
    there = layout.exists() or (with_shared and os.path.lexists(layout.shared))
    before = {"current": layout.current_version(), "releases": [manifest["version"] for manifest in layout.staged_releases()]}
    if there and not call.check_mode:
        layout.make()
        with call.stage_locked(), call.locked("removing the fraise"):
            call.pass_fence()
            manager = call.manager(layout.current_version())
            _stop_if_active(call, manager)
            if forget(layout.current):
                fsync_folder(layout.root)
            # Renamed as a whole first: a removal that is cut off must not leave releases that look whole.
            if os.path.isdir(layout.releases):
                move(layout.releases, os.path.join(layout.incoming, "trash-{0}".format(os.urandom(4).hex())))
            for folder in (layout.shared if with_shared else None, layout.notes):
                if folder is not None:
                    remove_tree(folder)
        for folder in (layout.shared, layout.root):
            _remove_if_empty(folder)
    return call.with_diff(call.result(bool(there), None), before, {"current": None, "releases": []})


def _remove_if_empty(folder):
    try:
        os.rmdir(folder)
    except OSError:
        # What is in it is not ours, or holds what the releases shared.
        return


def prune(call):
    """State ``pruned``: remove releases beyond ``keep`` and what crashed stagings left; with ``good`` the live release is remembered as good."""
    call.check_fence()
    if not call.layout.exists():
        return call.with_diff(call.result(False, None, pruned=[]), {"releases": []}, {"releases": []})
    before = [manifest["version"] for manifest in call.layout.staged_releases()]
    if call.check_mode:
        doomed, marks = _doomed(call), _marks_good(call)
    else:
        call.layout.make()
        with call.stage_locked(), call.locked("pruning"):
            call.pass_fence()
            marks = _marks_good(call)
            doomed = _doomed(call)
            _prune(call, doomed, marks)
    live = call.layout.current_version()
    result = call.result(bool(doomed) or marks, live, pruned=doomed)
    if call.check_mode and marks:
        result["release"]["last_good"] = live
    return call.with_diff(result, {"releases": before}, {"releases": [version for version in before if version not in doomed]})


def _marks_good(call):
    live = call.layout.current_version()
    return bool(call.params["good"]) and live is not None and call.interrupted() is None and call.state().last_good != live


def _doomed(call):
    """Versions to remove: beyond the newest ``keep`` that did not fail, and those that failed; never what is or may be needed."""
    layout, state, entry = call.layout, call.state(), call.interrupted()
    live = layout.current_version()
    needed = {live, state.previous, state.last_good, live if _marks_good(call) else None}
    needed.update(call.params["protect"] or [])
    needed.update((entry["from"], entry["to"]) if entry is not None else ())
    versions = [manifest["version"] for manifest in layout.staged_releases()]
    kept = [version for version in versions if version not in state.failed][: call.params["keep"]]
    doomed = [version for version in versions if version not in needed and version not in kept]
    return doomed + [version for version in layout.half_releases() if version not in needed]


def _prune(call, doomed, marks):
    layout, state = call.layout, call.state()
    if marks:
        state.last_good = layout.current_version()
    for version in doomed:
        _discard(layout, version)
        state.forget(version)
    if doomed or marks:
        state.write()
    clean_scratch(layout)
    _clean_archives(layout)


def _clean_archives(layout):
    """Archives that a controller streamed and never came back for; a fresh one may belong to a call that is about to begin."""
    for name in os.listdir(layout.incoming):
        path = os.path.join(layout.incoming, name)
        if name.startswith("archive-") and time.time() - os.lstat(path).st_mtime > STALE_ARCHIVE_SECONDS:
            forget(path)
