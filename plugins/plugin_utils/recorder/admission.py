# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this deployment begin, may it go live, and what does its end leave behind: the rules of planning/, asked at the right moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.admission import (
    QUARANTINED_KINDS,
    Facts,
    decide,
    obstacles,
    quarantined,
    quarantined_by_digest,
    quarantined_by_version,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.aftermath import aftermath, cause
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.freezes import Window

WINDOWS = {"freezes": "fraise_freezes", "environment_freezes": "fraise_environment_freezes"}
Checks = Mapping[str, Mapping[str, Any]]


class Admission:
    """The admission of one deployment, from the request that opens it; raises for what is wrong with that. ``met``: what its override passes."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.kind, self.fraise, self.environment = str(request["kind"]), str(request["fraise"]), str(request["environment"])
        self.user, self.override = str(request.get("user") or ""), str(request.get("override") or "")
        self.options: Mapping[str, Any] = request.get("options") or {}
        self.version = ""
        self.refusal: FraisierError | None = None
        self._windows = _windows(request)
        self._facts: Facts | None = None
        self._passed: set[str] = set()
        self.met: list[dict[str, Any]] = []
        _check_limit(self.options)

    def judge(self, facts: dict[str, Any]) -> list[dict[str, Any]]:
        """What the override passes; raises the refusal when there is something in the way and no override. ``version`` must be set."""
        self._facts = Facts(**facts)
        freezes = []
        if self._windows:
            from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.freezes import open_freezes

            freezes = open_freezes(self._windows, self._facts.now)
        passed = decide(obstacles(self.kind, self.fraise, self.environment, self.version, self._facts, freezes), self.override)
        self.met = list(passed)
        if passed:
            self._passed = {str(row["digest"]) for row in quarantined_by_version(self.version, self._facts)}
        return passed

    def staged(self, checks: Checks) -> list[dict[str, Any]]:
        """Before the first host goes live: is what was staged in quarantine, whatever its name? What the override passes, or ``refusal`` is set."""
        if self._facts is None or self.refusal is not None or self.kind not in QUARANTINED_KINDS:
            return []
        rows = [row for row in quarantined_by_digest(self.version, _digests(checks), self._facts.quarantines) if str(row["digest"]) not in self._passed]
        try:
            passed = decide([quarantined(self.fraise, self.environment, self.version, row) for row in rows[:1]], self.override)
        except FraisierError as error:
            self.refusal = error
            return []
        self._passed |= {str(row["digest"]) for row in rows}
        self.met += passed
        return passed

    def closing(self, status: str, reason: str, errors: Sequence[Mapping[str, Any]], progress: Progress, checks: Checks) -> dict[str, Any]:
        """The error of the deployment, of ``errors``, and what it leaves, for the closing event."""
        error = self.refusal.to_dict() if self.refusal else cause(status, errors)
        left = aftermath(
            kind=self.kind,
            status=status,
            reason=reason,
            error=error,
            digests=_digests(checks),
            options=self.options,
            aborted=bool(progress.aborted),
        )
        return {"error": dict(error) if error and status != "success" else None, "left": left}


def _digests(checks: Checks) -> set[str]:
    """What the hosts have staged."""
    releases = [(steps.get("stage") or {}).get("release") or {} for steps in checks.values()]
    return {str(release["digest"]) for release in releases if release.get("digest")}


def _windows(request: Mapping[str, Any]) -> list[Window]:
    given = {key: request.get(key) for key in WINDOWS if request.get(key) not in (None, "", [])}
    if not given:
        return []
    # Time zones and cron cost an import that most runs need not pay for.
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.freezes import read_windows

    return [window for key, value in given.items() for window in read_windows(WINDOWS[key], value)]


def _check_limit(options: Mapping[str, Any]) -> None:
    limit = options.get("undo_limit", 1)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise ValidationError(
            f"fraise_undo_limit: {limit!r} is not a number of deployments",
            hint="Give a whole number: how many undos in a row stop deployments until a person unlocks them; 0 never does",
            context={"option": "fraise_undo_limit", "value": str(limit)},
        )
