# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpack archives (tar, tar.gz, tar.bz2, tar.xz, zip) that strangers may have made: nothing is ever written outside the folder."""

from __future__ import annotations

import os

from ansible_collections.fraisier.deploy.plugins.module_utils.archive_streams import Limits, Reader, archive_kind, damaged
from ansible_collections.fraisier.deploy.plugins.module_utils.unpacked_tree import UnpackedTree

__all__ = ["Limits", "unpack"]


def unpack(archive, folder, *, strip_components=0, limits=None, name=None):
    """Unpack the file ``archive`` into ``folder`` (new and empty) and return the number of entries.

    ``strip_components``: leading folders to drop from every name. ``limits``: a Limits. ``name``: how messages call the archive.
    Raises ValidationError, naming the archive and the entry, for anything that is not a plain tree of files, folders and links within it;
    ``folder`` may then hold a part, which the caller removes. OSError comes through as it is (a full disk).
    """
    import lzma
    import tarfile
    import zipfile
    import zlib

    name = name or os.path.basename(archive)
    limits = limits or Limits()
    kind = archive_kind(archive, name)
    tree = UnpackedTree(folder, name, strip_components, limits, os.path.getsize(archive))
    try:
        if kind == "zip":
            _unpack_zip(archive, tree)
        else:
            _unpack_tar(archive, kind, tree)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise damaged(name, str(error) or type(error).__name__) from error
    except (RuntimeError, UnicodeError, ValueError, OverflowError) as error:
        raise damaged(name, str(error)) from error
    except OSError as error:
        # Decompressors report damage as an OSError without a number; a disk gives one.
        if error.errno is None:
            raise damaged(name, str(error)) from error
        raise
    tree.finish()
    return tree.entries


def _unpack_tar(archive, kind, tree):
    import tarfile

    with Reader(archive, kind, tree) as stream:
        with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
            member = tar.next()
            while member is not None:
                _add_member(tar, member, tree)
                tar.members = []  # tarfile keeps every member in memory otherwise
                member = tar.next()
            end = tar.offset
        stream.seek(end)
        # tarfile takes a damaged header in the middle for the end: a real end is a block of zeros.
        if stream.read(512).strip(b"\0") or stream.tell() - end not in (0, 512):
            raise damaged(tree.name, "it breaks off or is overwritten after {0} entries".format(tree.entries))
        stream.drain()


def _add_member(tar, member, tree):
    if member.size < 0:
        raise tree.refuse(member.name, "has a negative size")
    if member.isdir():
        tree.add_folder(member.name, member.mode)
    elif member.isreg():
        source = tar.extractfile(member)
        tree.add_file(member.name, member.mode, member.size, source, member.mtime)
    elif member.issym():
        tree.add_link(member.name, member.linkname)
    elif member.islnk():
        tree.add_hard_link(member.name, member.linkname)
    else:
        kinds = {b"3": "a character device", b"4": "a block device", b"6": "a pipe"}
        raise tree.refuse(member.name, "is {0}".format(kinds.get(member.type, "of the unknown type {0!r}".format(member.type))))


def _unpack_zip(archive, tree):
    import stat
    import zipfile

    with zipfile.ZipFile(archive) as bundle:
        for info in bundle.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
            mode = stat.S_IMODE(info.external_attr >> 16) if info.create_system == 3 else 0
            name = info.orig_filename
            if "\\" in name:
                raise tree.refuse(name, "has a backslash in its name, which a zip must not have")
            if info.flag_bits & 0x1:
                raise tree.refuse(name, "is encrypted")
            if name.endswith("/") or kind == stat.S_IFDIR:
                tree.add_folder(name, mode or 0o755)
            elif kind == stat.S_IFLNK:
                tree.add_link(name, _zip_link(bundle, info, tree))
            elif kind in (0, stat.S_IFREG):
                with bundle.open(info) as source:
                    tree.add_file(name, mode or 0o644, info.file_size, source, _zip_time(info))
            else:
                raise tree.refuse(name, "is neither a file, a folder nor a link (mode {0:o})".format(info.external_attr >> 16))


def _zip_link(bundle, info, tree):
    with bundle.open(info) as source:
        target = source.read(4097)
    if len(target) > 4096:
        raise tree.refuse(info.filename, "is a link with a target longer than 4096 bytes")
    return target.decode("utf-8", "surrogateescape")


def _zip_time(info):
    """Seconds since the epoch; a zip holds local time of an unknown zone, taken as UTC so that every host gets the same."""
    import calendar

    try:
        return calendar.timegm((*info.date_time, 0, 0, 0))
    except (ValueError, OverflowError):
        return 0
