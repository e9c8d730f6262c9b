# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys from files: what signs, what only tells, and what is refused without showing any of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.audit_keys import AuditKeys

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


def private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(PEM, PKCS8, PLAIN)


def public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def keep(path: Path, *blocks: bytes, mode: int = 0o600) -> str:
    path.touch(mode=0o600)
    path.write_bytes(b"".join(blocks))
    path.chmod(mode)
    return str(path)


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def test_a_signature_is_true_for_what_was_signed_by_that_key_only(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    keys = AuditKeys.load(keep(tmp_path / "key.pem", private_pem(key)))
    assert keys.key_id is not None
    assert keys.key_id.startswith("ed25519:")
    signature = keys.sign(b"this")
    assert keys.holds(keys.key_id, b"this", signature) is True
    assert keys.holds(keys.key_id, b"that", signature) is False
    assert keys.holds(keys.key_id, b"this", "no base64!") is False
    assert keys.holds("ed25519:0", b"this", signature) is None


def test_a_public_key_tells_signatures_and_cannot_sign(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    signing = AuditKeys.load(keep(tmp_path / "key.pem", private_pem(key)))
    telling = AuditKeys.load(keep(tmp_path / "public.pem", public_pem(key), mode=0o644))
    assert telling.key_id is None
    assert telling.holds(str(signing.key_id), b"this", signing.sign(b"this")) is True
    with pytest.raises(ConfigurationError, match="cannot sign"):
        telling.require_private()


def test_a_file_may_hold_the_new_key_and_the_old_ones(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    old = Ed25519PrivateKey.generate()
    before = AuditKeys.load(keep(tmp_path / "old.pem", private_pem(old)))
    both = AuditKeys.load(keep(tmp_path / "both.pem", private_pem(key), public_pem(old)))
    assert both.key_id != before.key_id
    assert both.holds(str(before.key_id), b"this", before.sign(b"this")) is True


def test_a_key_of_ssh_keygen_works(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    block = key.private_bytes(PEM, serialization.PrivateFormat.OpenSSH, PLAIN)
    assert AuditKeys.load(keep(tmp_path / "id_ed25519", block)).key_id == AuditKeys.load(keep(tmp_path / "key.pem", private_pem(key))).key_id


def test_what_is_no_key_to_work_with_is_refused_and_not_shown(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    secret = private_pem(key).splitlines()[1].decode()
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, PLAIN)
    locked = key.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"passphrase"))
    damaged = private_pem(key).replace(b"M", b"!", 3)
    refused = {
        "cannot be read": str(tmp_path / "nothing.pem"),
        "holds no key": keep(tmp_path / "empty.pem", b"hello"),
        "others can read": keep(tmp_path / "open.pem", private_pem(key), mode=0o640),
        "of another kind": keep(tmp_path / "ec.pem", other),
        "a passphrase": keep(tmp_path / "locked.pem", locked),
        "something that is no key": keep(tmp_path / "damaged.pem", damaged),
    }
    for words, path in refused.items():
        with pytest.raises(ConfigurationError, match=words) as caught:
            AuditKeys.load(path)
        assert path in str(caught.value)
        assert secret not in f"{caught.value!r}{caught.value.to_dict()}"


def test_no_run_pays_for_signatures_that_makes_none() -> None:
    modules = ("audit_keys", "recorder.queries", "store.store")
    lines = [f"import ansible_collections.fraisier.deploy.plugins.plugin_utils.{name}" for name in modules]
    code = "; ".join([*lines, "import sys", "print('cryptography' in sys.modules)"])
    tree = next(path for path in sys.path if Path(path, "ansible_collections", "fraisier", "deploy").is_dir())
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": tree}, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
