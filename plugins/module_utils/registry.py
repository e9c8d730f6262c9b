# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which code runs a request on a host, by its name: that of a provider, or ``balancer``."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError

TYPE_CHECKING = False  # not from typing: every host call would pay for its import
if TYPE_CHECKING:
    from typing import Any, Callable

PROVIDERS = ("bare_metal",)


def _known(provider: str) -> None:
    if provider not in PROVIDERS:
        raise ProviderConfigurationError(
            "There is no provider {0!r}".format(provider),
            hint="Set fraise_provider to one of: {0}".format(", ".join(PROVIDERS)),
            context={"option": "provider", "value": provider},
        )


def provider_run(provider: str) -> Callable[..., dict[str, Any]]:
    """The ``run`` of a provider; ProviderConfigurationError lists the choices."""
    _known(provider)
    from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.provider import run

    return run


def provider_argument_spec(provider: str) -> dict[str, Any]:
    """The options that the provider's module takes."""
    _known(provider)
    from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.provider import ARGUMENT_SPEC

    return ARGUMENT_SPEC


def called_run(name: str) -> Callable[..., dict[str, Any]]:
    """The ``run`` of what may be called on a host: a provider, or ``balancer``, which is none."""
    if name == "balancer":
        from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.entry import run

        return run
    return provider_run(name)


def called_argument_spec(name: str) -> dict[str, Any]:
    """The options that the module of that name takes."""
    if name == "balancer":
        from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.options import ARGUMENT_SPEC

        return ARGUMENT_SPEC
    return provider_argument_spec(name)
