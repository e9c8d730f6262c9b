# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a virtual environment and install requirements into it; quick when nothing changed.

Usage: ``environment.py FOLDER REQUIREMENTS [--next]``. Takes Python 3.11 when there is one, else the newest; with ``--next`` the newest from 3.12 on
(exit code 3 when there is none).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
FLOOR = (3, 11)
NO_NEWER_PYTHON = 3
STAMPS = ".fraisier"  # folder in the environment: one stamp for each list of requirements


def say(text: str) -> None:
    """Progress for people."""
    print(text, file=sys.stderr, flush=True)


def version_of(python: Path | str) -> tuple[int, int] | None:
    """Major and minor version of an interpreter; None for what does not run, is not final, or is not CPython."""
    program = "import sys; v = sys.version_info; print(v[0], v[1], v.releaselevel, sys.implementation.name)"
    try:
        asked = subprocess.run([str(python), "-I", "-c", program], capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return None
    words = asked.stdout.split()
    if asked.returncode != 0 or words[2:] != ["final", "cpython"]:
        return None
    return int(words[0]), int(words[1])


def interpreters() -> Iterator[tuple[tuple[int, int], str]]:
    """Version and path of every Python found: on PATH, and where pyenv keeps them."""
    folders = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted(root.glob("versions/*/bin"))
    names = ["python3", *(f"python3.{minor}" for minor in range(FLOOR[1], 20))]
    seen: set[Path] = set()
    for path in [Path(sys.executable), *(folder / name for folder in folders for name in names)]:
        if path.is_file() and path.resolve() not in seen:
            seen.add(path.resolve())
            version = version_of(path)
            if version and version >= FLOOR:
                yield version, str(path)


def choose(newest: bool) -> str | None:
    """The interpreter for an environment; None when no fitting one is here."""
    found = sorted(interpreters(), key=lambda pair: pair[0])
    if newest:
        return found[-1][1] if found and found[-1][0] > FLOOR else None
    exact = [path for version, path in found if version == FLOOR]
    return exact[0] if exact else (found[-1][1] if found else None)


def has_ensurepip(python: str) -> bool:
    """Whether ``python -m venv`` can bring pip along (Debian puts that in a package of its own)."""
    return subprocess.run([python, "-c", "import ensurepip"], capture_output=True, timeout=20, check=False).returncode == 0


def make(folder: Path, python: str) -> list[str] | None:
    """Make the environment; return how to call pip for it, None (with a message) when that needs something that only a person can install."""
    if not has_ensurepip(python) and os.geteuid() == 0 and shutil.which("apt-get") and python.startswith("/usr/bin/"):
        say("installing Debian's python3-venv")
        unattended = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "python3-venv"]):
            subprocess.run(["apt-get", "-qq", *command], stdout=subprocess.DEVNULL, timeout=600, check=False, env=unattended)
    own_pip = has_ensurepip(python)
    if not own_pip and importlib.util.find_spec("pip") is None:
        say(f"{python} cannot make virtual environments. Install the package python3-venv (Debian, Ubuntu: apt-get install python3-venv), then try again.")
        return None
    subprocess.run([python, "-m", "venv", "--clear", *([] if own_pip else ["--without-pip"]), str(folder)], check=True, timeout=300)
    return pip_of(folder)


def pip_of(folder: Path) -> list[str]:
    """The pip that installs into an environment: its own, or the one of the Python that runs this."""
    inside = str(folder / "bin" / "python")
    if any(folder.glob("lib/python*/site-packages/pip")):
        return [inside, "-m", "pip"]
    return pip_for(Path(inside))


def pip_for(python: Path) -> list[str]:
    """The pip of the Python that runs this, installing for another one."""
    return [sys.executable, "-m", "pip", "--python", str(python)]


def included(requirements: Path) -> list[Path]:
    """The file and all files that it takes in by ``-r``."""
    found = [requirements]
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found += included((requirements.parent / line[3:].strip()).resolve())
    return found


def fingerprint(folder: Path, requirements: Path) -> str:
    """Changes whenever installing again could bring something else."""
    texts = [path.read_bytes() for path in included(requirements)]
    return hashlib.sha256(b"\0".join([*texts, (folder / "pyvenv.cfg").read_bytes()])).hexdigest()


def install(folder: Path, requirements: Path, pip: list[str]) -> bool:
    """Bring the environment to what the requirements say; whether it worked. Nothing happens when it did before."""
    stamp = folder / STAMPS / requirements.stem
    wanted = fingerprint(folder, requirements)
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return True
    say(f"installing {requirements.relative_to(CHECKOUT)} into {folder.name} (takes about half a minute the first time)")
    started = time.monotonic()
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    command = [*pip, "install", *quiet, "-r", str(requirements)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800, check=False)
    if done.returncode != 0:
        say(done.stdout)
        say(f"installing {requirements.relative_to(CHECKOUT)} failed: see what pip says; proxy, index and CA are set in pip.conf or by PIP_* variables")
        return False
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(wanted, encoding="ascii")
    say(f"{folder.name} is ready after {time.monotonic() - started:.0f} s")
    return True


def main() -> int:
    """Make and fill the environment that the arguments name."""
    newest = "--next" in sys.argv
    folder, requirements = CHECKOUT / sys.argv[1], (CHECKOUT / sys.argv[2]).resolve()
    pip = None
    if (version_of(folder / "bin" / "python") or (0, 0)) >= FLOOR:
        pip = pip_of(folder)
    else:
        python = choose(newest)
        if python is None:
            say("no Python newer than 3.11 on this machine" if newest else "Python 3.11 or newer is needed and none was found on PATH")
            return NO_NEWER_PYTHON if newest else 1
        say(f"making {folder.name} with {python}")
        pip = make(folder, python)
    return 0 if pip and install(folder, requirements, pip) else 1


if __name__ == "__main__":
    raise SystemExit(main())
