# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every action of ours takes out of its result and of its exceptions, for Ansible prints both."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from tests.unit.plugins.action.acting import act

SECRETS = {"db": {"login": {"password": "hunter2 of the host"}}, "hostvars": {"web2": {"password": "of another"}}}


def acting(answer: dict[str, Any] | Exception) -> dict[str, Any]:
    class Acting(FraisierAction):
        SPEC = {"options": {"type": "dict"}}
        _requires_connection = False

        def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
            if isinstance(answer, Exception):
                raise answer
            return answer

    return act(Acting, {"options": {"headers": {"X-Probe": "the header's secret"}}}, variables=SECRETS)


@pytest.mark.parametrize("secret", ["hunter2 of the host", "the header's secret", "the+header%27s+secret"])
def test_a_failure_and_its_warnings_are_told_without_secrets(secret: str) -> None:
    told = [
        acting(ProviderError(f"it said {secret}", context={"output": secret})),
        acting({"failed": True, "msg": f"it said {secret}", "exception": f"Traceback {secret}"}),
        acting({"changed": False, "warnings": [f"it said {secret}"]}),
    ]
    assert secret not in str(told)
    assert "it said <redacted>" in told[0]["msg"]
    assert told[2]["warnings"] == ["it said <redacted>"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AnsibleConnectionFailure("ssh: hunter2 of the host"), AnsibleConnectionFailure),
        (AnsibleError("it: hunter2 of the host"), AnsibleError),
        (OSError("x hunter2 of the host"), AnsibleError),
    ],
)
def test_an_exception_that_ansible_would_print_is_raised_without_the_secret(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        acting(error)
    assert "hunter2" not in str(caught.value)
    assert "<redacted>" in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_exception_without_a_secret_stays_what_it_is() -> None:
    with pytest.raises(KeyError, match="version"):
        acting(KeyError("version"))
