# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a host: Debian with systemd, sshd and Python, built once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

from tests.testbed.engine import cache_folder, docker, ensure_engine
from tests.testbed.packages import require
from tests.testbed.process import TestbedError, run

SUITE = "bookworm"  # Python 3.11, systemd 252: boots on hybrid and on unified control groups
PACKAGES = [
    "systemd", "systemd-sysv", "libpam-systemd", "dbus", "dbus-user-session", "openssh-server", "python3", "sudo",
    "iproute2", "procps", "curl", "ca-certificates", "git",
]  # fmt: skip
LAYER = Path(__file__).resolve().parent / "image"
BUILD_TIMEOUT = 900.0


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def base_tag() -> str:
    """Name of the imported base; another list of packages makes another name."""
    return f"fraisier-testbed-base:{SUITE}-{_digest(*(name.encode() for name in PACKAGES))}"


def host_tag() -> str:
    """Name of the host image; any change of its files makes another name, so nobody runs a stale one."""
    files = sorted(path for path in LAYER.iterdir() if path.is_file())
    return f"fraisier-testbed-host:{SUITE}-{_digest(base_tag().encode(), *(path.read_bytes() for path in files))}"


def exists(tag: str) -> bool:
    """Whether the engine has the image ``tag``."""
    return run(["docker", "image", "inspect", tag], check=False).returncode == 0


def ensure_image() -> str:
    """Tag of the host image, built when it is not there (about a minute the first time, 2 s from the kept tar)."""
    ensure_engine()
    tag = host_tag()
    if exists(tag):
        return tag
    with (cache_folder() / "build.lock").open("w") as lock:  # two sessions must not build the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not exists(tag):
            if not exists(base_tag()):
                docker("import", _base_tar(), base_tag(), timeout=BUILD_TIMEOUT)
            docker("build", "--quiet", "--build-arg", f"BASE={base_tag()}", "--tag", tag, LAYER, timeout=BUILD_TIMEOUT)
    return tag


def _mirror() -> tuple[str, Path | None]:
    """Address and keyring of a Debian mirror: the one this machine's own apt uses."""
    form = "$(REPO_URI) $(COMPONENT) $(SIGNED_BY)"
    filters = ["Created-By: Packages", "Label: Debian", "Component: main"]
    for attempt in (1, 2):
        listing = run(["apt-get", "indextargets", "--format", form, *filters], check=False)
        for line in listing.stdout.splitlines():
            words = line.split()
            keyring = next((Path(word) for word in words[2:] if word.startswith("/")), None)
            return words[0], keyring
        if attempt == 1:  # a fresh machine knows no labels before its first update
            run(["apt-get", "-q", "update"], timeout=300)
    raise TestbedError("the apt sources of this machine name no Debian mirror, so the host image cannot be built here")


def _base_tar() -> Path:
    """The root file system of the base, built by mmdebstrap unless an earlier build was kept."""
    kept = cache_folder() / f"{base_tag().replace(':', '-')}.tar"
    if kept.is_file():
        return kept
    if os.geteuid() != 0 or not Path("/etc/debian_version").is_file():
        raise TestbedError(f"the host image can be built only by root on Debian. Build it there once and copy the file to {kept}")
    require(["mmdebstrap"])
    mirror, keyring = _mirror()
    part = kept.with_suffix(f".{os.getpid()}.part")
    signed = f"[signed-by={keyring}] " if keyring else ""
    paths = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*"]
    run(
        [
            "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=tar", f"--include={','.join(PACKAGES)}",
            '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude={path}" for path in paths),
            SUITE, part, f"deb {signed}{mirror} {SUITE} main",
        ],
        timeout=BUILD_TIMEOUT,
    )  # fmt: skip
    part.replace(kept)
    return kept
