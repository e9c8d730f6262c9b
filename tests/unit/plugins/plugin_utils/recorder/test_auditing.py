# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook audit gets from the recorder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.queries import answer_query
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import GENESIS, chained
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import format_time
from tests.unit.plugins.plugin_utils.store.builders import Run, empty_store
from tests.unit.plugins.plugin_utils.store.tampering import drop_guards, execute, rows
from tests.unit.plugins.plugin_utils.test_audit_keys import keep, private_pem, public_pem


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    empty_store(tmp_path / "store.db")
    with Store.connect(f"sqlite:///{tmp_path}/store.db") as connected:
        Run(connected).done()
        yield connected


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def key_file(tmp_path: Path, key: Ed25519PrivateKey) -> str:
    return keep(tmp_path / "key.pem", private_pem(key))


def ask(store: Store, audit: str, **request: Any) -> dict[str, Any]:
    usual = {"limit": 20, "keep_days": 30, "check": False, "run": "run-1", "by": "ada@ctl", "key_file": None}
    answer: dict[str, Any] = answer_query(store, {"query": "audit", "audit": audit, **usual, **request})
    return answer


def aged(store: Store, upto: int, days: int = 100) -> None:
    """Write the rows up to a position anew as if they had happened long ago, as a chain of hashes that holds."""
    execute(store, "DROP TRIGGER tr_audit_update")
    last = GENESIS
    for row in rows(store):
        at = row.at - timedelta(days=days) if row.position <= upto else row.at
        body = row.body.replace(format_time(row.at), format_time(at), 1)
        values = {"at": at, "body": body, "previous_hash": last, "hash": (last := chained(last, body))}
        change = update(tables.audit).where(tables.audit.c.position == row.position).values(values)
        store._transactions.write("ageing", lambda connection, change=change: connection.execute(change))
    execute(store, "UPDATE tb_audit_head SET hash = :hash", hash=last)


def test_a_whole_chain_says_where_it_ends_and_how_long_the_walk_took(store: Store) -> None:
    answer = ask(store, "verify")
    assert (answer["ok"], answer["problem"], answer["signatures"]) == (True, None, None)
    assert answer["position"] == answer["rows"] == len(rows(store))
    assert answer["seconds"] >= 0


def test_an_exported_head_is_found_again_when_the_chain_has_grown(store: Store, key_file: str) -> None:
    for key in (None, key_file):
        head = ask(store, "export", key_file=key)["head"]
        Run(store, fraise=uuid7()).done()
        answer = ask(store, "check", head=head, key_file=key)
        assert (answer["ok"], answer["signed"]) == (True, True if key else None)


def test_a_chain_that_was_cut_off_with_its_head_is_told_by_an_exported_head_only(store: Store) -> None:
    head = ask(store, "export")["head"]
    drop_guards(store)
    execute(
        store,
        "DELETE FROM tb_audit WHERE position > 5",
        "UPDATE tb_audit_head SET position = 5, hash = (SELECT hash FROM tb_audit WHERE position = 5)",
    )
    assert ask(store, "verify")["ok"]
    cut = ask(store, "check", head=head)
    assert (cut["ok"], cut["problem"]["kind"], cut["problem"]["position"]) == (False, "tail", 6)
    Run(store, fraise="other").done()
    anew = ask(store, "check", head=head)
    assert (anew["ok"], anew["problem"]["kind"], anew["problem"]["position"]) == (False, "changed", head["position"])


def test_a_head_with_a_false_or_no_signature_is_refused_when_a_key_is_named(store: Store, key_file: str, tmp_path: Path, key: Ed25519PrivateKey) -> None:
    head = ask(store, "export", key_file=key_file)["head"]
    public = keep(tmp_path / "public.pem", public_pem(key), mode=0o644)
    assert ask(store, "check", head=head, key_file=public)["ok"]
    stranger = keep(tmp_path / "stranger.pem", private_pem(Ed25519PrivateKey.generate()))
    cases = {
        "false signature": ({**head, "at": "2026-01-01T00:00:00.000000+00:00"}, public),
        "no signature": ({**head, "signature": None}, public),
        "not in the key file": (head, stranger),
    }
    for words, (wrong, path) in cases.items():
        problem = ask(store, "check", head=wrong, key_file=path)["problem"]
        assert (problem["kind"], words in problem["text"]) == ("signature", True)


@pytest.mark.parametrize("wrong", [None, [], {}, {"kind": "other"}, {"position": -1}, {"position": "5"}, {"hash": "abc"}, {"signature": 5}, {"format": 2}])
def test_a_file_that_is_no_head_is_refused(store: Store, wrong: Any) -> None:
    head = ask(store, "export")["head"]
    with pytest.raises(ValidationError, match="not an exported head"):
        ask(store, "check", head={**head, **wrong} if isinstance(wrong, dict) and wrong else wrong)


def test_a_checkpoint_needs_a_key_and_is_made_once_and_only_of_a_whole_chain(store: Store, key_file: str) -> None:
    with pytest.raises(ConfigurationError, match="no key is named"):
        ask(store, "checkpoint")
    would = ask(store, "checkpoint", key_file=key_file, check=True)
    assert ask(store, "verify")["checkpoints"] == 0
    made = ask(store, "checkpoint", key_file=key_file)
    assert made["checkpoint"]["position"] == would["checkpoint"]["position"] == made["rows"]
    answer = ask(store, "verify", key_file=key_file)
    assert (answer["ok"], answer["checkpoints"], answer["signatures"]) == (True, 1, 1)
    assert rows(store)[-1].event == "audit.checkpoint"
    drop_guards(store)
    execute(store, "UPDATE tb_audit SET actor = 'x' WHERE position = 4")
    assert ask(store, "checkpoint", key_file=key_file)["problem"]["position"] == 4
    assert ask(store, "verify")["checkpoints"] == 1


def test_a_checkpoint_that_somebody_else_put_in_is_found(store: Store, key_file: str, tmp_path: Path, key: Ed25519PrivateKey) -> None:
    ask(store, "checkpoint", key_file=key_file)
    stranger = keep(tmp_path / "stranger.pem", private_pem(Ed25519PrivateKey.generate()), public_pem(key))
    assert ask(store, "checkpoint", key_file=stranger)["ok"]
    assert ask(store, "verify", key_file=stranger)["signatures"] == 2
    problem = ask(store, "verify", key_file=key_file)["problem"]
    assert problem["kind"] == "signature"
    assert "not in the key file" in problem["text"]
    drop_guards(store)
    execute(store, "DELETE FROM tb_audit_checkpoint WHERE pk_audit_checkpoint = 2", "UPDATE tb_audit_checkpoint SET made_by = 'bob'")
    problem = ask(store, "verify", key_file=key_file)["problem"]
    assert (problem["kind"], "does not bear the signature" in problem["text"]) == ("signature", True)


def test_pruning_forgets_old_rows_behind_a_checkpoint_and_the_chain_stays_whole(store: Store, key_file: str) -> None:
    head = ask(store, "export")["head"]
    aged(store, 6)
    young = ask(store, "export")["head"]
    would = ask(store, "prune", key_file=key_file, check=True)
    assert (would["would"], would["removed"], len(rows(store))) == (6, 0, would["rows"])
    done = ask(store, "prune", key_file=key_file)
    assert (done["ok"], done["removed"], done["checkpoint"]["position"], done["first"]) == (True, 6, 6, 7)
    assert [row.event for row in rows(store)][-2:] == ["audit.checkpoint", "audit.pruned"]
    assert ask(store, "verify", key_file=key_file)["signatures"] == 1
    assert ask(store, "check", head=young)["ok"]
    assert ask(store, "check", head=head)["problem"]["kind"] == "changed"
    forgotten = ask(store, "check", head={**head, "position": 3})["problem"]
    assert forgotten["kind"] == "forgotten"
    again = ask(store, "prune", key_file=key_file)
    assert (again["ok"], again["removed"]) == (True, 0)


def test_what_is_taken_away_beyond_a_checkpoint_is_found_after_pruning_too(store: Store, key_file: str) -> None:
    aged(store, 6)
    ask(store, "prune", key_file=key_file)
    execute(store, "DROP TRIGGER tr_audit_delete")
    execute(store, "DELETE FROM tb_audit WHERE position = 7")
    problem = ask(store, "verify", key_file=key_file)["problem"]
    assert (problem["position"], problem["kind"]) == (7, "missing")


def test_a_prune_that_was_cut_off_leaves_a_chain_in_order(store: Store, key_file: str) -> None:
    ask(store, "checkpoint", key_file=key_file)
    # The guards let rows go that a checkpoint covers.
    execute(store, "DELETE FROM tb_audit WHERE position <= 4")
    answer = ask(store, "verify", key_file=key_file)
    assert (answer["ok"], answer["first"]) == (True, 5)
    execute(store, "DELETE FROM tb_audit WHERE position = 6")
    assert ask(store, "verify", key_file=key_file)["problem"]["position"] == 6


def test_all_rows_may_go_and_the_chain_goes_on(store: Store, key_file: str) -> None:
    made = ask(store, "checkpoint", key_file=key_file)
    execute(store, "DELETE FROM tb_audit WHERE position <= :position", position=made["position"])
    assert ask(store, "verify", key_file=key_file)["rows"] == 1
    Run(store, fraise="other").done()
    assert ask(store, "verify", key_file=key_file)["first"] == made["position"] + 1


def test_rows_are_listed_by_type_and_an_unknown_type_is_refused(store: Store) -> None:
    assert {row["event"] for row in ask(store, "list", type="lock")["rows"]} == {"lock.taken", "lock.released"}
    with pytest.raises(ValidationError, match="not a type of the audit"):
        ask(store, "list", type="locks")


def test_a_broken_chain_has_no_head_to_export(store: Store) -> None:
    drop_guards(store)
    execute(store, "UPDATE tb_audit SET body = '' WHERE position = 4")
    answer = ask(store, "export")
    assert (answer["ok"], answer["head"], answer["problem"]["position"]) == (False, None, 4)


def test_limits_that_would_forget_too_much_are_refused(store: Store, key_file: str) -> None:
    with pytest.raises(ValidationError, match="keep_days: 0"):
        ask(store, "prune", keep_days=0, key_file=key_file)
