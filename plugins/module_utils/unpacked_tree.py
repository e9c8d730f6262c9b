# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that is filled from an archive's entries, each of which is distrusted."""

from __future__ import annotations

import errno
import os

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

CHUNK = 256 * 1024
FILE_MODE, PROGRAM_MODE, FOLDER_MODE = 0o644, 0o755, 0o755
LATEST_TIME = 2**33
MOST_LINKS_FOLLOWED = 40


class UnpackedTree:
    """Takes entries one by one and writes them below ``folder``.

    Safe by construction: while files are written, the tree holds no link at all, every file is made new (O_EXCL), and links come last, each one
    resolved and refused when it leads out. Modes are those of the archive cut to 0755 and 0644, whatever the umask; setuid, setgid and sticky bits go.
    """

    def __init__(self, folder, name, strip_components, limits, packed):
        self.folder = os.path.realpath(folder)
        self.name = name
        self.strip_components = strip_components
        self.limits = limits
        self.packed = packed
        self.entries = 0
        self.unpacked = 0
        self.kinds = {"": "folder"}
        self.folder_modes = {}
        self.links = {}

    def refuse(self, entry, reason):
        """The error for an entry that must not be unpacked."""
        return ValidationError(
            "Archive {0} refused: {1!r} {2}".format(self.name, entry, reason),
            hint="Nothing of it was kept. Build the archive anew from a clean tree.",
            context={"archive": self.name, "entry": entry, "reason": reason},
        )

    def _place(self, entry):
        """The relative path of ``entry`` with leading components dropped, "" for the top itself, None for what is dropped as a whole."""
        self.entries += 1
        if self.entries > self.limits.entries:
            raise ValidationError(
                "Archive {0} refused: it has more than {1} entries".format(self.name, self.limits.entries),
                hint="If it is yours, raise source.archive.max_entries.",
                context={"archive": self.name, "max_entries": self.limits.entries},
            )
        parts = self._parts(entry, entry)
        if self.strip_components:
            if len(parts) < self.strip_components:
                return None
            if len(parts) == self.strip_components:
                return ""
            parts = parts[self.strip_components :]
        return "/".join(parts)

    def _parts(self, path, entry):
        if "\0" in path:
            raise self.refuse(entry, "has a NUL character in its name")
        if path.startswith("/"):
            raise self.refuse(entry, "has an absolute path")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise self.refuse(entry, "has .. in its path")
        return parts

    def add_folder(self, entry, mode):
        """A folder; the same one may come more than once."""
        place = self._place(entry)
        if place is None:
            return
        self._make_folders(place, entry)
        self.folder_modes[place] = (mode & FOLDER_MODE) | 0o700

    def _make_folders(self, place, entry):
        known = self.kinds.get(place)
        if known == "folder":
            return
        if known is not None:
            raise self.refuse(entry, "needs a folder where a {0} is".format(known))
        self._make_folders(place.rpartition("/")[0], entry)
        try:
            os.mkdir(os.path.join(self.folder, place), 0o700)
        except OSError as error:
            raise self._bad_name(error, entry) from error
        self.kinds[place] = "folder"
        self.folder_modes.setdefault(place, FOLDER_MODE)

    def _bad_name(self, error, entry):
        """What the file system says about a name: an entry's fault becomes a refusal, the rest (a full disk) stays what it is."""
        if error.errno == errno.EEXIST:
            return self.refuse(entry, "comes twice, or differs only in letter case from another entry, which this file system does not tell apart")
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            return self.refuse(entry[:200], "has a name that this file system does not take ({0})".format(error.strerror))
        return error

    def _new(self, entry, kind):
        place = self._place(entry)
        if place is None or (place == "" and self.strip_components):
            return None
        if place == "":
            raise self.refuse(entry, "is a {0} in the place of the top folder".format(kind))
        if place in self.kinds:
            raise self.refuse(entry, "comes twice (as {0} and as {1})".format(self.kinds[place], kind))
        self._make_folders(place.rpartition("/")[0], entry)
        self.kinds[place] = kind
        return place

    def add_file(self, entry, mode, size, source, modified):
        """A file of ``size`` bytes read from ``source``; ``modified`` in seconds since the epoch."""
        place = self._new(entry, "file")
        if place is None:
            return
        self.limits.check_size(self.name, self.unpacked + size, self.packed)
        try:
            descriptor = os.open(os.path.join(self.folder, place), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._bad_name(error, entry) from error
        try:
            written = self._copy(source, descriptor)
            if written != size:
                raise self.refuse(entry, "is damaged: {0} of {1} bytes are there".format(written, size))
            os.fchmod(descriptor, ((mode & PROGRAM_MODE) if mode & 0o100 else (mode & FILE_MODE)) | 0o600)
            if 0 <= modified < LATEST_TIME:
                os.utime(descriptor, (modified, modified))
        finally:
            os.close(descriptor)

    def _copy(self, source, descriptor):
        written = 0
        while True:
            chunk = source.read(CHUNK)
            if not chunk:
                return written
            written += len(chunk)
            self.unpacked += len(chunk)
            self.limits.check_size(self.name, self.unpacked, self.packed)
            view = memoryview(chunk)
            while view:
                view = view[os.write(descriptor, view) :]

    def add_hard_link(self, entry, target):
        """A second name of a file that came before."""
        parts = self._parts(target, entry)[self.strip_components :]
        first = "/".join(parts)
        place = self._new(entry, "file")
        if place is None:
            return
        if not first or self.kinds.get(first) != "file" or first == place:
            raise self.refuse(entry, "is a hard link to {0!r}, which is no file before it in the archive".format(target))
        try:
            os.link(os.path.join(self.folder, first), os.path.join(self.folder, place), follow_symlinks=False)
        except OSError as error:
            raise self._bad_name(error, entry) from error

    def add_link(self, entry, target):
        """A symbolic link; it is made when all files are there."""
        if not target or "\0" in target:
            raise self.refuse(entry, "is a link to nothing")
        if target.startswith("/"):
            raise self.refuse(entry, "is a link to the absolute path {0!r}".format(target))
        place = self._new(entry, "link")
        if place is not None:
            self.links[place] = (entry, target)

    def _leads_out(self, place):
        """Whether following the link at ``place`` leaves the tree at any step: coming back in would not survive the move to its last place."""
        at, followed = [], 0
        rest = place.split("/")
        while rest:
            part = rest.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                if not at:
                    return True
                at.pop()
                continue
            at.append(part)
            link = self.links.get("/".join(at))
            if link is not None:
                followed += 1
                if followed > MOST_LINKS_FOLLOWED:
                    return False  # a circle: the system refuses to follow it
                at.pop()
                rest = link[1].split("/") + rest
        real = os.path.realpath(os.path.join(self.folder, place))
        return real != self.folder and not real.startswith(self.folder + os.sep)

    def finish(self):
        """Make the links, see that none leads out, and give the folders their modes."""
        if len(self.kinds) == 1:
            hint = "Is source.archive.strip_components ({0}) too large?".format(self.strip_components) if self.entries else "Build it again."
            raise ValidationError("Archive {0} refused: nothing is in it".format(self.name), hint=hint, context={"archive": self.name})
        for place, (entry, target) in self.links.items():
            try:
                os.symlink(target, os.path.join(self.folder, place))
            except OSError as error:
                raise self._bad_name(error, entry) from error
        for place, (entry, target) in self.links.items():
            if self._leads_out(place):
                raise self.refuse(entry, "is a link to {0!r}, which leads out of the archive".format(target))
        for place, mode in self.folder_modes.items():
            os.chmod(os.path.join(self.folder, place), mode)
