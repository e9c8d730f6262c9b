# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which manager an option ``service`` leads to."""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.services import MANAGERS, SERVICE_OPTIONS, service_manager


def test_without_a_service_nothing_is_managed_and_nobody_knows_whether_it_runs():
    manager = service_manager(None, root="/srv/shop", environment={})
    for act in (manager.start, manager.stop, manager.restart, manager.reload, manager.apply):
        act(1.0)
    manager.validate()
    manager.reset_failed()
    assert manager.NAME == "none"
    assert manager.exists()
    assert manager.status().active is None
    assert manager.log_tail(5) == ""


def test_systemd_is_the_default():
    assert service_manager({"name": "shop.service"}, root="/srv/shop", environment={}).NAME == "systemd"


@pytest.mark.parametrize("name", ["none", "process", "systemd"])
def test_the_manager_is_chosen_by_name(name):
    manager = service_manager({"manager": name, "name": "x", "command": ["x"]}, root="/srv/shop", environment={})
    assert name == manager.NAME


def test_an_unknown_manager_is_refused_with_the_choices():
    with pytest.raises(ValidationError, match=r"service\.manager: 'upstart' is not a service manager\. Use one of: none, process, systemd\."):
        service_manager({"manager": "upstart"}, root="/srv/shop", environment={})


def test_the_choices_of_the_option_are_the_managers_in_alphabetical_order():
    assert SERVICE_OPTIONS["manager"]["choices"] == list(MANAGERS) == sorted(MANAGERS)


def test_options_that_are_null_have_their_defaults():
    manager = service_manager({"manager": "process", "command": ["x"], "stop_timeout": None, "log_file": None}, root="/srv/shop", environment={})
    assert manager.stop_timeout == 10.0
    assert manager.log_path == "/srv/shop/.fraisier/process.log"
