# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.debt_lines import drift_line, nothing_owed_line, owed_lines


def test_who_owes_is_told_with_the_reason_and_the_remedy() -> None:
    assert owed_lines("shop_api", "1.1", {"web2": "unreachable: no route"}) == [
        "web2 owes 1.1 (unreachable: no route)",
        "Once these hosts are back: ansible-playbook fraisier.deploy.catchup -e fraise=shop_api",
    ]
    assert len(owed_lines("shop_api", "1.1", {"web2": "x" * 500})[0]) < 160
    assert owed_lines("shop_api", "1.1", {}) == []


def test_nothing_to_do_is_told() -> None:
    assert nothing_owed_line("1.1") == "no host of this run owes anything, the fleet has 1.1"


def test_a_host_that_is_another_than_recorded_is_told() -> None:
    line = "  web2  answers 1.0, the record says 1.1: somebody or something else changed it"
    assert drift_line("web2", {"answers": "1.0", "recorded": "1.1"}) == line
    assert "answers nothing" in drift_line("web2", {"answers": None, "recorded": "1.1"})
    known = {"answers": "1.1", "recorded": "1.0", "cut_off": "shop_api:test:7"}
    assert drift_line("web2", known).endswith("the record says 1.0: shop_api:test:7 was cut off while it changed it")
