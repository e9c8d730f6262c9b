# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom in this house. The rules are those of docs/architecture.md; any other arrow fails here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.fraisier.deploy."
OLDEST_HOST_PYTHON = (3, 8)
ON_HOSTS = ("plugins.modules", "plugins.module_utils")
ON_CONTROLLER = ("plugins.action", "plugins.callback", "plugins.lookup", "plugins.filter", "plugins.test", "monitoring", "extensions")
# room -> the rooms it may import, besides itself
ARROWS = {
    "plugins.modules": ["plugins.module_utils"],
    "plugins.module_utils": [],
    "plugins.plugin_utils": ["plugins.module_utils"],
    "plugins.doc_fragments": [],
    "migrations": ["plugins.plugin_utils"],
    **{room: ["plugins.plugin_utils", "plugins.module_utils"] for room in ON_CONTROLLER},
}
PURE = ("plugins.plugin_utils.planning", "plugins.plugin_utils.analysis")
IMPURE = {"os", "socket", "subprocess", "time", "pathlib", "shutil", "tempfile", "threading", "asyncio", "urllib", "http", "random", "ansible"}
SQL = {"sqlalchemy", "alembic", "psycopg", "pymysql", "sqlite3"}
KNOWS_SQL = ("plugins.plugin_utils.store", "migrations")


@dataclass(frozen=True)
class Source:
    """A file of ours: its dotted name below the collection, and every name that it imports with the line."""

    name: str
    path: Path
    imports: tuple[tuple[int, str], ...]

    def own_imports(self) -> list[tuple[int, str]]:
        """Imports from the collection, as names below it."""
        return [(line, name.removeprefix(COLLECTION)) for line, name in self.imports if name.startswith(COLLECTION)]

    def packages(self) -> list[tuple[int, str]]:
        """The top-level packages from elsewhere."""
        return [(line, name.split(".")[0]) for line, name in self.imports if not name.startswith(COLLECTION)]


def in_room(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def room_of(name: str) -> str:
    return next((room for room in ARROWS if in_room(name, room)), "")


def imported_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every import in the file, wherever it stands; those for type checkers only do not count."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        else:
            yield from imported_names(node)


def read_house(root: Path) -> dict[str, Source]:
    """All sources under ``root`` by name."""
    house = {}
    for top in ("plugins", "monitoring", "extensions", "migrations"):
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            house[name] = Source(name, path, tuple(imported_names(ast.parse(path.read_text(encoding="utf-8")))))
    return house


def target_of(name: str, house: dict[str, Source]) -> str | None:
    """The source that ``from x import y`` reaches: y when that is a file, else x."""
    return name if name in house else (name.rpartition(".")[0] if name.rpartition(".")[0] in house else None)


def wrong_arrows(house: dict[str, Source]) -> list[str]:
    found = []
    for source in house.values():
        room = room_of(source.name)
        for line, name in source.own_imports():
            if not any(in_room(name, allowed) for allowed in [room, *ARROWS.get(room, [])]):
                found.append(f"{source.name}:{line} imports {name}")
    return found


def relative_imports(house: dict[str, Source]) -> list[str]:
    return [f"{source.name}:{line} imports {name}" for source in house.values() for line, name in source.imports if name.startswith(".")]


def foreign_packages(house: dict[str, Source], rooms: Iterable[str], forbidden: set[str]) -> list[str]:
    """Imports of ``forbidden`` packages in some rooms."""
    there = [source for source in house.values() if any(in_room(source.name, room) for room in rooms)]
    return [f"{source.name}:{line} imports {name}" for source in there for line, name in source.packages() if name in forbidden]


def needs_of_hosts(house: dict[str, Source]) -> list[str]:
    """Imports on the hosts' side of anything but Python's own library; a module may also import ansible.module_utils."""
    found = []
    for source in house.values():
        if any(in_room(source.name, room) for room in ON_HOSTS):
            for line, name in source.imports:
                from_ansible = in_room(source.name, "plugins.modules") and name.startswith("ansible.module_utils.")
                ours = name.startswith(COLLECTION)
                if not (from_ansible or ours or name.split(".")[0] in sys.stdlib_module_names):
                    found.append(f"{source.name}:{line} imports {name}")
    return found


def reached_from(rooms: Iterable[str], house: dict[str, Source]) -> dict[str, Source]:
    """The sources of some rooms and everything of ours that they import, directly or not."""
    waiting = [name for name in house if any(in_room(name, room) for room in rooms)]
    reached: dict[str, Source] = {}
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = house[name]
            waiting += [target for _, imported in house[name].own_imports() if (target := target_of(imported, house))]
    return reached


def circles(house: dict[str, Source]) -> list[list[str]]:
    """Chains of imports that come back to where they began."""
    graph = {name: {target_of(imported, house) for _, imported in source.own_imports()} - {None, name} for name, source in house.items()}
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        elif name not in done:
            for target in sorted(graph[name]):
                walk(target, [*trail, name])
            done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


HOUSE = read_house(CHECKOUT)


def test_the_house_is_not_empty() -> None:
    assert {"plugins.module_utils.errors", "plugins.plugin_utils.store"} <= set(HOUSE)


def test_imports_follow_the_arrows() -> None:
    assert wrong_arrows(HOUSE) == []


def test_imports_inside_the_collection_are_absolute() -> None:
    assert relative_imports(HOUSE) == []


def test_what_runs_on_hosts_needs_nothing_but_python() -> None:
    assert needs_of_hosts(HOUSE) == []


def test_the_store_knows_nothing_of_ansible() -> None:
    assert foreign_packages(HOUSE, ["plugins.plugin_utils.store", "migrations"], {"ansible"}) == []


def test_only_the_store_knows_sql() -> None:
    elsewhere = {name: source for name, source in HOUSE.items() if not any(in_room(name, room) for room in KNOWS_SQL)}
    assert foreign_packages(elsewhere, ["plugins", "monitoring", "extensions"], SQL) == []


def test_planning_and_analysis_are_pure() -> None:
    reached = {name: source for name, source in reached_from(PURE, HOUSE).items() if in_room(name, "plugins.plugin_utils")}
    assert foreign_packages(reached, ["plugins"], IMPURE | SQL) == []


def test_there_are_no_circles() -> None:
    assert circles(HOUSE) == []


def test_what_runs_on_hosts_parses_with_their_oldest_python() -> None:
    for source in HOUSE.values():
        if any(in_room(source.name, room) for room in ON_HOSTS):
            ast.parse(source.path.read_text(encoding="utf-8"), filename=str(source.path), feature_version=OLDEST_HOST_PYTHON)


@pytest.mark.parametrize(
    ("path", "text", "check"),
    [
        ("plugins/modules/a.py", f"from {COLLECTION}plugins.plugin_utils.x import y", wrong_arrows),
        ("plugins/module_utils/a.py", f"import {COLLECTION}plugins.modules.b", wrong_arrows),
        ("plugins/plugin_utils/a.py", f"def late():\n    from {COLLECTION}plugins.action.x import y", wrong_arrows),
        ("plugins/plugin_utils/a.py", "from . import x", relative_imports),
        ("plugins/module_utils/a.py", "import yaml", needs_of_hosts),
        ("plugins/module_utils/a.py", "from ansible.module_utils.basic import AnsibleModule", needs_of_hosts),
        ("plugins/plugin_utils/store/a.py", f"from {COLLECTION}plugins.plugin_utils.store import Store", circles),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, path: str, text: str, check: object) -> None:
    for name in (path, "plugins/plugin_utils/store/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"import {COLLECTION}plugins.plugin_utils.store.a\n" if name != path else text, encoding="utf-8")
    assert callable(check)
    assert check(read_house(tmp_path))


def test_imports_for_type_checkers_are_no_arrows() -> None:
    assert list(imported_names(ast.parse("if TYPE_CHECKING:\n    import sqlalchemy\nimport os"))) == [(3, "os")]
