# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key that signs the audit's checkpoints and heads (Ed25519), from a PEM file. ``cryptography`` is loaded when a key is."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError

LARGEST_FILE = 1024 * 1024
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?-----END \1-----", re.DOTALL)
MAKE_ONE = "Make one: (umask 077; openssl genpkey -algorithm ed25519 -out audit-key.pem)"


class AuditKeys:
    """The keys of one file: the first private one signs, all of them tell a true signature."""

    def __init__(self, path: str, private: Any | None, public: dict[str, Any]) -> None:
        self._path, self._private, self._public = path, private, public
        self.key_id: str | None = key_id(private.public_key()) if private is not None else None

    @classmethod
    def load(cls, path: str) -> AuditKeys:
        """The keys in the PEM file at ``path``; ConfigurationError naming the file, never what is in it."""
        private, public = None, {}
        for block in _BLOCK.finditer(_read(path)):
            key = _parse(path, block.group(1), block.group(0))
            if hasattr(key, "public_key"):
                private = private or key
                key = key.public_key()
            public[key_id(key)] = key
        if not public:
            raise ConfigurationError(f"audit_key_file: {path} holds no key in PEM form", hint=MAKE_ONE, context={"option": "audit_key_file", "value": path})
        if private is not None:
            _require_private(path)
        return cls(path, private, public)

    def sign(self, payload: bytes) -> str:
        """The signature as base64."""
        self.require_private()
        return base64.b64encode(self._private.sign(payload)).decode("ascii")  # type: ignore[union-attr]

    def require_private(self) -> None:
        """ConfigurationError when these keys can only tell signatures."""
        if self._private is None:
            raise ConfigurationError(
                f"audit_key_file: {self._path} holds public keys only, which cannot sign",
                hint="Name the file of the private key",
                context={"option": "audit_key_file", "value": self._path},
            )

    def holds(self, key_id: str, payload: bytes, signature: str) -> bool | None:
        """Whether the signature of ``payload`` is that key's; nothing when the key is not in the file."""
        from cryptography.exceptions import InvalidSignature

        key = self._public.get(key_id)
        if key is None:
            return None
        try:
            key.verify(base64.b64decode(signature, validate=True), payload)
        except (InvalidSignature, ValueError):
            return False
        return True


def key_id(public: Any) -> str:
    """A public key's name: ed25519 and the first half of its SHA-256."""
    return f"ed25519:{hashlib.sha256(public.public_bytes_raw()).hexdigest()[:32]}"


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST_FILE)
    except OSError as error:
        message = f"audit_key_file: {path} cannot be read: {error.strerror}"
        raise ConfigurationError(message, hint=MAKE_ONE, context={"option": "audit_key_file", "value": path}, cause=error) from error


def _parse(path: str, label: bytes, block: bytes) -> Any:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise ConfigurationError("The Python package cryptography is not installed", hint="pip install cryptography", cause=error) from error
    try:
        if label == b"OPENSSH PRIVATE KEY":
            key: Any = serialization.load_ssh_private_key(block, password=None)
        elif label.endswith(b"PRIVATE KEY"):
            key = serialization.load_pem_private_key(block, password=None)
        else:
            key = serialization.load_pem_public_key(block)
    except TypeError:
        raise _refused(path, "a key with a passphrase, which nobody would be there to type", "Protect the file by its permissions instead") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _refused(path, "something that is no key", MAKE_ONE) from None
    if not isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        raise _refused(path, "a key of another kind than Ed25519", MAKE_ONE)
    return key


def _refused(path: str, what: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"audit_key_file: {path} holds {what}", hint=hint, context={"option": "audit_key_file", "value": path})


def _require_private(path: str) -> None:
    """As ssh does: a private key that others can read is none."""
    mode = Path(path).stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigurationError(
            f"audit_key_file: others can read {path} (its mode is {mode:04o})", hint=f"chmod 600 {path}", context={"option": "audit_key_file", "value": path}
        )
