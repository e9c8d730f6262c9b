# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.thresholds import Limits, broken


@pytest.mark.parametrize(
    ("limits", "value", "told"),
    [
        (Limits(ceiling=5), 5.0, None),
        (Limits(ceiling=5), 5.1, "5.1 is above the ceiling 5"),
        (Limits(floor=2), 2.0, None),
        (Limits(floor=2), 1.0, "1 is below the floor 2"),
        (Limits(ceiling=5, floor=2), 3.0, None),
        (Limits(ceiling=0), -1.0, None),
    ],
)
def test_a_value_breaks_a_limit_when_it_lies_beyond_it(limits, value, told):
    assert broken(limits, value) == told


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_passes_no_limit(value):
    with pytest.raises(ValidationError):
        broken(Limits(ceiling=5), value)


@pytest.mark.parametrize(("ceiling", "floor"), [(None, None), (1.0, 2.0), (math.nan, None), (None, math.inf)])
def test_limits_that_nothing_or_everything_keeps_are_refused(ceiling, floor):
    with pytest.raises(ValidationError) as refused:
        Limits(ceiling, floor)
    assert refused.value.hint
