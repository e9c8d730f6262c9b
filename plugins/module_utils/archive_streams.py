# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read archives as streams that cannot grow without bound: what kind a file is, how much may come out of it."""

from __future__ import annotations

import io
import os

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
LONGEST_READ = 4 * MEBIBYTE
MAGIC = ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz"), (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"))
ZSTANDARD = b"\x28\xb5\x2f\xfd"


class Limits:
    """How much an archive may hold: ``entries``, ``size`` in bytes unpacked, and ``ratio`` of unpacked to packed size beyond ``ratio_from`` bytes."""

    __slots__ = ("entries", "ratio", "ratio_from", "size")

    def __init__(self, entries=200000, size=4 * GIBIBYTE, ratio=250, ratio_from=64 * MEBIBYTE):
        self.entries = entries
        self.size = size
        self.ratio = ratio
        self.ratio_from = ratio_from

    def check_size(self, name, unpacked, packed):
        """Raise ValidationError when ``unpacked`` bytes out of ``packed`` are too many for the archive ``name``."""
        if unpacked > self.size:
            raise ValidationError(
                "Archive {0} refused: it unpacks to more than {1} bytes".format(name, self.size),
                hint="If it is yours, raise source.archive.max_size.",
                context={"archive": name, "max_size": self.size},
            )
        if unpacked > self.ratio_from and unpacked > self.ratio * max(packed, 1):
            raise ValidationError(
                "Archive {0} refused: {1} bytes unpack to more than {2}, as a decompression bomb does".format(name, packed, unpacked),
                hint="If it is yours, pack it without compression.",
                context={"archive": name, "packed": packed, "unpacked": unpacked},
            )


def damaged(name, reason):
    """The error for an archive that cannot be read to its end."""
    return ValidationError(
        "Archive {0} is damaged: {1}".format(name, reason),
        hint="Build or upload it again; with source.archive.sha256 a broken transfer is told from a broken archive.",
        context={"archive": name},
    )


def archive_kind(path, name):
    """``tar``, ``gz``, ``bz2``, ``xz`` (tar within) or ``zip``, by the content of the file ``path``; ValidationError for anything else."""
    with open(path, "rb") as stream:
        head = stream.read(512)
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    if len(head) == 512 and (head[257:262] == b"ustar" or _is_old_tar(head)):
        return "tar"
    shown = "it is empty" if not head else "it begins with {0!r}".format(head[:16])
    if head.startswith(ZSTANDARD):
        shown = "zstandard is not supported"
    raise ValidationError(
        "{0} is not an archive that can be unpacked here: {1}".format(name, shown),
        hint="Give a .tar, .tar.gz, .tar.bz2, .tar.xz or .zip file; a web page in its place means that the URL wants a login.",
        context={"archive": name},
    )


def _is_old_tar(head):
    """A tar from before ustar has no mark: its checksum (octal at 148) must be the sum of the block with blanks there."""
    try:
        stated = int(head[148:156].strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    return stated == sum(head[:148]) + 8 * 0x20 + sum(head[156:])


class Reader(io.RawIOBase):
    """The tar within the file ``path``, decompressed; refuses to give more than the limits of ``tree`` or absurdly much at once."""

    def __init__(self, path, kind, tree):
        super().__init__()
        self.tree = tree
        self.packed = os.path.getsize(path)
        self.stream = _decompressed(path, kind)
        self.bounded = kind != "tar"

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.stream.tell()

    def seek(self, offset, whence=io.SEEK_SET):
        """Move; forward in a compressed stream means decompressing, so it goes in steps that the limits see."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only absolute positions")
        if not self.bounded or offset <= self.stream.tell():
            return self.stream.seek(offset)
        while self.stream.tell() < offset:
            if not self.read(min(MEBIBYTE, offset - self.stream.tell())):
                break
        return self.stream.tell()

    def read(self, size=-1):
        if size is None or size < 0 or size > LONGEST_READ:
            # A header that claims megabytes of names: tarfile would hold all of it in memory.
            raise damaged(self.tree.name, "a header asks for {0} bytes at once".format(size))
        data = self.stream.read(size)
        if self.bounded:
            self.tree.limits.check_size(self.tree.name, self.stream.tell(), self.packed)
        return data

    def drain(self):
        """Read to the end, so that a checksum at the end of a compressed stream is checked."""
        while self.read(MEBIBYTE):
            pass

    def close(self):
        if not self.closed:
            self.stream.close()
        super().close()


def _decompressed(path, kind):
    if kind == "gz":
        import gzip

        return gzip.open(path, "rb")
    if kind == "bz2":
        import bz2

        return bz2.open(path, "rb")
    if kind == "xz":
        import lzma

        return lzma.open(path, "rb")
    return open(path, "rb")
