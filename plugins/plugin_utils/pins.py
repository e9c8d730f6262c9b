# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holding a staging to the digest that a deployment is bound to: other content is refused, before it is laid out where that can be told."""

from __future__ import annotations

from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.fetch import normal_sha256

HINT = "A version never changes its content: give the very archive or commit that the fleet runs, or deploy a new version to all hosts"


def pin(options: dict[str, Any], digest: str | None) -> None:
    """Bind ``options["source"]`` to ``digest`` (``sha256:...`` or ``git:...``); ValidationError when it is bound to another one or is of another kind."""
    source = options.get("source")
    if not digest or not isinstance(source, dict):
        return
    kind, _colon, wanted = digest.partition(":")
    archive, git = source.get("archive"), source.get("git")
    if kind == "sha256" and isinstance(archive, dict):
        given = archive.get("sha256")
        if given and normal_sha256(str(given)) != wanted:
            raise _other("fraise_source.archive.sha256", str(given), digest)
        options["source"] = {**source, "archive": {**archive, "sha256": wanted}}
    elif kind == "git" and isinstance(git, dict):
        # The commit itself: a branch or a tag may have moved since.
        options["source"] = {**source, "git": {**git, "ref": wanted}}
    elif archive or git:
        raise _other("fraise_source", "archive" if archive else "git", digest)


def check_pinned(result: dict[str, Any], digest: str | None) -> None:
    """Refuse a staging that gave another digest (where the source could not be asked, and the host took what it had)."""
    told = (result.get("release") or {}).get("digest")
    if digest and told and told != digest and not result.get("failed"):
        raise _other("the release on this host", str(told), digest)


def _other(what: str, given: str, wanted: str) -> ValidationError:
    return ValidationError(f"{what}: {given} is not what the fleet has ({wanted})", hint=HINT, context={"given": given, "wanted": wanted})
