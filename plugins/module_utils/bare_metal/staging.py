# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State ``staged``: lay a release out on the host, whole or not at all, without touching what is live."""

from __future__ import annotations

import os

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.layout import MANIFEST, STAGING_MARK
from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.preparing import build, give, link_shared, owner_ids, tame_modes
from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.sources import source_of
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    NotFoundError,
    ProviderConfigurationError,
    ProviderConnectionError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.files import (
    forget,
    fsync_folder,
    make_folder,
    move,
    remove_tree,
    sync_tree,
    to_json,
    utc_now,
    write_atomically,
    write_new,
)

SCRATCH = "stage-"


def stage(call):
    """Bring the release to the host; the result says whether that was necessary."""
    return Staging(call).run()


class Staging:
    """One staging. ``scratch`` is its own folder on the same disk; whatever fails leaves no more than that, and the next staging removes it."""

    def __init__(self, call):
        self.call = call
        self.params = call.params
        self.layout = call.layout
        self.version = call.params["release"]
        self.place = self.layout.release(self.version)
        self.source = source_of(call)
        self.uid, self.gid = owner_ids(call.params.get("owner"), call.params.get("group"))
        self.scratch = os.path.join(self.layout.incoming, "{0}{1}-{2}".format(SCRATCH, os.getpid(), os.urandom(4).hex()))
        self.digest = None

    def run(self):
        self.call.check_fence()
        before = self.layout.manifest(self.version)
        if self.call.check_mode:
            return self._finish(self._would_change(before), before)
        self.layout.make()
        if os.stat(self.layout.incoming).st_mode & 0o077:
            os.chmod(self.layout.incoming, 0o700)
        with self.call.stage_locked():
            if self.params.get("fence") is not None:
                with self.call.locked("fence"):
                    self.call.pass_fence()
            before = self.layout.manifest(self.version)
            changed = self._stage(before)
        return self._finish(changed, before)

    def _finish(self, changed, before):
        result = self.call.result(changed, self.version)
        release = result["release"]
        # In check mode too: what the release would be, None where only fetching could tell.
        release["digest"] = self.digest if changed else before.get("digest")
        live = self.layout.manifest(release["current"]) if release["current"] else None
        release["current_digest"] = (live or {}).get("digest")
        return self.call.with_diff(
            result,
            {"release": self.version, "staged": before is not None, "digest": (before or {}).get("digest")},
            {"release": self.version, "staged": True, "digest": release["digest"]},
        )

    def _would_change(self, before):
        self._check_place()
        self.digest = self._looked_up(before)
        if before is None:
            return True
        if self.digest is None:
            return bool(self.params["force"]) or before.get("source") != self.source.location()
        return not self._is_same(before)

    def _looked_up(self, before):
        """The digest as far as it can be told without bringing anything here; fails where staging would fail."""
        try:
            return self.source.look_up_digest()
        except (ProviderConnectionError, NotFoundError):
            if not self._stands_in(before):
                raise
            return None

    def _stage(self, before):
        clean_scratch(self.layout)
        self._check_place()
        self.digest = self.source.known_digest()
        if before is not None and self.digest is not None and self._is_same(before):
            return False
        make_folder(self.scratch, 0o700)
        try:
            if not self._fetched(before) or (before is not None and self._is_same(before)):
                return False
            self._lay_out()
        finally:
            remove_tree(self.scratch)
        return True

    def _check_place(self):
        """Refuse a folder in the release's place that no staging of ours has made; remove one that was left half."""
        if not os.path.lexists(self.place) or self.layout.manifest(self.version) is not None:
            return
        if self.version not in self.layout.half_releases():
            raise ProviderConfigurationError(
                "{0} is in the way: it was not laid out by this provider".format(self.place), infrastructure=True, hint="Move it away, then run again."
            )
        if not self.call.check_mode:
            remove_tree(self.place)

    def _is_same(self, before):
        """Whether the release that is here is the one that is wanted; refuses another content under the same version."""
        if before["digest"] == self.digest:
            differs = before.get("recipe") != self._recipe()
            if not self.params["force"] or self._in_use():
                if differs:
                    self.call.warn(
                        "release {0} was staged with another build, shared or strip_components and is kept as it is; force stages a release anew "
                        "while it is not live".format(self.version)
                    )
                return True
            return False
        in_use = self._in_use()
        if self.params["force"] and not in_use:
            return False
        raise ValidationError(
            "Release {0} is on this host with other content: {1}, wanted is {2}".format(self.version, before["digest"], self.digest),
            hint="It is {0}, so it stays. Give the new content a new version.".format(in_use)
            if in_use
            else "A version never changes its content: give a new version, or force: true to replace it.",
            context={"release": self.version, "digest": before["digest"], "wanted": self.digest},
        )

    def _in_use(self):
        """Why the release must not be replaced, "" when it may."""
        if self.layout.current_version() == self.version:
            return "live"
        entry = self.call.interrupted()
        if entry is not None and self.version in (entry["from"], entry["to"]):
            return "part of an activation that was cut off"
        return ""

    def _fetched(self, before):
        """Fetch; False when that is impossible now but the release was staged from the very same place before."""
        try:
            self.digest = self.source.digest(self.scratch)
        except (ProviderConnectionError, NotFoundError) as error:
            if not self._stands_in(before):
                raise
            self.call.warn("release {0} is used as it was staged at {1}, without comparing: {2}".format(self.version, before.get("staged_at"), error.message))
            self.digest = before["digest"]
            return False
        return True

    def _stands_in(self, before):
        """Whether the release that is here may be used unseen when its source is away: it came from the very same place."""
        return before is not None and before.get("source") == self.source.location() and not self.params["force"]

    def _recipe(self):
        archive = (self.params.get("source") or {}).get("archive") or {}
        return {
            "build": _sum(self.params.get("build")),
            "shared": sorted(name.rstrip("/") for name in self.params.get("shared") or []),
            "strip_components": archive.get("strip_components") or 0,
        }

    def _lay_out(self):
        """Unpack, then make it whole: at its last place when there is a build (builds write their own path into what they make), else beside it."""
        tree = os.path.join(self.scratch, "tree")
        os.mkdir(tree, 0o700)
        self.source.unpack(tree)
        mode = int(self.params["mode"], 8) if self.params.get("mode") else 0o755
        if self.params.get("build") is None:
            self._complete(tree, mode)
            write_new(os.path.join(tree, MANIFEST), self._manifest(), 0o644)
            sync_tree(tree)
            self._publish(tree)
            return
        write_new(os.path.join(tree, STAGING_MARK), b"")
        os.chmod(tree, 0o700)
        self._publish(tree)
        try:
            with self.call.timed("build"):
                build(self.params, self.place, self.layout, self.version, self.scratch)
            forget(os.path.join(self.place, MANIFEST))
            self._complete(self.place, mode)
            sync_tree(self.place)
            self.call.check_fence()
            write_atomically(os.path.join(self.place, MANIFEST), self._manifest(), 0o644)
            forget(os.path.join(self.place, STAGING_MARK))
        except BaseException:
            self._withdraw()
            raise

    def _complete(self, tree, mode):
        link_shared(self.params.get("shared"), tree, self.layout, self.uid, self.gid)
        give(tree, self.uid, self.gid)
        if self.params.get("build") is not None:
            tame_modes(tree)
        os.chmod(tree, mode)

    def _manifest(self):
        return to_json({"version": self.version, "digest": self.digest, "source": self.source.location(), "recipe": self._recipe(), "staged_at": utc_now()})

    def _publish(self, tree):
        """Rename ``tree`` to its place; what is replaced waits in the scratch folder."""
        with self.call.locked("staging {0}".format(self.version)):
            self.call.check_fence()
            if os.path.lexists(self.place):
                if self._in_use():
                    raise ValidationError("Release {0} became live while it was staged again".format(self.version), hint="Give a new version.")
                move(self.place, os.path.join(self.scratch, "replaced"))
            move(tree, self.place)
            fsync_folder(self.layout.releases)

    def _withdraw(self):
        """The build failed: nothing half stays, and what was replaced comes back."""
        move(self.place, os.path.join(self.scratch, "failed"))
        replaced = os.path.join(self.scratch, "replaced")
        if os.path.lexists(replaced):
            move(replaced, self.place)


def _sum(command):
    """What tells one build command from another in a file that all may read: the command itself may hold a secret."""
    if command is None:
        return None
    import hashlib

    return "sha256:" + hashlib.sha256(to_json(command if isinstance(command, str) else list(command))).hexdigest()


def clean_scratch(layout):
    """Remove what stagings that were killed left in incoming/; needs the stage lock. Returns the names."""
    found = [name for name in (os.listdir(layout.incoming) if os.path.isdir(layout.incoming) else []) if name.startswith((SCRATCH, "git-", "trash-"))]
    for name in found:
        path = os.path.join(layout.incoming, name)
        if os.path.isdir(path) and not os.path.islink(path):
            remove_tree(path)
        else:
            forget(path)
    return found
