# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment written down before it happens: the document, its hash, what it takes, and what differs when it is applied. No I/O, no clock."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import PlanDriftedError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.names import is_secret_name
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.naming import named

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import Redactor

FORMAT = 1
SHORTEST_PREFIX = 12
NAMED_DIFFERENCES = 8
DIGEST_LETTERS = 32
_PREFIX = re.compile(rf"[0-9a-f]{{{SHORTEST_PREFIX},64}}")
_LONG_DIGEST = re.compile(r"\b(sha256:|git:|digest )([0-9a-f]{12})[0-9a-f]+")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as planned: of which option, on which host (None: of the whole), as text for a person."""

    option: str
    host: str | None
    planned: str
    found: str

    def __str__(self) -> str:
        return f"{self.option}{f' of {self.host}' if self.host else ''}: planned {self.planned}, found {self.found}"


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one spelling of a document: sorted keys, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def plan_hash(document: Mapping[str, Any]) -> str:
    """The name of a plan: sha256 of its canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(document)).hexdigest()


def check_prefix(given: str) -> str:
    """``given`` in lower case when it may be the start of a plan's hash, else ValidationError."""
    wanted = given.strip().lower()
    if not _PREFIX.fullmatch(wanted):
        raise ValidationError(
            f"plan: {given[:80]!r} is not the hash of a plan",
            hint=f"Give at least {SHORTEST_PREFIX} of its 64 hexadecimal digits, as fraisier.deploy.plan prints them",
            context={"option": "plan", "value": given[:80]},
        )
    return wanted


def option_digests(options: Mapping[str, Any], redactor: Redactor) -> dict[str, str]:
    """Option to a digest of its value, secrets left out: they must not be guessed from a plan, and a rotated password is no other plan."""
    return {name: _digest(redactor.clean(_public(value))) for name, value in options.items() if value is not None and not is_secret_name(name)}


def _public(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _public(item) for key, item in value.items() if not is_secret_name(str(key))}
    return [_public(item) for item in value] if isinstance(value, list | tuple) else value


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LETTERS]


def static_part(request: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a deployment before any host is asked. ``request``: fraise, environment, kind, provider, strategy; ``plan``: as opening makes it."""
    return {
        **{name: request[name] for name in ("fraise", "environment", "kind", "provider", "strategy")},
        "version": plan["version"],
        "batches": [list(group) for group in plan["groups"]],
        **{name: plan[name] for name in ("adaptive", "after", "watch") if plan.get(name)},
        "budgets": {name: plan[name] for name in sorted(plan) if name.startswith(("max_", "pause_"))},
    }


def plan_document(static: Mapping[str, Any], checks: Mapping[str, Mapping[str, Any]], since: str | None) -> dict[str, Any]:
    """The whole plan. ``checks``: host to its answer in check mode: {changed, release, options}. ``since``: the deployment that last ended in success.

    Options that most hosts have alike are written once, and with a host only what is otherwise there.
    """
    hosts = [host for group in static["batches"] for host in group]
    common = _common([checks[host].get("options") or {} for host in hosts])
    return {"format": FORMAT, **static, "since": since, "options": common, "hosts": {host: _planned(static["version"], checks[host], common) for host in hosts}}


def _common(options: Sequence[Mapping[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in sorted({name for host in options for name in host}):
        counted = Counter(host[name] for host in options if name in host)
        found[name] = min(counted, key=lambda digest: (-counted[digest], digest))
    return found


def _planned(version: str, check: Mapping[str, Any], common: Mapping[str, str]) -> dict[str, Any]:
    release, options = check.get("release") or {}, check.get("options") or {}
    return {
        "current": {"version": release.get("current"), "digest": release.get("current_digest")},
        "target_digest": release.get("digest"),
        "options": {name: options.get(name) for name in sorted({*common, *options}) if options.get(name) != common.get(name)},
        "steps": steps_to_run(bool(check.get("changed")), release.get("current"), version),
    }


def steps_to_run(stages: bool, current: str | None, target: str) -> list[str]:
    """What a host that serves ``current`` would go through."""
    return (["stage"] if stages else []) + (["activate", "verify", "retire"] if current != target else [])


def expected_seconds(successes: Iterable[tuple[float, int]], batches: int) -> float | None:
    """How long ``batches`` batches take, from (seconds, batches) of deployments that succeeded; None without any."""
    for_one = [seconds / count for seconds, count in successes if count > 0]
    return round(median(for_one) * batches, 1) if for_one else None


def static_differences(document: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    """What of a plan's static part is not what this run would do."""
    differences = [
        Difference(name, None, _text(document.get(name)), _text(found[name]))
        for name in ("fraise", "environment", "kind", "version", "provider", "strategy")
        if document.get(name) != found[name]
    ]
    planned_hosts, found_hosts = _flat(document["batches"]), _flat(found["batches"])
    differences += [Difference("hosts", host, "in the plan", "not in this run") for host in planned_hosts if host not in found_hosts]
    differences += [Difference("hosts", host, "not in the plan", "in this run") for host in found_hosts if host not in planned_hosts]
    if set(planned_hosts) == set(found_hosts) and document["batches"] != found["batches"]:
        differences.append(Difference("batches", None, _groups(document["batches"]), _groups(found["batches"])))
    if document.get("after") != found.get("after"):
        differences.append(Difference("canary_steps", None, _steps(document.get("after")), _steps(found.get("after"))))
    for name, option in (("adaptive", "rolling_adaptive"), ("watch", "fraise_watch")):
        if document.get(name) != found.get(name):
            differences.append(Difference(option, None, _pairs(document.get(name)), _pairs(found.get(name))))
    for name in sorted({*document["budgets"], *found["budgets"]}):
        if document["budgets"].get(name) != found["budgets"].get(name):
            differences.append(Difference(name, None, _text(document["budgets"].get(name)), _text(found["budgets"].get(name))))
    return differences


def host_differences(document: Mapping[str, Any], checks: Mapping[str, Mapping[str, Any]], *, resumed: bool) -> list[Difference]:
    """What of the hosts is not as planned, from what they answered when they staged: {outcome, release, options, error}.

    ``resumed``: the same plan was begun before, so a host that has reached its end already is as it should be. Hosts that could not be staged
    are left to the failure budget, but for those that :func:`hold_step` refused.
    """
    differences: list[Difference] = []
    for host, planned in document["hosts"].items():
        check = checks.get(host)
        if check is None:
            differences.append(Difference("release", host, "staged", "not staged in this run"))
        elif (check.get("error") or {}).get("code") == PlanDriftedError.code:
            differences += [Difference(**told) for told in check["error"]["context"]["differences"]]
        elif check.get("outcome") in ("ok", "unchanged"):
            differences += _of_host(document, host, planned, check, resumed)
    return differences


def recorded_differences(document: Mapping[str, Any], recorded: Mapping[str, str | None], *, resumed: bool) -> list[str]:
    """What of the versions in place is not as planned, a line each, from what hosts were last heard to serve: no host need be asked for that."""
    differences = []
    for host, planned in document["hosts"].items():
        heard, before = recorded.get(host), planned["current"]["version"]
        if heard is not None and heard != before and not (resumed and heard == document["version"]):
            differences.append(Difference("version in place", host, _text(before), heard))
    return _lines(differences)[:NAMED_DIFFERENCES]


def _of_host(document: Mapping[str, Any], host: str, planned: Mapping[str, Any], check: Mapping[str, Any], resumed: bool) -> list[Difference]:
    release, options, before = check.get("release") or {}, check.get("options") or {}, planned["current"]
    found: list[Difference] = []
    arrived = resumed and release.get("current") == document["version"]
    if not arrived and release.get("current") != before["version"]:
        found.append(Difference("version in place", host, _text(before["version"]), _text(release.get("current"))))
    elif not arrived and release.get("current_digest") != before["digest"]:
        found.append(Difference("content in place", host, _text(before["digest"]), _text(release.get("current_digest"))))
    return found + _of_step(host, planned_step(document, host), options, _text(release.get("digest")))


def planned_step(document: Mapping[str, Any], host: str) -> dict[str, Any]:
    """What the plan says of a host that can be compared before it is called: the plan's name, the release's digest and those of its options."""
    planned = document["hosts"].get(host) or {"target_digest": None, "options": {}}
    options = {name: digest for name, digest in {**document["options"], **planned["options"]}.items() if digest is not None}
    return {"plan": plan_hash(document), "digest": planned["target_digest"], "options": options}


def hold_step(host: str, planned: Mapping[str, Any], options: Mapping[str, str], digest: str | None) -> None:
    """Raise PlanDriftedError before ``host`` is called, when its options or the archive (its digest, if known here) are not those of the plan."""
    differences = _of_step(host, planned, options, digest)
    if differences:
        raise drifted(planned["plan"], differences)


def _of_step(host: str, planned: Mapping[str, Any], options: Mapping[str, str], digest: str | None) -> list[Difference]:
    wanted = planned["options"]
    found = [
        Difference(f"option {name}", host, _option(wanted.get(name)), _option(options.get(name)))
        for name in sorted({*wanted, *options})
        if wanted.get(name) != options.get(name)
    ]
    if None not in (digest, planned["digest"]) and digest != planned["digest"]:
        found.append(Difference("content of the release", host, _text(planned["digest"]), _text(digest)))
    return found


def drifted(name: str, differences: Sequence[Difference]) -> PlanDriftedError:
    """The refusal of plan ``name``, naming what differs."""
    lines = _lines(differences)
    told = "; ".join(lines[:NAMED_DIFFERENCES])
    more = f"; and {len(lines) - NAMED_DIFFERENCES} more" if len(lines) > NAMED_DIFFERENCES else ""
    kind = next((difference for difference in differences if difference.option == "kind"), None)
    return PlanDriftedError(
        f"What is there is not what plan {name[:SHORTEST_PREFIX]} was made for: {told}{more}",
        hint=f"Apply it with the playbook fraisier.deploy.{kind.planned}" if kind else "Set it right, or make a new plan with fraisier.deploy.plan",
        context={"plan": name, "differences": [asdict(difference) for difference in differences[:100]]},
    )


def _lines(differences: Sequence[Difference]) -> list[str]:
    """One line for what differs in the same way on several hosts, long digests cut short."""
    alike: dict[Difference, list[str]] = {}
    for difference in differences:
        alike.setdefault(replace(difference, host=None), []).append(difference.host or "")
    told = [replace(one, host=named(hosts)) for one, hosts in alike.items()]
    return [_LONG_DIGEST.sub(r"\1\2", str(one)) for one in told]


def _text(value: Any) -> str:
    return "nothing" if value in (None, "") else str(value)


def _option(digest: str | None) -> str:
    return "not set" if digest is None else f"digest {digest}"


def _flat(batches: Sequence[Sequence[str]]) -> list[str]:
    return [host for group in batches for host in group]


def _steps(after: Sequence[Sequence[Mapping[str, Any]]] | None) -> str:
    """The steps after each batch of a canary, in a line."""
    return " | ".join(", ".join(step_text(step) for step in steps) or "no step" for steps in after) if after else "no steps"


def step_text(step: Mapping[str, Any]) -> str:
    """A step of a canary, for a person."""
    if step["kind"] == "weight":
        return f"weight {step['weight']:g} %"
    if step.get("approval"):
        return f"approval within {step['seconds']:g} s, then {step['then']}"
    looks = f", a look every {step['interval']:g} s" if step["kind"] == "analysis" else ""
    return f"{step['kind']} {step['seconds']:g} s{looks}"


def _pairs(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items()) if values else "nothing"


def _groups(batches: Sequence[Sequence[str]]) -> str:
    return " | ".join(", ".join(group) for group in batches)
