# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches and budgets: counts and percents of a fleet as whole numbers of hosts. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def parse_share(option: str, value: object, *, least: int) -> tuple[float, bool]:
    """``value`` as (number, is_percent); refuse what is neither a whole number of at least ``least`` nor a percent up to 100."""
    text = str(value).strip()
    match = PERCENT.fullmatch(text)
    if match:
        percent = float(match.group(1))
        if percent > 100 or (least > 0 and percent == 0):
            raise ValidationError(
                f"{option}: {text} is not a share of the hosts",
                hint=f"Give a percent from {'more than 0' if least else '0'} to 100 %",
                context={"option": option, "value": text},
            )
        return percent, True
    if isinstance(value, bool) or not re.fullmatch(r"\d+", text) or int(text) < least:
        raise ValidationError(
            f"{option}: {value!r} is neither a count nor a percent of hosts",
            hint=f'Give a whole number of at least {least}, or a percent such as "25%"',
            context={"option": option, "value": text},
        )
    return float(text), False


def batch_widths(total: int, batches: Sequence[object], option: str = "rolling_batches") -> list[int]:
    """Widths (hosts, at least 1 each) of the batches that together cover ``total`` hosts.

    An entry is a count or a percent of ``total`` (rounded down, at least 1); the last entry repeats until every host is covered, as with Ansible's
    ``serial``. Raises ValidationError that names the option and the entry.
    """
    if isinstance(batches, (str, int, float)) or not isinstance(batches, Sequence):
        batches = [batches]
    if not batches:
        raise ValidationError(f"{option} is empty", hint=f'Give at least one width, e.g. {option}: [1, "25%", "100%"]', context={"option": option})
    wanted = []
    for position, entry in enumerate(batches):
        number, percent = parse_share(f"{option}[{position}]", entry, least=1)
        wanted.append(max(1, int(total * number / 100)) if percent else int(number))
    widths: list[int] = []
    left = total
    while left > 0:
        width = min(left, wanted[min(len(widths), len(wanted) - 1)])
        widths.append(width)
        left -= width
    return widths


def allowance(total: int, limit: object, option: str) -> int:
    """How many of ``total`` hosts ``limit`` (count or percent, rounded down) allows."""
    number, percent = parse_share(option, limit, least=0)
    return int(total * number / 100) if percent else int(number)


def split(hosts: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """The hosts of each batch, in the order given."""
    batches, start = [], 0
    for width in widths:
        batches.append(list(hosts[start : start + width]))
        start += width
    return batches
