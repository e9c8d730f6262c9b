# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door through which this collection calls hosts.

Where the connection takes a stream on standard input, a call is one session: program, request and archive travel together and Python starts without
Ansible's module wrapper, which costs about 0.2 s of the host's processor. Elsewhere the same code runs as an ordinary module.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shlex
import zipfile
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ansible_collections.fraisier.deploy.plugins.module_utils import errors
from ansible_collections.fraisier.deploy.plugins.module_utils.host_program import ANSWER_MARK
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import tail
from ansible_collections.fraisier.deploy.plugins.module_utils.registry import called_argument_spec
from ansible_collections.fraisier.deploy.plugins.plugin_utils.native import to_native

INLINE_LIMIT = 32 * 1024 * 1024
PYTHONS = ("python3", "/usr/bin/python3", "/usr/local/bin/python3", "/usr/libexec/platform-python")
SSH_CONNECTION_RC = 255
SAID_CHARACTERS = 2000

# Runs on the host: read the lengths and the program, keep the program under its digest, hand over to it.
BOOTSTRAP = r"""
import io,os,sys
s=sys.stdin.buffer
a,b,c,h=s.readline().split()
z=s.read(int(a))
h=h.decode()
if sys.version_info<(3,8):
    sys.stdout.write("\nFRAISIER-PYTHON %s\n"%sys.version.split()[0]);sys.exit(0)
def keep(base):
    d=os.path.join(base,"program-"+h)
    if not os.path.isdir(d) or os.stat(d).st_uid!=os.geteuid():
        import shutil,tempfile,zipfile
        os.makedirs(base,mode=0o700,exist_ok=True)
        t=tempfile.mkdtemp(dir=base)
        zipfile.ZipFile(io.BytesIO(z)).extractall(t)
        try:os.rename(t,d)
        except OSError:
            shutil.rmtree(t,ignore_errors=True)
            if not os.path.isdir(d):raise
        o=sorted((os.path.join(base,n) for n in os.listdir(base) if n.startswith("program-")),key=os.path.getmtime)
        for n in o[:-4]:shutil.rmtree(n,ignore_errors=True)
    return d
t=None
try:
    import pwd
    d=keep(os.path.join(pwd.getpwuid(os.geteuid()).pw_dir,".cache","fraisier"))
except (OSError,KeyError):
    import tempfile
    t=tempfile.mkdtemp(prefix="fraisier-")
    d=keep(t)
sys.path.insert(0,d)
try:
    from ansible_collections.fraisier.deploy.plugins.module_utils.host_program import serve
    serve(s,int(b),int(c))
finally:
    if t:
        import shutil
        shutil.rmtree(t,ignore_errors=True)
"""


def validated(provider: str, options: dict[str, Any]) -> dict[str, Any]:
    """``options`` with the types and defaults of the provider's module; ValidationError names what does not fit."""
    result = ArgumentSpecValidator(called_argument_spec(provider)).validate(options)
    if result.error_messages:
        told = [
            f"unsupported option {message}" if isinstance(error, UnsupportedError) else message
            for error, message in zip(result.errors, result.error_messages, strict=True)
        ]
        raise errors.ValidationError(
            f"Options of provider {provider}: {'; '.join(told)}",
            hint=f"See ansible-doc fraisier.deploy.{provider}",
            context={"provider": provider},
        )
    # A path is the host's: the validator has expanded ~ and variables with the controller's values.
    return {**result.validated_parameters, "path": options["path"]}


def pack_program(module_utils: Path) -> tuple[bytes, str]:
    """The host's half of the collection as a zip, the same bytes for the same sources, and its digest."""
    package = "ansible_collections/fraisier/deploy/plugins/module_utils/"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(module_utils.rglob("*.py")):
            entry = zipfile.ZipInfo(package + path.relative_to(module_utils).as_posix(), date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, path.read_bytes(), compress_type=zipfile.ZIP_DEFLATED)
    packed = buffer.getvalue()
    return packed, hashlib.sha256(packed).hexdigest()[:24]


def program() -> tuple[bytes, str]:
    """The packed program, made once for each controller process and shared with its forked workers through Ansible's temporary folder."""
    kept = Path(constants.DEFAULT_LOCAL_TMP) / "fraisier-program.zip"
    if not kept.exists():
        packed, _digest = pack_program(Path(__file__).resolve().parent.parent / "module_utils")
        part = kept.with_name(f"{kept.name}.{os.getpid()}")
        part.write_bytes(packed)
        part.replace(kept)
    packed = kept.read_bytes()
    return packed, hashlib.sha256(packed).hexdigest()[:24]


class HostCall:
    """Calls a provider on the host of one running action."""

    def __init__(self, action: Any, task_vars: dict[str, Any]) -> None:
        self._action, self._task_vars = action, task_vars

    def call(self, provider: str, options: dict[str, Any], archive: Path | None = None) -> dict[str, Any]:
        """Run ``provider`` with ``options``; ``archive`` is a file of the controller that travels along. Returns the module result.

        Raises AnsibleConnectionFailure when the host cannot be reached, FraisierError when the options do not fit.
        """
        params = validated(provider, options)
        large = archive is not None and archive.stat().st_size > INLINE_LIMIT
        if self._streams() and not large:
            return self._stream(provider, params, archive)
        return self._as_module(provider, options, archive)

    def _streams(self) -> bool:
        connection = self._action._connection
        become = connection.become
        return bool(connection.has_pipelining) and (become is None or bool(getattr(become, "pipelining", False))) and not constants.DEFAULT_KEEP_REMOTE_FILES

    def _interpreters(self) -> list[str]:
        wanted = str(self._action._templar.template(self._task_vars.get("ansible_python_interpreter", "auto")))
        if not wanted.startswith("auto"):
            return [wanted]
        discovered = (self._task_vars.get("ansible_facts") or {}).get("discovered_interpreter_python")
        return [str(discovered)] if discovered else list(PYTHONS)

    def _stream(self, provider: str, params: dict[str, Any], archive: Path | None) -> dict[str, Any]:
        packed, digest = program()
        play = self._action._task
        environment: dict[str, Any] = {}
        self._action._compute_environment_string(environment)
        demand = {
            "provider": provider,
            "params": params,
            "check_mode": bool(play.check_mode),
            "diff": bool(play.diff),
            "environment": to_native(environment),
            "withheld": archive is not None and bool(play.check_mode),
        }
        request = json.dumps(demand).encode()
        payload = archive.read_bytes() if archive is not None and not play.check_mode else b""
        head = f"{len(packed)} {len(request)} {len(payload)} {digest}\n".encode()
        pythons = [shlex.quote(path) for path in self._interpreters()]
        # -I and -S: nothing of the host's own packages is loaded, for the program needs the standard library alone
        starts = [f"command -v {python} >/dev/null 2>&1 && exec {python} -IS -c {shlex.quote(BOOTSTRAP)}" for python in pythons]
        command = "; ".join([*starts, "echo FRAISIER-NO-PYTHON; exit 127"])
        outcome = self._action._low_level_execute_command(command, sudoable=True, in_data=head + packed + request + payload)
        return self._parse(outcome)

    def _parse(self, outcome: dict[str, Any]) -> dict[str, Any]:
        output = str(outcome.get("stdout", ""))
        position = output.rfind("\n" + ANSWER_MARK)
        if position >= 0:
            answer: dict[str, Any] = json.loads(output[position + 1 + len(ANSWER_MARK) :].split("\n", 1)[0])
            return answer
        old = re.search(r"^FRAISIER-PYTHON (\S+)$", output, re.MULTILINE)
        if old or "FRAISIER-NO-PYTHON" in output:
            error: errors.ProviderError = errors.ProviderConfigurationError(
                f"The host's Python is {old.group(1)}, too old" if old else "No Python was found on the host",
                hint="Install Python 3.8 or newer, or name it in ansible_python_interpreter",
            )
            return {"failed": True, "changed": False, "msg": str(error), "error": error.to_dict()}
        if outcome.get("rc") == SSH_CONNECTION_RC and "ssh" in str(self._action._connection.transport):
            raise AnsibleConnectionFailure(str(outcome.get("stderr", "")).strip() or "the connection ended")
        said = tail(str(outcome.get("stderr", "")) or output, SAID_CHARACTERS)
        message = f"The host gave no answer (exit code {outcome.get('rc')}): {said.strip()}"
        error = errors.ProviderError(message, hint="Look at the host's log; run the playbook again", infrastructure=True)
        return {"failed": True, "msg": str(error), "error": error.to_dict()}

    def _as_module(self, provider: str, options: dict[str, Any], archive: Path | None) -> dict[str, Any]:
        """The ordinary way, for connections without standard input and for large archives."""
        action = self._action
        options = dict(options)
        if archive is not None:
            if not action._connection._shell.tmpdir:
                action._make_tmp_path()
            remote = action._connection._shell.join_path(action._connection._shell.tmpdir, archive.name)
            action._transfer_file(str(archive), remote)
            action._fixup_perms2((action._connection._shell.tmpdir, remote))
            options["source"] = {**options["source"], "archive": {**options["source"]["archive"], "src": remote}}
        # Ansible would log the arguments on the host, and show them with the result: the environment may hold secrets under any name.
        variables = {**self._task_vars, "ansible_no_target_syslog": True}
        result: dict[str, Any] = action._execute_module(module_name=f"fraisier.deploy.{provider}", module_args=options, task_vars=variables)
        result.pop("invocation", None)
        if archive is not None:
            action._remove_tmp_path(action._connection._shell.tmpdir)
        return result
