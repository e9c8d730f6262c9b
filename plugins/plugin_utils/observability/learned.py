# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that this run has met. The callback learns them in Ansible's main process; workers are forked from it, so actions know them too."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import Redactor

_values: set[str] = set()
_redactors: dict[int, Redactor] = {}


def learn(values: Iterable[str]) -> None:
    """Know ``values`` from now on; nothing is ever forgotten."""
    _values.update(values)


def redactor(values: Iterable[str] = ()) -> Redactor:
    """A redactor of what was learnt and of ``values``."""
    more = set(values) - _values
    if more:
        return Redactor(_values | more)
    if len(_values) not in _redactors:
        _redactors.clear()
        _redactors[len(_values)] = Redactor(_values)
    return _redactors[len(_values)]
