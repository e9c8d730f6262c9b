# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units on real hosts, and the collection's own code there."""

from __future__ import annotations

import io
import json
import shlex
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.testbed.hosts import Host

CHECKOUT = Path(__file__).resolve().parents[3]
PACKAGE = "ansible_collections/fraisier/deploy/plugins/module_utils"
FOLDER = "/opt/fraisier-services"
DRIVER = """
import json, sys, time
sys.path.insert(0, {folder!r})
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe, verify
from ansible_collections.fraisier.deploy.plugins.module_utils.services import service_manager
service = service_manager(json.loads({options!r}), root={root!r}, environment={{}})
answer, started = {{}}, time.monotonic()
try:
{code}
except FraisierError as error:
    answer["error"] = error.to_dict()
answer["seconds"] = time.monotonic() - started
print(json.dumps(answer))
"""


@dataclass
class Bench:
    """A host with units of a test and the code under test. ``user``: who runs it."""

    host: Host
    units: list[tuple[str, str]] = field(default_factory=list)

    def unit(self, name: str, service: str, *, unit: str = "", user: str = "root") -> None:
        """Install the unit ``name`` with these lines in its sections [Service] and [Unit]."""
        folder = "/etc/systemd/system" if user == "root" else f"/home/{user}/.config/systemd/user"
        self.host.run(f"mkdir -p {folder}", user=user)
        self.host.write(f"{folder}/{name}", f"[Unit]\n{unit}\n[Service]\n{service}\n", user=user)
        self.systemctl("daemon-reload", user=user)
        self.units.append((name, user))

    def systemctl(self, words: str, *, user: str = "root", check: bool = True) -> str:
        """Output of systemctl on the host, for a user other than root of that user's units."""
        line = f"systemctl {words}" if user == "root" else f"XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user {words}"
        return str(self.host.run(line, user=user, check=check).stdout)

    def run(self, code: str, *, user: str = "root", root: str = "/srv/shop", timeout: float = 60.0, **service: object) -> dict:
        """What ``code`` puts into ``answer``; it has ``service`` (the manager made of the options), ``verify``, ``probe`` and ``time``."""
        indented = "\n".join(f"    {line}" for line in code.strip().splitlines())
        script = DRIVER.format(folder=FOLDER, options=json.dumps(service), root=root, code=indented)
        done = self.host.run(f"python3 -c {shlex.quote(script)}", user=user, timeout=timeout)
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def clean(self) -> None:
        for name, user in self.units:
            self.systemctl(f"kill --signal=KILL {name}", user=user, check=False)
            self.systemctl(f"stop {name}", user=user, check=False)
            self.host.run(f"rm -f /etc/systemd/system/{name} ~/.config/systemd/user/{name}", user=user, check=False)
            self.systemctl(f"reset-failed {name}", user=user, check=False)
            self.systemctl("daemon-reload", user=user)


@pytest.fixture(scope="session")
def equipped(hosts: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Host:
    """The first host, with the collection's module_utils laid out under FOLDER."""
    archive = tmp_path_factory.mktemp("code") / "module_utils.tar"
    with tarfile.open(archive, "w") as tar:
        for path in sorted((CHECKOUT / "plugins/module_utils").rglob("*.py")):
            tar.add(path, f"{PACKAGE}/{path.relative_to(CHECKOUT / 'plugins/module_utils')}")
        for folder in ("ansible_collections", "ansible_collections/fraisier", "ansible_collections/fraisier/deploy", str(Path(PACKAGE).parent), PACKAGE):
            empty = tarfile.TarInfo(f"{folder}/__init__.py")
            tar.addfile(empty, io.BytesIO(b""))
    hosts[0].put(archive, "/root/module_utils.tar")
    hosts[0].run(f"rm -rf {FOLDER} && mkdir -p {FOLDER} && tar -xf /root/module_utils.tar -C {FOLDER} && chmod -R a+rX {FOLDER}")
    return hosts[0]


@pytest.fixture
def bench(equipped: Host) -> Iterator[Bench]:
    """A bench whose units are gone after the test."""
    bench = Bench(equipped)
    yield bench
    bench.clean()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The name of a unit that only this test has."""
    return f"frz-{abs(hash(request.node.name)) % 10**8}.service"
