# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that cannot work are refused before a balancer is asked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.options import check_params, with_defaults
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, ProviderConfigurationError

GOOD: dict[str, Any] = {"state": "drained", "driver": "haproxy", "backend": "app", "server": "web1"}
NGINX = {"driver": "nginx", "nginx": {"include": "/etc/nginx/app.conf"}}


def test_the_defaults_do() -> None:
    check_params(with_defaults(GOOD))
    check_params(with_defaults({**GOOD, **NGINX}))
    check_params(with_defaults({"state": "inspected", "driver": "haproxy", "backend": "app"}))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"server": "web1; shutdown sessions server app/web2"}, "server: .* is not a name"),
        ({"server": "web1\nset server app/web2 state maint"}, "is not a name"),
        ({"backend": "app/web2"}, "backend: 'app/web2' is not a name"),
        ({"backend": ""}, "backend: '' is not a name"),
        ({"server": None}, "server: None is not a name"),
        ({"driver": "caddy"}, "driver: 'caddy' is not possible"),
        ({"state": "gone"}, "state: 'gone' is not possible"),
        ({"state": "weighted"}, "weight: None is missing"),
        ({"state": "weighted", "weight": 101}, "weight: 101 is no share"),
        ({"weight": -1}, "weight: -1 is no share"),
        ({"min_available": -1}, "min_available: -1 is too small"),
        ({"limit": -1.0}, "limit: -1.0 is too small"),
        ({"timeout": 0.0}, "timeout: 0.0 is too small"),
        ({"path": "relative"}, "path: 'relative' cannot be the folder"),
        ({"path": "/"}, "cannot be the folder"),
        ({"haproxy": {"state_file": "state"}}, "haproxy.state_file: 'state' is not absolute"),
        ({"driver": "nginx"}, "nginx.include is missing"),
        ({**NGINX, "nginx": {"include": "app.conf"}}, "nginx.include: 'app.conf' is not absolute"),
        ({**NGINX, "nginx": {"include": "/a", "command": []}}, "nginx.command: .* is empty"),
        ({**NGINX, "nginx": {"include": "/a", "health_path": "health"}}, "nginx.health_path: 'health' is no path"),
        ({**NGINX, "nginx": {"include": "/a", "health_path": "/a b"}}, "is no path"),
    ],
)
def test_each_wrong_option_is_named_with_its_value(more: dict[str, Any], words: str) -> None:
    with pytest.raises(FraisierError, match=words) as caught:
        check_params(with_defaults({**GOOD, **more}))
    assert caught.value.category == "VALIDATION"
    assert caught.value.hint


def test_a_balancer_without_weights_says_so() -> None:
    with pytest.raises(ProviderConfigurationError, match="weight: balancer  has no weights"):
        Balancer(with_defaults(GOOD)).weight("web1", 10)
