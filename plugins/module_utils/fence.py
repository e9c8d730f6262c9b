# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence: a host obeys no deployment that is older than the newest one it has seen."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FencedError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import read_json, to_json, utc_now, write_atomically

NOTED = ("token", "owner", "owner_name")


def check_fence(path, fence):
    """Raise FencedError when ``fence`` ({token, owner, owner_name}) is older than what the file ``path`` has seen; None is a call by hand and passes."""
    if fence is None:
        return
    seen = read_json(path)
    if seen is None:
        return
    token, owner = fence["token"], fence.get("owner")
    other = token == seen["token"] and owner and seen.get("owner") and owner != seen["owner"]
    if token < seen["token"] or other:
        raise FencedError(
            "This host obeys fencing token {0} of {1} (seen {2}) and refuses token {3} of {4}".format(
                seen["token"], _person(seen), seen.get("at"), token, _person(fence)
            ),
            hint="A newer deployment has been here. Start a new deployment instead of going on with this one.",
            context={
                "path": path,
                "token": token,
                "owner": owner,
                "owner_name": fence.get("owner_name"),
                "seen_token": seen["token"],
                "seen_owner": seen.get("owner"),
                "seen_owner_name": seen.get("owner_name"),
            },
        )


def _person(fence):
    """The owner as a person reads it; ``owner`` alone is an identifier."""
    return fence.get("owner_name") or fence.get("owner") or "an unnamed owner"


def pass_fence(path, fence):
    """check_fence, then remember ``fence``, durably, so that every older one is refused from now on."""
    check_fence(path, fence)
    if fence is None:
        return
    seen = read_json(path)
    if seen is not None and all(seen.get(name) == fence.get(name) for name in NOTED):
        return
    write_atomically(path, to_json(dict({name: fence.get(name) for name in NOTED}, at=utc_now())))
