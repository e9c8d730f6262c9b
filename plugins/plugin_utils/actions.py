# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all actions of this collection share: validated arguments, one place where domain errors become results, redaction."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.known_variables import misspelt_extra
from ansible_collections.fraisier.deploy.plugins.plugin_utils.native import revealed, to_native
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.learned import redactor
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import Redactor, secret_values
from ansible_collections.fraisier.deploy.plugins.plugin_utils.user_variables import require_fitting

display = Display()

NO_SECRETS = frozenset({"ansible_delegated_vars", "ansible_facts", "ansible_version", "environment", "groups", "hostvars", "omit", "vars"})
"""Variables of Ansible's own that are large, or all of the others once more."""


def require_whole_values(task_vars: dict[str, Any]) -> None:
    """Refuse a run of whose ``-e reason=two words`` Ansible has cut the second word: it keeps what belongs to no variable under ``_raw_params``.

    The words are not shown, for they may be of a secret.
    """
    left_over = len(str(task_vars.get("_raw_params") or "").split())
    if left_over:
        told = "a word that belongs" if left_over == 1 else f"{left_over} words that belong"
        raise ValidationError(
            f"--extra-vars has {told} to no variable, so a value was cut short",
            hint="Quote values with spaces twice: -e \"reason='two words'\"",
            context={"option": "--extra-vars", "words": left_over},
        )


class FraisierAction(ActionBase):  # type: ignore[misc]
    """An action with an argument ``SPEC``; subclasses implement :meth:`act`, which returns a result or raises FraisierError."""

    SPEC: dict[str, Any] = {}
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ansible's entry."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        variables = task_vars or {}
        arguments: dict[str, Any] = {}
        try:
            require_whole_values(variables)
            require_fitting(str(self._task.action), self.SPEC, self._task.args, variables)
            arguments = self._arguments()
            result.update(self.act(arguments, variables))
        except FraisierError as error:
            result.update(error.result or {})
            result.update({"failed": True, "msg": f"{error} [{error.code}]", "error": error.to_dict()})
        except Exception as exception:
            self._raise_clean(exception, self.redactor(arguments, variables))
            raise
        if self.speaks_first():
            told = [line for line in self.misspelt_variables() if line not in result.get("warnings", [])]
            result.update({"warnings": [*result.get("warnings", []), *told]} if told else {})
        if result.get("failed") or result.get("warnings"):
            # What a host printed on its way down may hold what it was given: nobody else needs it on a terminal, in AWX or in a row.
            cleaner = self.redactor(arguments, variables)
            result.update({key: cleaner.clean(result[key]) for key in ("msg", "error", "exception", "warnings") if key in result})
        return result

    @staticmethod
    def _raise_clean(exception: Exception, cleaner: Redactor) -> None:
        """Raise in the place of ``exception`` one without the secrets in its text, if it holds any; Ansible prints it."""
        told = str(exception)
        if cleaner.text(told) != told:
            kind = AnsibleConnectionFailure if isinstance(exception, AnsibleConnectionFailure) else AnsibleError
            raise kind(cleaner.text(told)) from None

    def _arguments(self) -> dict[str, Any]:
        """The task's arguments, held against ``SPEC``, with its defaults, as plain values."""
        try:
            _validation, arguments = self.validate_argument_spec(argument_spec=self.SPEC)
        except AnsibleError as exception:
            name = str(self._task.action)
            raise ValidationError(f"{name}: {exception}", hint=f"See: ansible-doc {name}", context={"action": name}) from exception
        native: dict[str, Any] = to_native(arguments)
        return native

    def speaks_first(self) -> bool:
        """Whether this is the one task of its run that tells of misspelt variables; in the answer to a failure, too, which may come from just that."""
        return False

    def misspelt_variables(self) -> list[str]:
        """A sentence for each variable given with -e that is nearly one of ours."""
        manager = self._task.get_variable_manager()
        return misspelt_extra(manager.extra_vars) if manager is not None else []

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The action's own work."""
        raise ValidationError(f"{type(self).__name__} has no work to do", hint="Install the collection again")

    @staticmethod
    def redactor(arguments: dict[str, Any], task_vars: dict[str, Any]) -> Redactor:
        """A redactor that knows what the run has learnt, and secrets among the arguments and the variables of the host and of one delegated to."""
        sources = [task_vars, *(task_vars.get("ansible_delegated_vars") or {}).values()]
        variables = [revealed({name: value for name, value in source.items() if name not in NO_SECRETS}) for source in sources]
        return redactor(secret_values(arguments).union(*map(secret_values, variables)))

    @staticmethod
    def say(*lines: str) -> None:
        """Show lines to the person at the terminal, from a worker too."""
        for line in lines:
            display.display(line)
