#!/usr/bin/env python3
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: three local hosts, three versions of a small service, one of them broken. Everything it makes lies under build/demo."""

from __future__ import annotations

import fcntl
import io
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).resolve().parent.parent
DEMO = CHECKOUT / "build" / "demo"
SERVICE = CHECKOUT / "scripts" / "demo_service" / "service.py"
HOSTS = ("demo1", "demo2", "demo3")
PLAYBOOK_SECONDS = 120


def say(text: str = "") -> None:
    """Print at once, so that progress is seen."""
    print(text, flush=True)


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that are free on loopback."""
    for first in range(18080, 19000, count):
        taken = []
        try:
            for port in range(first, first + count):
                probe = socket.socket()
                taken.append(probe)
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for probe in taken:
                probe.close()
        return first
    raise SystemExit("No free ports between 18080 and 19000: stop what listens there and try again")


def make_archive(version: str, broken_on: str = "") -> None:
    """A release of the service: build/demo/archives/hello-VERSION.tar.gz."""
    path = DEMO / "archives" / f"hello-{version}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {"service.py": SERVICE.read_bytes(), "VERSION": f"{version}\n".encode(), **({"broken": broken_on.encode()} if broken_on else {})}
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1_700_000_000
            archive.addfile(entry, io.BytesIO(content))


def environment(first_port: int) -> dict[str, str]:
    """What ansible-playbook needs: the collection, the store and the demo's folder. Nothing of the caller's Ansible settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "FRAISIER_"))}
    return {
        **kept,
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_HOME": str(DEMO / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(DEMO / "ansible" / "tmp"),
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "FRAISIER_STORE_URL": f"sqlite:///{DEMO / 'store.db'}",
        "FRAISIER_SPOOL_PATH": str(DEMO / "spool"),
        "FRAISIER_DEMO_PATH": str(DEMO),
        "FRAISIER_DEMO_PORT": str(first_port),
    }


def keep_environment(settings: dict[str, str]) -> Path:
    """Write the settings of the demo to a file that a shell takes in: what is typed afterwards means the same hosts and the same store."""
    path = DEMO / "environment.sh"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items() if name.startswith(("ANSIBLE_", "FRAISIER_"))]
    lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def next_commands(kept: Path) -> list[str]:
    """What to type next, each line as it works in a shell that stands in the checkout."""
    shown = kept.relative_to(CHECKOUT) if kept.is_relative_to(CHECKOUT) else kept
    return [
        f". {shlex.quote(str(shown))}",
        "ansible-playbook fraisier.deploy.unlock -i inventories/demo -e fraise=hello -e \"reason='1.2.0 was bad'\"",
        "ansible-playbook fraisier.deploy.deploy -i inventories/demo -e fraise=hello -e version=1.0.0",
        "ansible-playbook fraisier.deploy.status -i inventories/demo -e fraise=hello",
    ]


def playbook(name: str, variables: dict[str, str], settings: dict[str, str]) -> int:
    """Run one playbook of the collection as a user would; its exit code."""
    words = [f"{key}={value}" for key, value in variables.items()]
    shown = " ".join(["ansible-playbook", f"fraisier.deploy.{name}", "-i", "inventories/demo", *(f"-e {word}" for word in words)])
    say(f"\n$ {shown}")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), f"fraisier.deploy.{name}", "-i", str(CHECKOUT / "inventories" / "demo")]
    for word in words:
        command += ["-e", word]
    return subprocess.run(command, env=settings, cwd=CHECKOUT, timeout=PLAYBOOK_SECONDS, check=False).returncode


def answering(first_port: int) -> list[str]:
    """The version that each host's service answers now."""
    versions = []
    for number in range(len(HOSTS)):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{first_port + number}/health", timeout=5) as answer:
                versions.append(json.load(answer)["version"])
        except OSError:
            versions.append("nothing")
    return versions


def stop_services() -> None:
    """End the services that this or an earlier demo started: they outlive it by no second."""
    for path in DEMO.glob("hosts/*/hello/.fraisier/process.pid"):
        words = path.read_text(encoding="utf-8").replace(",", " ").replace(":", " ").replace("{", " ").replace("}", " ").split()
        numbers = [int(word) for word in words if word.isdigit()]
        if numbers and _is_ours(numbers[0]):
            os.killpg(numbers[0], signal.SIGTERM)


def _is_ours(pid: int) -> bool:
    try:
        return b"service.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def take_turn() -> IO[str]:
    """Refuse to run beside another demo of this checkout: both would use build/demo."""
    DEMO.parent.mkdir(parents=True, exist_ok=True)
    turn = (DEMO.parent / "demo.lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit("Another demo runs in this checkout: wait until it has ended") from None
    return turn


def demo() -> bool:
    """The story; whether every part of it ended as it must."""
    began = time.monotonic()
    alone = take_turn()
    subprocess.run([sys.executable, str(CHECKOUT / "scripts" / "tree.py")], stdout=subprocess.DEVNULL, timeout=60, check=True)
    stop_services()
    shutil.rmtree(DEMO, ignore_errors=True)
    for version, broken_on in (("1.0.0", ""), ("1.1.0", ""), ("1.2.0", "demo2 demo3")):
        make_archive(version, broken_on)
    first_port = free_ports(len(HOSTS))
    settings = environment(first_port)
    kept = keep_environment(settings)
    fine = []
    say("Three hosts, no version yet. First 1.0.0, then 1.1.0 rolling, then 1.2.0, which works on demo1 only.")
    try:
        for version, wanted in (("1.0.0", "1.0.0"), ("1.1.0", "1.1.0"), ("1.2.0", "1.1.0")):
            code = playbook("deploy", {"fraise": "hello", "version": version}, settings)
            versions = answering(first_port)
            fine.append((code == 0) == (version == wanted) and versions == [wanted] * len(HOSTS))
            say(f"\n   exit code {code}; the hosts answer {', '.join(versions)}")
        fine.append(playbook("history", {"fraise": "hello"}, settings) == 0)
        fine.append(playbook("status", {"fraise": "hello"}, settings) == 0)
        fine.append(scrape(settings))
    finally:
        stop_services()
        alone.close()
    say(f"\nDone in {time.monotonic() - began:.0f} s. The services are stopped; look at build/demo: hosts/, store.db.")
    say("1.2.0 was taken back, so hello is LOCKED in demo until a person looks, and 1.2.0 is QUARANTINED there (below the table of status above).")
    say(f"\nThat person goes on, in the folder {CHECKOUT}, with:")
    for command in next_commands(kept):
        say(f"  {command}")
    say("  (what this starts again runs until the next make demo)")
    say("\nTry next: read inventories/demo, then put your own service into an inventory as README.md shows.")
    return all(fine)


def scrape(settings: dict[str, str]) -> bool:
    """Show what Prometheus would read."""
    say("\n$ python monitoring/exporter.py --once | grep deployments_total")
    command = [sys.executable, str(CHECKOUT / "monitoring" / "exporter.py"), "--once"]
    answer = subprocess.run(command, env=settings, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in answer.stdout.splitlines() if line.startswith(("fraisier_deployments_total", "fraisier_rollbacks_total"))]
    say("\n".join(lines) or answer.stderr)
    return bool(lines)


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        raise SystemExit("The demo needs Python 3.11 or newer")
    raise SystemExit(0 if demo() else 1)
