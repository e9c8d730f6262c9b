# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module health_check, run as Ansible runs it."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ansible_collections.fraisier.deploy.plugins.doc_fragments import health as health_fragment
from ansible_collections.fraisier.deploy.plugins.doc_fragments import service as service_fragment
from ansible_collections.fraisier.deploy.plugins.module_utils.health import HEALTH_OPTIONS
from ansible_collections.fraisier.deploy.plugins.module_utils.services import SERVICE_OPTIONS

# Without it the checkout's own ansible.cfg would bring its callbacks along.
EMPTY_CONFIGURATION = Path(tempfile.mkdtemp()) / "ansible.cfg"


@pytest.fixture(scope="module", autouse=True)
def _empty_configuration() -> Iterator[None]:
    # A worker may come back to this file after it had left it.
    EMPTY_CONFIGURATION.parent.mkdir(exist_ok=True)
    EMPTY_CONFIGURATION.touch()
    yield
    shutil.rmtree(EMPTY_CONFIGURATION.parent)


def run(arguments: dict, *words: str) -> tuple[int, dict, str]:
    """(return code, result, all output) of the module run on this machine by ``ansible``."""
    argv = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "fraisier.deploy.health_check", "-a", json.dumps(arguments), *words]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(EMPTY_CONFIGURATION),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        "ANSIBLE_FORCE_COLOR": "false",
    }
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment)
    if "=> {" not in done.stdout:
        pytest.fail(f"ansible gave no result: {done.stdout}{done.stderr}")
    answer = done.stdout[done.stdout.index("=> {") + 3 :]
    return done.returncode, json.JSONDecoder().raw_decode(answer)[0], done.stdout + done.stderr


@pytest.fixture
def url() -> Iterator[str]:
    """URL of a page that tells version 1.4.2."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"version": "1.4.2"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/health"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("words", [[], ["--check"]], ids=["run", "check mode"])
def test_a_healthy_service_is_told_and_nothing_changes(url, words):
    rc, result, _ = run({"health": [{"http": {"url": url, "version_path": "version"}}], "version": "1.4.2", "min_healthy": 0.2, "interval": 0.1}, *words)
    assert rc == 0
    assert result["changed"] is False
    assert result["duration"] >= 0.2
    check = result["health"]["checks"][0]
    assert (result["health"]["status"], check["type"], check["target"], check["ok"], check["message"]) == ("healthy", "http", url, True, "200 OK")


def test_an_unhealthy_service_fails_with_the_error_and_all_checks(url):
    checks = [{"http": {"url": url}}, {"exec": {"command": ["sh", "-c", "echo the queue is stuck; exit 1"]}}]
    rc, result, _ = run({"health": checks, "min_healthy": 0, "interval": 0.1, "timeout": 0.6})
    assert rc != 0
    assert result["error"]["code"] == "HEALTH_CHECK_FAILED"
    assert result["msg"].startswith("not healthy within 0.6 s: exec sh -c")
    assert [row["ok"] for row in result["health"]["checks"]] == [True, False]
    assert result["changed"] is False


def test_wrong_options_fail_before_anything_is_asked():
    started = time.monotonic()
    rc, result, _ = run({"health": [{"quorum": {"count": 2, "of": [{"tcp": {"port": 1}}]}}]})
    assert rc != 0
    assert result["error"]["code"] == "VALIDATION_ERROR"
    assert "health[0].quorum.count: 2 is not between 1 and the 1 members" in result["msg"]
    assert "health" not in result
    assert time.monotonic() - started < 15


def test_headers_are_shown_nowhere_not_even_those_in_composites(url):
    checks = [{"http": {"url": url, "headers": {"X-Token": "first-s3cret"}}}, {"any": [{"http": {"url": url, "headers": {"X-Token": "nested-s3cret"}}}]}]
    rc, _result, output = run({"health": checks, "min_healthy": 0}, "-vvv")
    assert rc == 0
    assert "first-s3cret" not in output and "nested-s3cret" not in output


def test_nothing_to_check_is_healthy_with_a_warning():
    rc, result, output = run({"min_healthy": 0})
    assert (rc, result["health"]["message"]) == (0, "no checks")
    assert "there is nothing to check" in output


def test_a_process_is_watched_by_its_pid_file(tmp_path):
    rc, result, _ = run({"service": {"manager": "process"}, "path": str(tmp_path), "min_healthy": 0, "timeout": 0.3})
    assert rc != 0
    assert result["health"]["checks"][0]["type"] == "process"
    rc, result, _ = run({"service": {"manager": "process"}, "min_healthy": 0})
    assert result["error"]["code"] == "VALIDATION_ERROR" and result["msg"].startswith("path is missing")


def documented(options: dict) -> dict:
    """The documentation's options in the form of an argument_spec."""
    kept = {}
    for name, option in options.items():
        kept[name] = {key: option[key] for key in ("type", "elements", "required", "default", "choices") if key in option}
        if "suboptions" in option:
            kept[name]["options"] = documented(option["suboptions"])
    return kept


def specified(options: dict) -> dict:
    """An argument_spec without what documentation does not tell."""
    kept = {}
    for name, option in options.items():
        kept[name] = {key: value for key, value in option.items() if key not in ("no_log", "options")}
        if "options" in option:
            kept[name]["options"] = specified(option["options"])
    return kept


def test_the_shared_documentation_says_what_the_options_are():
    health = yaml.safe_load(health_fragment.ModuleDocFragment.DOCUMENTATION)["options"]["health"]
    assert documented(health["suboptions"]) == specified(HEALTH_OPTIONS)
    service = yaml.safe_load(service_fragment.ModuleDocFragment.DOCUMENTATION)["options"]["service"]
    assert documented(service["suboptions"]) == specified(SERVICE_OPTIONS)
