# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one hierarchy of domain errors, usable on hosts (standard library, Python 3.8) and in the controller."""

from __future__ import annotations

TYPE_CHECKING = False  # not from typing: every host call would pay for its import
if TYPE_CHECKING:
    from typing import Any

CATEGORIES = ("VALIDATION", "NETWORK", "TIMEOUT", "RESOURCE", "INTERNAL", "UNKNOWN")
SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


class FraisierError(Exception):
    """An error a person can act on.

    ``code`` names the kind (stable), ``category`` one of CATEGORIES, ``severity`` one of SEVERITIES, ``recoverable`` whether the same call may
    succeed later, ``hint`` the remedy, ``context`` plain values for machines, ``result`` what a module call had reached when it failed.
    ``infrastructure`` is true when the cause lies outside the release (network, disk, lock): such an error never marks a release bad.
    """

    code = "FRAISIER_ERROR"
    category = "UNKNOWN"
    severity = "HIGH"
    recoverable = False
    infrastructure = False

    def __init__(
        self,
        message: str,
        code: str | None = None,
        category: str | None = None,
        severity: str | None = None,
        recoverable: bool | None = None,
        context: dict[str, Any] | None = None,
        hint: str = "",
        cause: BaseException | None = None,
        infrastructure: bool | None = None,
        result: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        import uuid  # here, for every host call pays for what this module imports

        self.id = str(uuid.uuid4())
        self.message = message
        self.hint = hint
        self.context = dict(context or {})
        self.cause = cause
        self.result = result
        if code is not None:
            self.code = code
        if category is not None:
            self.category = category
        if severity is not None:
            self.severity = severity
        if recoverable is not None:
            self.recoverable = recoverable
        if infrastructure is not None:
            self.infrastructure = infrastructure

    def __str__(self) -> str:
        return "{0}. {1}".format(self.message.rstrip("."), self.hint) if self.hint else self.message

    def to_dict(self) -> dict[str, Any]:
        """The ``error`` of a result: {id, code, category, severity, recoverable, infrastructure, message, hint, context}."""
        return {
            "id": self.id,
            "code": self.code,
            "category": self.category,
            "severity": self.severity,
            "recoverable": self.recoverable,
            "infrastructure": self.infrastructure,
            "message": self.message,
            "hint": self.hint,
            "context": self.context,
        }


class ConfigurationError(FraisierError):
    """The configuration cannot work, whatever is tried."""

    code, category = "CONFIG_ERROR", "VALIDATION"


class ValidationError(FraisierError):
    """One value is wrong: an option, a version, a checksum."""

    code, category = "VALIDATION_ERROR", "VALIDATION"


class NotFoundError(FraisierError):
    """What was named does not exist."""

    code, category = "NOT_FOUND", "VALIDATION"


class DeploymentError(FraisierError):
    """A deployment did not reach its end."""

    code, category = "DEPLOYMENT_ERROR", "INTERNAL"


class DeploymentTimeoutError(DeploymentError):
    """A step took longer than its deadline."""

    code, category, recoverable = "DEPLOYMENT_TIMEOUT", "TIMEOUT", True


class HealthCheckError(DeploymentError):
    """The release does not answer as it must."""

    code, category, recoverable = "HEALTH_CHECK_FAILED", "INTERNAL", True


class RollbackError(DeploymentError):
    """Going back failed too: a person must look."""

    code, severity = "ROLLBACK_FAILED", "CRITICAL"


class DeploymentLockedError(DeploymentError):
    """Another deployment holds the lock."""

    code, category, severity, recoverable, infrastructure = "DEPLOYMENT_LOCKED", "RESOURCE", "MEDIUM", True, True


class NoOpenDeploymentError(DeploymentError):
    """A step was asked for outside an open deployment."""

    code, category = "NO_OPEN_DEPLOYMENT", "VALIDATION"


class FencedError(DeploymentError):
    """The host has obeyed a newer deployment than this one."""

    code, severity, infrastructure = "FENCED", "CRITICAL", True


class LeaseLostError(DeploymentError):
    """The lock went to another owner while this deployment ran."""

    code, severity, infrastructure = "LEASE_LOST", "CRITICAL", True


class ReleaseQuarantinedError(DeploymentError):
    """The release was turned back in this environment before."""

    code, category = "RELEASE_QUARANTINED", "VALIDATION"


class PlanDriftedError(DeploymentError):
    """What is there is not what the approved plan was made for."""

    code, category = "PLAN_DRIFTED", "VALIDATION"


class NotApprovedError(DeploymentError):
    """Not enough people have approved the plan."""

    code, category, infrastructure = "NOT_APPROVED", "VALIDATION", True


class FrozenError(DeploymentError):
    """A freeze window forbids deployments now."""

    code, category, severity, recoverable, infrastructure = "FROZEN", "RESOURCE", "MEDIUM", True, True


class ProviderError(FraisierError):
    """What runs the release on a host (service manager, disk, tools) failed."""

    code, category = "PROVIDER_ERROR", "INTERNAL"


class ProviderConnectionError(ProviderError):
    """A host, URL or repository cannot be reached."""

    code, category, recoverable, infrastructure = "PROVIDER_CONNECTION_ERROR", "NETWORK", True, True


class ProviderUnavailableError(ProviderError):
    """The provider answers, but cannot work now."""

    code, category, recoverable, infrastructure = "PROVIDER_UNAVAILABLE", "RESOURCE", True, True


class ProviderConfigurationError(ProviderError):
    """The provider cannot do what its options ask."""

    code, category = "PROVIDER_CONFIG_ERROR", "VALIDATION"


class DatabaseError(FraisierError):
    """The store refused."""

    code, category, infrastructure = "DATABASE_ERROR", "INTERNAL", True


class DatabaseConnectionError(DatabaseError):
    """The store cannot be reached."""

    code, category, recoverable = "DATABASE_CONNECTION_ERROR", "NETWORK", True


class DatabaseTransactionError(DatabaseError):
    """A transaction of the store could not be completed."""

    code, recoverable = "DATABASE_TRANSACTION_ERROR", True


class MigrationError(DatabaseError):
    """A schema migration failed."""

    code, recoverable = "MIGRATION_FAILED", False
