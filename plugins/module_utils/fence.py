# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence: a host obeys no deployment that is older than the newest one it has seen."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FencedError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import read_json, to_json, utc_now, write_atomically


def check_fence(path, fence):
    """Raise FencedError when ``fence`` ({token, owner}) is older than what the file ``path`` has seen; None is a call by hand and passes."""
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
                seen["token"], seen.get("owner") or "an unnamed owner", seen.get("at"), token, owner or "an unnamed owner"
            ),
            hint="A newer deployment has been here. Start a new deployment instead of going on with this one.",
            context={"path": path, "token": token, "owner": owner, "seen_token": seen["token"], "seen_owner": seen.get("owner")},
        )


def pass_fence(path, fence):
    """check_fence, then remember ``fence``, durably, so that every older one is refused from now on."""
    check_fence(path, fence)
    if fence is None:
        return
    seen = read_json(path)
    if seen is not None and (seen["token"], seen.get("owner")) == (fence["token"], fence.get("owner")):
        return
    write_atomically(path, to_json({"token": fence["token"], "owner": fence.get("owner"), "at": utc_now()}))
