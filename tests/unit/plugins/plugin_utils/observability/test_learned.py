# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability import learned
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.learned import learn, redactor


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "_values", set())
    monkeypatch.setattr(learned, "_redactors", {})


def test_what_was_learnt_is_hidden_from_then_on() -> None:
    assert redactor().text("the first one") == "the first one"
    learn({"the first"})
    assert redactor().text("the first one") == "<redacted> one"
    assert redactor({"four"}).text("the first four") == "<redacted> <redacted>"
    assert redactor() is redactor({"the first"}), "nothing new: the same redactor serves"


def test_a_forked_worker_knows_what_its_parent_learnt() -> None:
    learn({"of the parent"})
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, redactor().text("a word of the parent").encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"a word <redacted>"
    os.close(reader)
    os.close(writer)
