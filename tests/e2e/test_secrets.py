# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets planted wherever a user can put one, then looked for, in all their spellings, wherever something of a run stays or can be seen."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import random
import string
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.controller import CHECKOUT, Controller, Run
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import rows, run_words, with_playbook
from tests.testbed.application import release_files

HOSTS = ["web1", "web2"]
SIGNS = "'\"\\/@:&+ %$é"
SEED = 20261125  # another one makes other secrets; every run tries the same
VAULT_PASSWORD = "of the vault"
SAMPLE_SECONDS = 0.05

# The service tells its log all it knows, as careless programs do, and then answers; the release 2.0.0 answers that it is not well.
SERVICE = "env; cat settings.env; printf 'the database said: wrong password %s\\n' \"$INNOCENT\"; exec {python} server.py --port {{{{ service_port }}}}"
BUILD = "printf 'building %s\\n' {{ build_only.password | quote }}; cat settings.env; env; printf %s \"$INNOCENT\" | base64 -w0; echo; exit $FAIL"
FOREIGN = """
- name: Work of the user's own
  hosts: shop_api
  gather_facts: false
  tasks:
    - name: Fail with what came from the vault
      ansible.builtin.fail:
        msg: "cannot log in with {{ plain_vaulted }}, {{ plain_vaulted | urlencode }}, {{ plain_vaulted | b64encode }}, {{ plain_vaulted | to_json }}"
      ignore_errors: true
    - name: Set a fact
      ansible.builtin.set_fact:
        session: {token: "{{ lookup('ansible.builtin.file', 'session') }}"}
    - name: Fail with the fact, the file of this host, and what is in an encrypted file
      ansible.builtin.fail:
        msg: "{{ session.token }} {{ of_this_host.password }} {{ plain_in_file }}"
      ignore_errors: true
    - name: Raise an exception
      explode:
        password: "{{ of_the_argument }}"
      ignore_errors: true
    - name: Fail and print what the command line held
      ansible.builtin.fail:
        msg: "curl -H 'X-Api-Key: {{ of_the_argument }}' --password {{ of_the_argument | quote }} failed"
      ignore_errors: true
"""
EXPLODE = """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"password": {"type": "str", "no_log": False}})
raise RuntimeError("no session for " + module.params["password"])
"""


def secret(chance: random.Random, *, signs: str = SIGNS) -> str:
    """A text like a good password: letters, digits, and signs that are written otherwise in JSON, in URLs and in a shell."""
    letters = [*chance.choices(string.ascii_letters + string.digits, k=16), *chance.sample(signs, min(len(signs), 4))]
    chance.shuffle(letters)
    return f"K{''.join(letters)}z"


def spelt(value: str) -> set[str]:
    """How a secret may be written down; made here once more, for the test must not trust the rules that it tests."""
    data = value.encode()
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(value)[1:-1])[1:-1],
        repr(value)[1:-1],
        urllib.parse.quote(value),
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value),
        base64.b64encode(data).decode().rstrip("="),
        base64.b64encode(b"deploy:" + data).decode().rstrip("="),
    }


@dataclass
class Planted:
    """The secrets of a test by where they were put."""

    values: dict[str, str] = field(default_factory=dict)

    def found_in(self, text: str) -> list[str]:
        """Which of them ``text`` gives away."""
        return sorted(name for name, value in self.values.items() if any(form in text for form in spelt(value)))


class Onlooker(threading.Thread):
    """Another user of the machine, who reads all command lines; and root, who also reads environments and the recorder's log."""

    def __init__(self, folder: Path, logs: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.logs = folder, logs
        self.words: set[str] = set()
        self.environments: set[str] = set()
        self.log: set[str] = set()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    with contextlib.suppress(OSError):
                        self._look(process)
            for log in self.logs.glob("*/recorder.log"):
                with contextlib.suppress(OSError):
                    self.log.add(log.read_text(encoding="utf-8"))

    def _look(self, process: Path) -> None:
        self.words.add((process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " "))
        # What was started in a release (the service, a build) has been given its environment by the user.
        if not str((process / "cwd").readlink()).startswith(f"{self.folder}/hosts/"):
            self.environments.add((process / "environ").read_bytes().decode(errors="replace"))

    def __enter__(self) -> Onlooker:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self.join()


@dataclass
class Shop:
    """The fleet, its secrets, and the folder of the recorder's logs."""

    fleet: LocalFleet
    planted: Planted
    logs: Path
    chance: random.Random

    @property
    def controller(self) -> Controller:
        return self.fleet.controller


def vaulted(text: str, folder: Path) -> str:
    """``text`` as ansible-vault encrypts it."""
    program = Path(sys.executable).with_name("ansible-vault")
    words = [str(program), "encrypt", "--vault-password-file", str(folder / "vault-password"), "--output", "-", "-"]
    return subprocess.run(words, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60, check=True).stdout


def release(shop: LocalFleet, version: str, behaviour: str, settings: str) -> None:
    """An archive with a file of settings in it."""
    files = {**release_files(version, behaviour), "settings.env": settings.encode()}
    shop.archives.mkdir(exist_ok=True)
    with tarfile.open(shop.archives / f"shop-api-{version}.tar.gz", "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[Shop]:
    chance = random.Random(SEED)
    names = ("nested", "vaulted", "in_file", "host", "fact", "argument", "header", "service", "build", "reason")
    planted = Planted({name: secret(chance) for name in names})
    planted.values |= {name: secret(chance, signs="-_.~") for name in ("url", "query", "archive")}
    values = planted.values
    (tmp_path / "vault-password").write_text(VAULT_PASSWORD, encoding="utf-8")
    url = f"http://probe:{values['url']}@127.0.0.1:{{{{ service_port }}}}/health?api_key={values['query']}"
    fleet = LocalFleet(
        tmp_path,
        HOSTS,
        sqlite_url,
        rolling_batches=[1],
        fraise_timeout=3,
        database={"host": "127.0.0.1", "port": 5432, "login": {"user": "deploy", "password": values["nested"]}},
        build_only={"password": values["build"]},
        of_the_argument=values["argument"],
        fraise_build=BUILD,
        fraise_service={"name": "shop-api", "manager": "process", "command": ["sh", "-c", SERVICE.format(python=sys.executable)]},
        fraise_health=[{"http": {"url": url, "headers": {"X-Probe": values["header"]}, "json": {"version": "{{ version }}"}}}],
        fraise_environment_variables={"SERVICE_PASSWORD": values["service"], "INNOCENT": "{{ plain_vaulted }}", "FAIL": "{{ fail | default(0) }}"},
    )
    for folder in ("group_vars/shop_api", "host_vars", "library"):
        (tmp_path / folder).mkdir(parents=True)
    encrypted = vaulted(values["vaulted"], tmp_path).replace("\n", "\n  ").rstrip()
    (tmp_path / "group_vars/shop_api/main.yml").write_text(f"plain_vaulted: !vault |\n  {encrypted}\n", encoding="utf-8")
    (tmp_path / "group_vars/shop_api/vault.yml").write_text(vaulted(yaml.safe_dump({"plain_in_file": values["in_file"]}), tmp_path), encoding="utf-8")
    for name in HOSTS:
        (tmp_path / f"host_vars/{name}.yml").write_text(yaml.safe_dump({"of_this_host": {"password": values["host"]}}), encoding="utf-8")
    (tmp_path / "library/explode.py").write_text(EXPLODE, encoding="utf-8")
    (tmp_path / "session").write_text(values["fact"], encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="s-") as logs:
        fleet.controller.settings |= {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "vault-password"), "TMPDIR": logs}
        release(fleet, "1.0.0", "healthy", "COLOUR=blue\n")
        settings = f"SETTINGS_TOKEN={values['archive']}\nnested={values['nested']}\nhost={json.dumps(values['host'])}\n"
        release(fleet, "2.0.0", "unhealthy", settings)
        yield Shop(fleet, planted, Path(logs), chance)
    fleet.stop()


def deployed(shop: Shop, version: str, **variables: Any) -> Run:
    reason = f"as agreed, key {shop.planted.values['header']}, {shop.planted.values['nested']}"
    return shop.controller.deploy("shop_api", version, "-vv", "--diff", reason=reason, **variables)


def everything_stored(shop: Shop) -> str:
    """Every column of every row of every table and view."""
    names = [row["name"] for row in rows(shop.controller, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    return "\n".join(f"{name}: {value}" for name in names for row in rows(shop.controller, f"SELECT * FROM {name}") for value in row.values())


def test_a_planted_secret_is_seen_nowhere(shop: Shop) -> None:
    planted = shop.planted
    shown: dict[str, str] = {}
    with Onlooker(shop.fleet.folder, shop.logs) as onlooker:
        first = deployed(shop, "1.0.0")
        assert first.code == 0, first.output
        shown["a deployment"] = first.output
        for name, variables in (("a failing build", {"fail": 3}), ("an unhealthy release", {})):
            run = deployed(shop, "2.0.0", **variables)
            assert run.code != 0, run.output
            shown[name] = run.output
        for playbook, variables in (("status", {}), ("history", {"deployment": shop.controller.latest()["identifier"]})):
            run = shop.controller.run(playbook, "-vv", fraise="shop_api", **variables)
            assert run.code == 0, run.output
            shown[playbook] = run.output
    assert shop.controller.latest()["status"] == "rolled_back"
    metrics = run_words(shop.controller, [sys.executable, str(CHECKOUT / "build/tree/ansible_collections/fraisier/deploy/monitoring/exporter.py"), "--once"])
    assert metrics.code == 0, metrics.output
    shown["metrics"] = metrics.output
    shown["the store"] = everything_stored(shop)
    shown["command lines"] = "\n".join(onlooker.words)
    shown["environments"] = "\n".join(onlooker.environments)
    shown["the recorder's log"] = "\n".join(onlooker.log)
    for place in (shop.fleet.folder / "hosts").glob("*/.fraisier/**/*"):
        if place.is_file() and place.stat().st_mode & 0o007:
            shown[str(place)] = place.read_text(encoding="utf-8")
    for place in (shop.fleet.folder / "hosts").glob("*/releases/*/.fraisier-release.json"):
        shown[str(place)] = place.read_text(encoding="utf-8")

    assert "the database said" in shown["the store"], "the service's log is in the record, so it could have given something away"
    assert "recorder" in shown["command lines"]
    for name in HOSTS:
        log = (shop.fleet.folder / "hosts" / name / ".fraisier/process.log").read_text(encoding="utf-8")
        assert {"vaulted", "service"} <= set(planted.found_in(log)), "the service itself gets what it was to get"
    assert {name: planted.found_in(text) for name, text in shown.items() if planted.found_in(text)} == {}


def test_what_fails_in_playbooks_of_ones_own_leaves_no_secret_in_the_spool_or_the_store(shop: Shop) -> None:
    password = secret(shop.chance, signs="-_~")
    shop.planted.values["store"] = password
    site = shop.fleet.folder / "site.yml"
    site.write_text(FOREIGN, encoding="utf-8")
    words = with_playbook(shop.controller.command("deploy"), site)
    with Onlooker(shop.fleet.folder, shop.logs) as onlooker:
        stored = run_words(shop.controller, words)
        shop.controller.settings["FRAISIER_STORE_URL"] = f"postgresql://deploy:{password}@127.0.0.1:9/store"
        spooled = run_words(shop.controller, words)
    assert (stored.code, spooled.code) == (0, 0), stored.output + spooled.output
    shown = {
        "the store": everything_stored(shop),
        "the spool": "\n".join(path.name + path.read_text(encoding="utf-8") for path in (shop.fleet.folder / "spool").iterdir()),
        "the recorder's log": "\n".join(onlooker.log),
        "command lines": "\n".join(onlooker.words),
    }
    assert "events wait in" in " ".join(spooled.output.split())
    for name in ("the store", "the spool"):
        assert shown[name].count("cannot log in with") == len(HOSTS), shown[name]
        assert "no session for" in shown[name]
    assert password not in spooled.output
    assert {name: shop.planted.found_in(text) for name, text in shown.items() if shop.planted.found_in(text)} == {}
