# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action ``store`` asks and tells when it looks after the store itself."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import moment, table
from ansible_collections.fraisier.deploy.plugins.plugin_utils.who import who


def maintenance_request(arguments: Mapping[str, Any], variables: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """What the recorder needs to know beyond the question."""
    by = who(variables, getpass.getuser(), socket.gethostname())
    asked = {"check": check, "by": by}
    if arguments["query"] == "prune":
        return {**asked, "keep_days": arguments["keep_days"], "keep": arguments["keep"]}
    return {**asked, "path": _absolute(str(arguments.get("path") or "")), **{name: arguments[name] for name in ("verify", "replace", "time_limit")}}


def _absolute(given: str) -> str | None:
    """The path from the root, None for none. ValidationError when it is written as a folder and is none: no file takes that name by itself."""
    if not given:
        return None
    path = Path(given).expanduser().absolute()
    if given.endswith("/") and not path.is_dir():
        hint = f"Make it, mkdir -m 700 {path}, or name a file, without a slash at its end"
        raise ValidationError(f"path: {given} ends with a slash, so it is a folder, and there is none", hint=hint, context={"option": "path", "value": given})
    return str(path)


def prune_report(answer: Mapping[str, Any]) -> list[str]:
    """How much went, or would go."""
    would = "Would forget" if answer["check"] else "Forgot"
    moment_before = moment(answer["before"])
    plans = f", {answer['plans']} plans" if answer["plans"] else ""
    return [f"{would} {len(answer['deployments'])} deployments{plans} and {answer['events']} events from before {moment_before} UTC"]


def prune_diff(answer: Mapping[str, Any]) -> dict[str, str]:
    """The deployments that go, as Ansible shows a difference."""
    return {"before": "".join(f"{name}\n" for name in answer["deployments"]), "after": "", "before_header": "deployments", "after_header": "deployments"}


def backup_report(answer: Mapping[str, Any]) -> list[str]:
    """What was saved and how sure it is, or what would be."""
    if answer["check"]:
        return [f"Would back up {answer['store']}, schema {answer['revision']}, to {answer['path']}"]
    proved = "Verified" if answer["verified"] else "Not verified by restoring"
    return [
        f"Backed up {answer['store']}, schema {answer['revision']}, to {answer['path']}",
        f"  {answer['bytes']} bytes, {sum(answer['rows'].values())} rows in {len(answer['rows'])} tables, sha256 {answer['sha256']}",
        f"  {proved}: {answer['how']}",
        *(f"  Note: {note}" for note in answer["notes"]),
    ]


def restore_report(answer: Mapping[str, Any]) -> list[str]:
    """What the store is now, or would be, and what to do next."""
    old = answer["replaced"]
    went = "an empty store" if old["empty"] else f"{old['deployments']} deployments" if old["readable"] else "a store that cannot be read"
    made = f" of {moment(answer['made_at'])} UTC" if answer["made_at"] else ""
    digest = "" if answer["described"] else " (no description beside it, so its digest could not be compared)"
    if answer["check"]:
        return [f"Would restore {answer['path']}{made}, schema {answer['revision']}, {sum(answer['rows'].values())} rows{digest}; it would replace {went}"]
    proved = "Verified" if answer["verified"] else "Not verified beforehand"
    lines = [
        f"Restored {answer['path']}{made}{digest}",
        f"  {sum(answer['rows'].values())} rows, schema {answer['schema']}; it replaced {went}; the next fencing token is above {answer['token']}",
        f"  {proved}: {answer['how']}",
    ]
    if answer["open"]:
        lines.append(f"  Open when the backup was made: {', '.join(answer['open'])}. Settle with: ansible-playbook fraisier.deploy.recover")
    if answer["lost"]:
        lines.append(f"  Not in the backup, so no longer in force: {', '.join(answer['lost'])}")
    lines.append("  Hosts may be ahead of this record. Compare with: ansible-playbook fraisier.deploy.status")
    return [*lines, *(f"  Note: {note}" for note in answer["notes"])]


def check_report(answer: Mapping[str, Any]) -> list[str]:
    """How the store is, a line for each question that was asked of it; then the findings."""
    schema, chain, unguarded = answer["schema"], answer.get("chain"), answer.get("unguarded", [])
    skew = float(answer["clock_skew_seconds"])
    guards = "not to be seen by this role" if unguarded is None else f"gone: {', '.join(unguarded)}" if unguarded else "in place"
    lines = [
        f"Store: {answer['dialect']} {answer.get('server') or ''}".rstrip() + f", schema {schema['current'] or 'none'}, newest {schema['head']}",
        f"  tables and views: {'missing: ' + ', '.join(answer['missing']) if answer['missing'] else 'all there'}",
        f"  rows without their parent: {answer['orphans']}",
        f"  clock: {abs(skew):g} s {'ahead of' if skew >= 0 else 'behind'} this controller's, {moment(answer['database_time'])} UTC",
        f"  deployments that nobody works on: {', '.join(answer['stale_deployments']) or 'none'}",
    ]
    if chain:
        lines.append(f"  audit: {'whole' if chain['ok'] else 'not whole, ' + chain['problem']['text']}, {chain['rows']} rows; its triggers: {guards}")
    if "spool" in answer:
        lines.append(f"  events that wait on this controller: {', '.join(answer['spool']) or 'none'}")
    if answer.get("rows"):
        lines += ["", *table(("TABLE", "ROWS"), sorted(answer["rows"].items()))]
    found = answer.get("findings") or []
    if not found:
        return [*lines, "", "In order"] if "findings" in answer else lines
    return [*lines, *(line for finding in found for line in ("", f"FINDING: {finding['finding']}", f"  Remedy: {finding['remedy']}"))]


def check_message(answer: Mapping[str, Any]) -> str:
    """What is wrong with the store, each with its remedy."""
    return "The store is not in order: " + "; ".join(f"{found['finding']}. {found['remedy']}" for found in answer["findings"])
