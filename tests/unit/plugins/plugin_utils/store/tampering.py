# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody who owns the database could do to the audit, on each of the three databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import chained

GUARDS = {
    "tr_audit_update": "tb_audit",
    "tr_audit_delete": "tb_audit",
    "tr_audit_checkpoint_update": "tb_audit_checkpoint",
    "tr_audit_checkpoint_delete": "tb_audit_checkpoint",
}


def drop_guards(store: Store) -> None:
    """As the owner of the tables: take the triggers away."""

    def work(connection: Connection) -> None:
        for name, table in GUARDS.items():
            connection.execute(text(f"DROP TRIGGER {name}" + (f" ON {table}" if store.dialect == "postgresql" else "")))

    store._transactions.write("dropping triggers", work)


def execute(store: Store, *statements: str, **values: Any) -> None:
    """Run statements in one transaction, as somebody at the database's own command line."""

    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement), values)

    store._transactions.write("tampering", work)


def rows(store: Store) -> list[Any]:
    """The audit, oldest first."""
    query = select(tables.audit).order_by(tables.audit.c.position)
    return list(store._transactions.read("reading", lambda connection: connection.execute(query).all()))


def restored(store: Store) -> Callable[[], None]:
    """Remember the audit as it is now; the returned function brings it back (without guards)."""
    kept = {table: [dict(row) for row in _all(store, table)] for table in (tables.audit, tables.audit_head)}

    def restore() -> None:
        def work(connection: Connection) -> None:
            for table, values in kept.items():
                connection.execute(delete(table))
                connection.execute(insert(table), [{key: value for key, value in row.items() if not key.startswith("pk_")} for row in values])

        store._transactions.write("restoring", work)

    return restore


def _all(store: Store, table: Any) -> Any:
    return store._transactions.read("reading", lambda connection: connection.execute(select(table)).mappings().all())


def change_body(store: Store) -> None:
    body = rows(store)[4].body.replace('"actor":"ada"', '"actor":"bob"')
    execute(store, "UPDATE tb_audit SET body = :body WHERE position = 5", body=body)


def change_column(store: Store) -> None:
    execute(store, "UPDATE tb_audit SET actor = 'somebody else' WHERE position = 5")


def change_moment(store: Store) -> None:
    execute(store, "UPDATE tb_audit SET at = (SELECT t.at FROM (SELECT at FROM tb_audit WHERE position = 9) t) WHERE position = 5")


def change_hash(store: Store) -> None:
    execute(store, "UPDATE tb_audit SET hash = previous_hash WHERE position = 5")


def write_anew(store: Store) -> None:
    """Change one row's body and give it the right hash for it, without the rows behind it."""
    row = rows(store)[4]
    body = row.body.replace('"actor":"ada"', '"actor":"bob"')
    execute(
        store,
        "UPDATE tb_audit SET body = :body, actor = 'bob', hash = :hash WHERE position = 5",
        body=body,
        hash=chained(row.previous_hash, body),
    )


def delete_in_the_middle(store: Store) -> None:
    execute(store, "DELETE FROM tb_audit WHERE position IN (5, 6)")


def delete_at_the_start(store: Store) -> None:
    execute(store, "DELETE FROM tb_audit WHERE position < 5")


def delete_the_tail(store: Store) -> None:
    execute(store, "DELETE FROM tb_audit WHERE position > 5")


def delete_all(store: Store) -> None:
    execute(store, "DELETE FROM tb_audit")


def delete_the_head(store: Store) -> None:
    execute(store, "DELETE FROM tb_audit_head")


def move_the_head_back(store: Store) -> None:
    execute(store, "UPDATE tb_audit_head SET position = 5")


def swap_two(store: Store) -> None:
    execute(
        store,
        "UPDATE tb_audit SET position = -1 WHERE position = 5",
        "UPDATE tb_audit SET position = 5 WHERE position = 8",
        "UPDATE tb_audit SET position = 8 WHERE position = -1",
    )


def insert_with_a_gap(store: Store) -> None:
    """Make room behind row 4 and put a well made row in."""
    last = len(rows(store))
    for position in range(last, 4, -1):
        execute(store, "UPDATE tb_audit SET position = position + 1 WHERE position = :position", position=position)
    _add(store, rows(store)[3], 5)


def insert_at_the_end(store: Store) -> None:
    """A well made row that the head knows nothing of."""
    last = rows(store)[-1]
    _add(store, last, last.position + 1)


def _add(store: Store, after: Any, position: int) -> None:
    unique = uuid7()
    body = after.body.replace(after.id, unique).replace(f'"position":{after.position},', f'"position":{position},')
    values = {key: value for key, value in after._mapping.items() if key != "pk_audit"}
    values |= {"id": unique, "position": position, "body": body, "previous_hash": after.hash, "hash": chained(after.hash, body)}
    store._transactions.write("tampering", lambda connection: connection.execute(insert(tables.audit).values(values)))


TAMPERINGS: dict[Callable[[Store], None], tuple[int, str]] = {
    change_body: (5, "changed"),
    change_column: (5, "changed"),
    change_moment: (5, "changed"),
    change_hash: (5, "changed"),
    write_anew: (6, "broken"),
    delete_in_the_middle: (5, "missing"),
    delete_at_the_start: (1, "missing"),
    delete_the_tail: (6, "tail"),
    delete_all: (1, "tail"),
    delete_the_head: (-1, "head"),
    move_the_head_back: (5, "head"),
    swap_two: (5, "reordered"),
    insert_with_a_gap: (5, "inserted"),
    insert_at_the_end: (0, "inserted"),
}
"""What was done, and what must be found: the position (-1: the last row, 0: behind it) and the kind."""
