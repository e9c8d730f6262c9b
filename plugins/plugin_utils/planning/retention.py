# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which deployments of a pair may be forgotten. Pure: rows and limits in, rows out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

GOOD_VERSIONS = 3
"""So many versions that served the whole fleet stay: the last good one, what a rollback would go to, and one more should that one not fit."""
UNSETTLED = 50
"""Where nothing ever ended well, so many of the newest deployments stay: a recovery looks at them."""


@dataclass(frozen=True)
class Recorded:
    """A deployment as far as keeping it matters; ``ended_at`` is when it began for one that has no end."""

    key: int
    identifier: str
    number: int
    version: str
    status: str
    whole: bool
    closed: bool
    ended_at: datetime

    @property
    def good(self) -> bool:
        """Whether it brought the whole fleet to its version."""
        return self.status == "success" and self.whole


def may_go(rows: Sequence[Recorded], *, before: datetime, keep: int, pinned: Collection[int] = (), quarantined: Collection[str] = ()) -> list[Recorded]:
    """Those of one pair's ``rows`` that nobody needs, oldest first.

    They ended before ``before`` and are none of the newest ``keep``. Never among them: what is open; the keys in ``pinned``; all that came after the
    last good one; the successes that a rollback looks at, where versions in ``quarantined`` do not count as good.
    """
    newest_first = sorted(rows, key=lambda row: row.number, reverse=True)
    good = [row for row in newest_first if row.good]
    floor = good[0].number if good else (newest_first[:UNSETTLED][-1].number if newest_first else 0)
    versions: list[str] = [good[0].version] if good else []
    reach = floor
    for row in good:
        if row.version in versions or row.version in quarantined:
            continue
        if len(versions) == GOOD_VERSIONS:
            break
        versions.append(row.version)
        reach = row.number
    going = []
    for place, row in enumerate(newest_first):
        wanted = row.status == "success" and (row.number >= reach or row.version in versions)
        if row.closed and row.ended_at < before and place >= keep and row.number < floor and row.key not in pinned and not wanted:
            going.append(row)
    return going[::-1]
