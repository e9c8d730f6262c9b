# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provider ``bare_metal``: releases in folders, one link to the live one, a service manager of the host."""

from __future__ import annotations

import contextlib
import os
import signal

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.call import Call
from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.options import ARGUMENT_SPEC, REQUIRED_IF, check_params
from ansible_collections.fraisier.deploy.plugins.module_utils.files import disk_error

__all__ = ["ARGUMENT_SPEC", "REQUIRED_IF", "run"]


def run(params, *, check_mode=False, diff=False, warn=lambda text: None, payload=None):
    """Bring the host to ``params["state"]`` and return the result.

    ``params``: every option of ARGUMENT_SPEC, None when not given. ``check_mode``: look, change nothing. ``diff``: add ``diff``. ``warn``: takes
    one line. ``payload``: path of the archive that the controller streamed to this host; ``source.archive.src`` is then only its name.
    The result: {changed, release {version, current, previous, slot, path, digest, activated_at, last_good}, health {status, message, checks} or None,
    service {manager, name, active, pid, restarts, detail} or None, reverted, timings {fetch, unpack, build, switch, restart, verify}}; with state
    ``pruned`` also ``pruned``, with ``inspected`` also ``releases`` and ``interrupted``.
    Raises FraisierError; after an activation that failed its ``result`` is a dict of the same shape.
    """
    params = with_defaults(params)
    if params["as_recorded"]:
        from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.recorded import as_recorded

        params = as_recorded(params)
    check_params(params)
    call = Call(params, check_mode, diff, warn, payload)
    with _undisturbed():
        try:
            return _handler(params["state"])(call)
        except OSError as error:
            raise disk_error(error, call.layout.root) from error


def with_defaults(params):
    """``params`` with the default of every option that is missing or None."""
    return {name: params[name] if params.get(name) is not None else specification.get("default") for name, specification in ARGUMENT_SPEC.items()}


def _handler(state):
    """The function for ``state``; each is imported only by the call that needs it, since every call pays for its imports."""
    if state == "staged":
        from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.staging import stage

        return stage
    if state == "active":
        from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.activation import activate

        return activate
    if state == "inspected":
        from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.inspection import inspect

        return inspect
    from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal import removal

    return {"inactive": removal.deactivate, "absent": removal.remove, "pruned": removal.prune}[state]


@contextlib.contextmanager
def _undisturbed():
    """A fixed umask, and no end by SIGHUP: a lost connection must not stop a switch half way.

    A handler that does nothing, not SIG_IGN: services that are started here would inherit the latter and lose their reload signal.
    """
    umask = os.umask(0o022)
    handler = None
    with contextlib.suppress(ValueError):  # not in the main thread
        handler = signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    try:
        yield
    finally:
        os.umask(umask)
        if handler is not None:
            signal.signal(signal.SIGHUP, handler)
