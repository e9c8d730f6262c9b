# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a release on one host: tell the recorder what is meant, do it through the host call, tell it what came of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, NotFoundError
from ansible_collections.fraisier.deploy.plugins.module_utils.registry import provider_argument_spec
from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.debt_lines import drift_line
from ansible_collections.fraisier.deploy.plugins.plugin_utils.hostcall import HostCall
from ansible_collections.fraisier.deploy.plugins.plugin_utils.pins import check_pinned, pin
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import hold_step, option_digests
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call

STATES = {"stage": "staged", "activate": "active", "verify": "inspected", "revert": "active", "retire": "pruned", "inspect": "inspected"}
RECONNECT_PAUSE_SECONDS = 2.0


class ReleaseStep(FraisierAction):
    """The action ``release``: chooses the provider, and keeps the record true whatever happens to the call."""

    SPEC = {
        "step": {"type": "str", "required": True, "choices": sorted(STATES)},
        "provider": {"type": "str", "required": True},
        "options": {"type": "dict", "required": True},
        "reconnect": {"type": "int", "default": 0},
    }

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Intent, host call, outcome: whatever goes wrong after the intent is this step's outcome, so the record always has one."""
        step, provider = arguments["step"], arguments["provider"]
        options = {key: value for key, value in arguments["options"].items() if value is not None}
        options["state"] = "inactive" if step == "revert" and not options.get("release") else STATES[step]
        host = str(task_vars["inventory_hostname"])
        intent = call("intent", host=host, step=step, version=options.get("release"), attempt=1)
        if intent["fence"] and options["state"] != "inspected":
            options["fence"] = intent["fence"]
        redactor = self.redactor(arguments, task_vars)
        report: dict[str, Any] = {"step_id": intent["step_id"], "host": host, "step": step}
        if step == "stage":
            report["options"] = option_digests(arguments["options"], redactor)
        try:
            provider_argument_spec(provider)
            if step == "stage":
                pin(options, intent.get("digest"))
                result = self._stage(provider, options, task_vars, lambda digest: hold_to(intent, host, report["options"], digest))
                check_pinned(result, intent.get("digest"))
            else:
                result = self._call_host(provider, options, None, task_vars, arguments["reconnect"])
        except BaseException as exception:  # a task's time-out is no Exception, and the host may have done its work all the same
            call("outcome", **report, **redactor.clean(_failure(exception)))
            raise
        cleaned: dict[str, Any] = redactor.clean(result)
        drift = call("outcome", **report, **_outcome(cleaned)).get("drift")
        if drift:
            self.say(drift_line(host, drift))
        cleaned.update(step=step, check_mode=bool(self._task.check_mode))
        code = (cleaned.get("error") or {}).get("code") if cleaned.get("failed") else None
        if code:
            cleaned["msg"] = f"{cleaned.get('msg', '')} [{code}]"
        return cleaned

    def _stage(self, provider: str, options: dict[str, Any], task_vars: dict[str, Any], hold: Callable[[str | None], None]) -> dict[str, Any]:
        """Stage what ``hold``, given the digest that is known here, lets pass.

        When the archive has gone from the controller, a host that has the release already needs none (a rollback, most often).
        """
        try:
            archive = self._controller_archive(options)
        except NotFoundError as error:
            hold(None)
            found = self._call_host(provider, {"state": "inspected", "path": options["path"]}, None, task_vars, 0)
            digests = {release["version"]: release.get("digest") for release in found.get("releases") or []}
            if options.get("release") not in digests:
                raise
            live = found["release"]
            release = {**live, "version": options["release"], "digest": digests[options["release"]], "current_digest": digests.get(live.get("current"))}
            warning = f"{error.message}; the release that this host has is used as it is"
            return {"changed": False, "release": release, "timings": found.get("timings"), "warnings": [warning]}
        hold(_given_digest(options))
        return self._call_host(provider, options, archive, task_vars, 0)

    def _call_host(self, provider: str, options: dict[str, Any], archive: Path | None, task_vars: dict[str, Any], reconnect: int) -> dict[str, Any]:
        """The call itself; a host that is away (it may be rebooting) is tried again for ``reconnect`` seconds."""
        deadline = time.monotonic() + reconnect
        while True:
            try:
                return HostCall(self, task_vars).call(provider, options, archive)
            except AnsibleConnectionFailure:
                if time.monotonic() + RECONNECT_PAUSE_SECONDS >= deadline:
                    raise
                time.sleep(RECONNECT_PAUSE_SECONDS)
                self._connection.reset()

    def _controller_archive(self, options: dict[str, Any]) -> Path | None:
        """The archive on the controller that must travel to the host, with its sha256 filled in; None for URLs, git and archives on the host."""
        source = options.get("source") or {}
        archive = source.get("archive") if isinstance(source, dict) else None
        if not isinstance(archive, dict) or not archive.get("src") or "://" in str(archive["src"]):
            return None
        archive = dict(archive)
        options["source"] = {**source, "archive": archive}
        if archive.pop("remote_src", False):
            return None
        try:
            path = Path(self._find_needle("files", archive["src"]))
        except AnsibleError as exception:
            raise NotFoundError(
                f"fraise_source.archive.src: {archive['src']} is not on the controller",
                hint="Give a path relative to the playbook or absolute, a URL, or remote_src: true for a file on the host",
                context={"option": "fraise_source.archive.src", "value": archive["src"]},
            ) from exception
        if not path.is_file():
            raise NotFoundError(f"fraise_source.archive.src: {path} is not a file", hint="Give an archive: .tar.gz, .tar.xz, .tar.bz2, .tar or .zip")
        if not archive.get("sha256"):
            with path.open("rb") as stream:
                archive["sha256"] = hashlib.file_digest(stream, "sha256").hexdigest()
        return path


def _given_digest(options: dict[str, Any]) -> str | None:
    """The digest of the archive, where the options say it; what is wrong with them is the provider's to tell."""
    source = options.get("source")
    archive = source.get("archive") if isinstance(source, dict) else None
    given = archive.get("sha256") if isinstance(archive, dict) else None
    return f"sha256:{str(given).strip().lower().removeprefix('sha256:')}" if given else None


def hold_to(intent: dict[str, Any], host: str, options: dict[str, str], digest: str | None) -> None:
    """Refuse, before the host is called, what the plan that is applied does not say."""
    if intent.get("planned"):
        hold_step(host, intent["planned"], options, digest)


def _failure(exception: BaseException) -> dict[str, Any]:
    """What the recorder keeps of a call without a result. ``changed`` only where it is known: else the host may have done it all the same."""
    if isinstance(exception, AnsibleConnectionFailure):
        error = {"code": "PROVIDER_CONNECTION_ERROR", "category": "NETWORK", "infrastructure": True, "message": str(exception), "hint": "Is the host up?"}
        return {"outcome": "unreachable", "error": error}
    if isinstance(exception, FraisierError):
        return {"outcome": "failed", "changed": False, "error": exception.to_dict()}
    message = str(exception) if isinstance(exception, AnsibleError) else f"{type(exception).__name__}: {exception}"
    return {"outcome": "failed", "error": {"code": "DEPLOYMENT_ERROR", "category": "UNKNOWN", "message": message, "hint": "See the task's message"}}


def _checked(result: dict[str, Any], error: dict[str, Any] | None) -> Any:
    """The checks that decided: after a failure those of the release that failed, not those of the one that serves again."""
    return ((error or {}).get("context") or {}).get("health") or result.get("health")


def _outcome(result: dict[str, Any]) -> dict[str, Any]:
    """What the recorder keeps of a module result."""
    failed = bool(result.get("failed"))
    if failed:
        name = "reverted" if result.get("reverted") else "failed"
        error = result.get("error") or {"code": "DEPLOYMENT_ERROR", "category": "UNKNOWN", "message": str(result.get("msg", ""))}
    else:
        name, error = ("ok" if result.get("changed") else "unchanged"), None
    return {
        "outcome": name,
        "changed": bool(result["changed"]) if "changed" in result else None,
        "release": result.get("release"),
        "health": _checked(result, error),
        "timings": result.get("timings"),
        "error": error,
        # Only an inspection tells these; a recovery decides by them.
        "releases": [release.get("version") for release in result.get("releases") or []],
        "interrupted": result.get("interrupted"),
    }
