# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of backups: written in a private folder, synced, renamed; beside each one its description with the digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, DatabaseError, FraisierError, NotFoundError, ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import fsync_folder, write_atomically

CHUNK = 1 << 20
MAGIC = {"sqlite": (b"SQLite format 3\x00",), "postgresql": (b"PGDMP",), "mysql": (b"-- MariaDB dump", b"-- MySQL dump", b"/*M!999999\\- enable the sandbox")}
KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MySQL or MariaDB"}


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a backup or a database holds: the schema's revision, and how many rows each table has."""

    revision: str | None
    rows: dict[str, int]


def description_path(path: Path) -> Path:
    """Where the description of the backup ``path`` lies."""
    return path.with_name(f"{path.name}.json")


def require_target(path: Path, *, replace: bool, make: bool) -> None:
    """Refuse a place where no backup can be put. With ``make`` the folder is one of our own, which is made when it is missing."""
    if not path.is_absolute() or path.name in ("", ".."):
        raise ValidationError(f"path: {path} is not the path of a file", hint="Write -e path=/var/backups/fraisier/store.backup, for example")
    if make and not path.parent.exists():
        return
    if not path.parent.is_dir():
        raise ValidationError(f"path: there is no folder {path.parent}", hint="Make it, readable by this user only, or name another")
    if path.exists() and not path.is_file():
        raise ValidationError(f"path: {path} is not a file", hint="Name a file that is not there yet")
    if path.exists() and not replace:
        raise ValidationError(f"path: {path} is there already", hint="Name another file, or put this one in its place with -e replace=true")
    if not os.access(path.parent, os.W_OK):
        raise ConfigurationError(f"path: this user may not write in {path.parent}", hint="Name another folder, or let this user write there")


def require_source(path: Path) -> None:
    """Refuse what cannot be read as a backup."""
    if not path.is_file():
        raise NotFoundError(f"path: there is no backup {path}", hint="Name the file that store=backup reported: -e path=/var/backups/fraisier/store.backup")
    if not os.access(path, os.R_OK):
        raise ConfigurationError(f"path: this user may not read {path}", hint="Run it as the user who made the backup")


def require_kind(path: Path, dialect: str) -> None:
    """Refuse a file that is no backup, or one of another kind of database."""
    with path.open("rb") as stream:
        start = stream.read(64)
    found = next((kind for kind, magics in MAGIC.items() if start.startswith(magics)), None)
    if found is None:
        raise foreign(path, "it is no backup of a database")
    if found != dialect:
        hint = f"Restore it into a {KINDS[found]} database: a backup goes back only to the kind of database it came from"
        raise ValidationError(f"path: {path} is a backup of {KINDS[found]}, the store is {KINDS[dialect]}", hint=hint)


def foreign(path: Path, why: str) -> FraisierError:
    """The file is not a backup of a store."""
    return ValidationError(f"path: {path} is not a backup of a store: {why}", hint="Name a file that store=backup made", context={"path": str(path)})


def damaged(path: Path, why: str) -> FraisierError:
    """The file was a backup of a store once."""
    return DatabaseError(f"The backup {path} is damaged: {why}", hint="Take an older backup; nothing was changed", context={"path": str(path)})


def digest_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def publish(made: Path, path: Path, description: Mapping[str, Any]) -> None:
    """Put the finished file ``made`` (same disk) in its place, durably: 0600, then its description. An older description never stays beside a newer file."""
    made.chmod(0o600)
    descriptor = os.open(made, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    description_path(path).unlink(missing_ok=True)
    made.rename(path)
    fsync_folder(str(path.parent))
    write_atomically(str(description_path(path)), json.dumps(description, indent=1, sort_keys=True).encode() + b"\n")


def described(path: Path) -> dict[str, Any]:
    """The description beside a backup; empty without one. DatabaseError when the file is not the one that was described."""
    try:
        found = json.loads(description_path(path).read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        raise damaged(path, f"its description {description_path(path)} cannot be read: {type(error).__name__}") from None
    if not isinstance(found, dict) or not isinstance(found.get("sha256"), str):
        raise damaged(path, f"its description {description_path(path)} names no digest")
    actual = digest_of(path)
    if actual != found["sha256"]:
        raise damaged(path, f"its SHA-256 is {actual[:12]}..., not {found['sha256'][:12]}... as {description_path(path).name} says")
    return found


def compare(wanted: Mapping[str, int], found: Mapping[str, int]) -> str:
    """What differs between two counts of rows, in words; empty when nothing does."""
    names = sorted({*wanted, *found})
    return ", ".join(f"{name}: {wanted.get(name)} rows became {found.get(name)}" for name in names if wanted.get(name) != found.get(name))
