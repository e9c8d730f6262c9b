# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives from strangers: what is a plain tree comes out as it is, anything else is refused, and nothing is ever written outside the folder."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.archives import Limits, unpack
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

PACKERS: dict[str, Callable[[bytes], bytes]] = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


def tar(*entries: tuple[tarfile.TarInfo, bytes] | tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for item in entries:
            info, data = item if isinstance(item, tuple) else (item, b"")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def box(tmp_path: Path) -> Callable[..., Path]:
    """Unpacks bytes into a new folder and returns it."""

    def unpacked(data: bytes, **options: object) -> Path:
        archive, folder = tmp_path / "archive", tmp_path / "outer" / "tree"
        archive.write_bytes(data)
        folder.mkdir(parents=True)
        unpack(str(archive), str(folder), **options)
        return folder

    return unpacked


@pytest.mark.parametrize("kind", PACKERS)
def test_a_tar_comes_out_as_it_is_whatever_its_compression(box: Callable[..., Path], kind: str) -> None:
    data = tar(
        entry("./", tarfile.DIRTYPE, mode=0o700),
        (entry("app/run.sh", mode=0o755), b"#!/bin/sh\n"),
        (entry("app/data.txt"), b"x" * 100_000),
        entry("app/alias", tarfile.SYMTYPE, "data.txt"),
        entry("up", tarfile.SYMTYPE, "app/../app/run.sh"),
        entry("app/same", tarfile.LNKTYPE, "app/data.txt"),
    )
    tree = box(PACKERS[kind](data))
    assert os.access(tree / "app/run.sh", os.X_OK)
    assert (tree / "app/alias").read_bytes() == b"x" * 100_000
    assert (tree / "up").read_text() == "#!/bin/sh\n"
    assert (tree / "app/same").samefile(tree / "app/data.txt")


def test_a_zip_comes_out_as_it_is(box: Callable[..., Path]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        program = zipfile.ZipInfo("bin/run")
        program.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(program, "#!/bin/sh\n")
        link = zipfile.ZipInfo("run")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "bin/run")
        archive.writestr("plain.txt", "plain")
    tree = box(buffer.getvalue())
    assert os.access(tree / "bin/run", os.X_OK)
    assert (tree / "run").read_text() == "#!/bin/sh\n"
    assert stat.S_IMODE((tree / "plain.txt").stat().st_mode) in (0o600, 0o644)


def test_leading_folders_can_be_dropped_from_files_and_hard_links(box: Callable[..., Path]) -> None:
    tree = box(
        tar(entry("top", tarfile.DIRTYPE), (entry("top/a"), b"a"), entry("top/b", tarfile.LNKTYPE, "top/a"), (entry("README"), b"r")), strip_components=1
    )
    assert sorted(path.name for path in tree.iterdir()) == ["a", "b"]


def test_setuid_setgid_sticky_and_others_write_are_dropped(box: Callable[..., Path]) -> None:
    tree = box(tar(entry("d", tarfile.DIRTYPE, mode=0o7777), (entry("d/f", mode=0o6777), b""), (entry("g", mode=0o1666), b"")))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [tree / "d", tree / "d/f", tree / "g"]}
    assert modes == {"d": 0o755, "f": 0o755, "g": 0o644}


HOSTILE = {
    "parent": (tar(entry("../evil")), "has .. in its path"),
    "parent within": (tar(entry("a/../../evil")), "has .. in its path"),
    "absolute": (tar(entry("/tmp/evil")), "absolute path"),
    "link to an absolute path": (tar(entry("x", tarfile.SYMTYPE, "/etc")), "link to the absolute path"),
    "link out": (tar(entry("x", tarfile.SYMTYPE, "../..")), "leads out"),
    "link out and in again": (tar((entry("f"), b""), entry("x", tarfile.SYMTYPE, "../tree/f")), "leads out"),
    "link out by another link": (
        tar(entry("a/b", tarfile.DIRTYPE), entry("in", tarfile.SYMTYPE, "a/b"), entry("out", tarfile.SYMTYPE, "in/../../../x")),
        "leads out",
    ),
    "file through a link": (tar(entry("d", tarfile.SYMTYPE, "."), (entry("d/evil"), b"")), "needs a folder where a link is"),
    "file over a link": (tar(entry("x", tarfile.SYMTYPE, "y"), (entry("x"), b"evil")), "comes twice"),
    "link over a file": (tar((entry("x"), b""), entry("x", tarfile.SYMTYPE, "y")), "comes twice"),
    "the same file twice": (tar((entry("x"), b"1"), (entry("./x"), b"2")), "comes twice"),
    "file in the place of a folder": (tar((entry("x/y"), b""), (entry("x"), b"")), "comes twice"),
    "file below a file": (tar((entry("x"), b""), (entry("x/y"), b"")), "needs a folder where a file is"),
    "hard link out": (tar(entry("x", tarfile.LNKTYPE, "/etc/passwd")), "absolute path"),
    "hard link to a parent": (tar(entry("x", tarfile.LNKTYPE, "../secret")), "has .. in its path"),
    "hard link to nothing": (tar(entry("x", tarfile.LNKTYPE, "later")), "no file before it"),
    "hard link to a link": (tar(entry("l", tarfile.SYMTYPE, "."), entry("x", tarfile.LNKTYPE, "l")), "no file before it"),
    "character device": (tar(entry("x", tarfile.CHRTYPE)), "character device"),
    "block device": (tar(entry("x", tarfile.BLKTYPE)), "block device"),
    "pipe": (tar(entry("x", tarfile.FIFOTYPE)), "a pipe"),
    "file as the top": (tar((entry("."), b"x")), "place of the top folder"),
    "nothing": (tar(), "not an archive"),
    "only folders dropped": (gzip.compress(bytes(10240)), "nothing is in it"),
    "a web page": (b"<html>please log in</html>", "not an archive"),
    "an empty file": (b"", "it is empty"),
    "zstandard": (b"\x28\xb5\x2f\xfd" + bytes(600), "zstandard is not supported"),
    "a name too long": (tar((entry("n" * 300), b"")), "name that this file system does not take"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_tar_is_refused_by_name_and_touches_nothing_outside(box: Callable[..., Path], tmp_path: Path, name: str) -> None:
    data, message = HOSTILE[name]
    with pytest.raises(ValidationError) as caught:
        box(data)
    assert message in str(caught.value)
    assert caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "outer"]
    assert [path.name for path in (tmp_path / "outer").iterdir()] == ["tree"]


def zipped(name: str, data: bytes = b"x", mode: int = 0, twice: bool = False) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile notices names that come twice
        info = zipfile.ZipInfo("placeholder")
        info.filename, info.external_attr = name, mode << 16
        archive.writestr(info, data)
        if twice:
            again = zipfile.ZipInfo("placeholder2")
            again.filename = name
            archive.writestr(again, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zipped("../evil"), ".. in its path"),
        (zipped("/evil"), "absolute path"),
        (zipped("..\\evil"), "backslash"),
        (zipped("x", b"/etc", stat.S_IFLNK | 0o777), "absolute path"),
        (zipped("x", b"../../y", stat.S_IFLNK | 0o777), "leads out"),
        (zipped("x", b"a" * 5000, stat.S_IFLNK | 0o777), "longer than 4096"),
        (zipped("x", mode=stat.S_IFCHR | 0o666), "neither a file"),
        (zipped("x", twice=True), "comes twice"),
        (b"PK\x03\x04" + bytes(600), "damaged"),
    ],
)
def test_a_hostile_zip_is_refused(box: Callable[..., Path], data: bytes, message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace(".", r"\.")):
        box(data)


@pytest.mark.parametrize("kind", PACKERS)
def test_an_archive_that_breaks_off_is_damaged_wherever_it_is_cut(tmp_path: Path, kind: str) -> None:
    data = PACKERS[kind](tar((entry("a"), os.urandom(3000)), (entry("b"), os.urandom(3000)), (entry("c"), b"c")))
    for number, length in enumerate(range(1, len(data) - (10240 - 8192 if kind == "tar" else 0), max(1, len(data) // 40))):
        archive, folder = tmp_path / f"{number}", tmp_path / f"tree{number}"
        archive.write_bytes(data[:length])
        folder.mkdir()
        with pytest.raises(ValidationError):
            unpack(str(archive), str(folder))


def test_a_header_that_was_overwritten_is_not_taken_for_the_end(box: Callable[..., Path]) -> None:
    data = bytearray(tar((entry("a"), b"1"), (entry("b"), b"2"), (entry("c"), b"3")))
    data[1024 : 1024 + 100] = b"\xff" * 100
    with pytest.raises(ValidationError, match="damaged"):
        box(bytes(data))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(size=1000), "more than 1000 bytes"),
        (Limits(entries=1), "more than 1 entries"),
        (Limits(ratio=10, ratio_from=1000), "decompression bomb"),
    ],
)
def test_bombs_are_refused_before_they_fill_the_disk(box: Callable[..., Path], tmp_path: Path, limits: Limits, message: str) -> None:
    data = gzip.compress(tar((entry("a"), bytes(5_000_000)), (entry("b"), b"")))
    with pytest.raises(ValidationError, match=message):
        box(data, limits=limits)
    assert sum(path.stat().st_size for path in (tmp_path / "outer").rglob("*") if path.is_file()) <= 5_000_000


def test_a_zip_that_lies_about_sizes_is_refused(box: Callable[..., Path]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(3_000_000))
    data = buffer.getvalue().replace(struct.pack("<L", 3_000_000), struct.pack("<L", 10))
    with pytest.raises(ValidationError):
        box(data, limits=Limits(size=1_000_000))


def test_a_header_that_claims_megabytes_of_names_does_not_fill_the_memory(box: Callable[..., Path]) -> None:
    header = entry("pax", tarfile.XHDTYPE)
    header.size = 500_000_000
    data = gzip.compress(header.tobuf(format=tarfile.USTAR_FORMAT) + bytes(1024))
    with pytest.raises(ValidationError, match="at once"):
        box(data)


NAMES = st.text(alphabet="ab./ \\\n\u00e9\ufdd0~", min_size=1, max_size=12) | st.sampled_from(
    ["..", ".", "/", "a/../..", "a//b", "/etc/x", "../../../x", "a/b"]
)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"9"])
ENTRIES = st.lists(st.tuples(NAMES, KINDS, NAMES, st.integers(0, 0o7777)), min_size=1, max_size=8)


def world(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ENTRIES, st.integers(0, 2), st.sampled_from(["tar", "zip"]))
def test_whatever_an_archive_holds_nothing_is_written_outside_its_folder(entries: list[tuple[str, bytes, str, int]], strip: int, kind: str) -> None:
    outer = Path(tempfile.mkdtemp())
    try:
        (outer / "a").mkdir()
        (outer / "a/victim").write_text("as it was")
        archive, folder = outer / "archive", outer / "a/b/tree"
        folder.mkdir(parents=True)
        archive.write_bytes(_packed(entries, kind))
        before = {name for name in world(outer) if not name.startswith("a/b/tree/")}
        try:
            unpack(str(archive), str(folder), strip_components=strip)
        except ValidationError:
            pass
        else:
            for path in folder.rglob("*"):
                assert os.path.realpath(path).startswith(os.path.realpath(folder)), path
                if not path.is_symlink():
                    assert stat.S_IMODE(path.stat().st_mode) & ~0o755 == 0
        assert {name for name in world(outer) if not name.startswith("a/b/tree/")} == before
        assert (outer / "a/victim").read_text() == "as it was"
    finally:
        shutil.rmtree(outer)


def _packed(entries: list[tuple[str, bytes, str, int]], kind: str) -> bytes:
    if kind == "tar":
        return tar(*[(entry(name, type_, target, mode), b"data" if type_ == tarfile.REGTYPE else b"") for name, type_, target, mode in entries])
    kinds = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.FIFOTYPE: stat.S_IFIFO}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, type_, target, mode) in enumerate(entries):
            info = zipfile.ZipInfo(f"placeholder{number}")
            info.filename, info.external_attr = name, (kinds.get(type_, stat.S_IFREG) | mode) << 16
            archive.writestr(info, target.encode())
    return buffer.getvalue()
