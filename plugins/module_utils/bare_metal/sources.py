# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a release's files come from: an archive or a git repository, behind one face."""

from __future__ import annotations

import os

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.layout import MANIFEST, STAGING_MARK
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import make_folder
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import redact_url

MOST_SUBMODULES_DEEP = 5


def source_of(call):
    """The source that the options of ``call`` name."""
    given = call.params["source"]
    return ArchiveSource(call, given["archive"]) if given.get("archive") else GitSource(call, given["git"])


def _check_reserved(folder, shown):
    for name in (MANIFEST, STAGING_MARK):
        if os.path.lexists(os.path.join(folder, name)):
            raise ValidationError(
                "{0} refused: it holds {1}, a name that is kept for the host's own notes".format(shown, name),
                hint="Pack the files of the release without it.",
            )


class ArchiveSource:
    """An archive from a URL, a path on this host, or the controller."""

    def __init__(self, call, options):
        from ansible_collections.fraisier.deploy.plugins.module_utils import fetch

        self.fetch = fetch
        self.call = call
        self.src = options["src"]
        self.options = {name: value for name, value in options.items() if value is not None}
        self.shown = redact_url(self.src)
        self.expected = fetch.normal_sha256(options["sha256"]) if options.get("sha256") else None
        self.path = None
        self.actual = None
        # In check mode the controller sends no archive, only its sum: the payload is then an empty text.
        if call.payload or (call.payload is None and not fetch.is_url(self.src)):
            self.path = fetch.local_archive(self.src, call.payload)

    def location(self):
        """What is written down about the source."""
        return {"kind": "archive", "src": os.path.basename(self.src) if self.call.payload is not None else self.shown}

    def known_digest(self):
        """The digest of the release if it can be told without fetching, else None. A file that is here is held against its sum."""
        if self.path is None:
            return None if self.expected is None else "sha256:" + self.expected
        if self.actual is None:
            with self.call.timed("fetch"):
                self.actual = self.fetch.file_sha256(self.path)
            self.fetch.check_sha256(self.shown, self.expected, self.actual)
        return "sha256:" + self.actual

    def look_up_digest(self):
        """What a look tells without bringing the archive here: its sum when it is known."""
        return self.known_digest()

    def digest(self, scratch):
        """Bring the archive to this host (into the folder ``scratch`` if need be) and return its digest."""
        if self.path is not None:
            return self.known_digest()
        if self.expected is None and self.src.lower().startswith("http:"):
            self.call.warn("{0} is fetched without encryption and without source.archive.sha256: it may be any file".format(self.shown))
        path = os.path.join(scratch, "archive")
        with self.call.timed("fetch"):
            self.actual = self.fetch.download(
                self.src,
                path,
                headers=self.options.get("headers"),
                deadline=self.call.deadline,
                max_size=self.options.get("max_size", 1 << 62),
                clock=self.call.clock,
            )
        self.fetch.check_sha256(self.shown, self.expected, self.actual)
        self.path = path
        return "sha256:" + self.actual

    def unpack(self, folder):
        """Unpack into the new folder ``folder``."""
        from ansible_collections.fraisier.deploy.plugins.module_utils.archives import Limits, unpack

        limits = Limits()
        limits.size = self.options.get("max_size", limits.size)
        limits.entries = self.options.get("max_entries", limits.entries)
        with self.call.timed("unpack"):
            unpack(self.path, folder, strip_components=self.options.get("strip_components", 0), limits=limits, name=self.shown)
            _check_reserved(folder, self.shown)


class GitSource:
    """One commit of a git repository."""

    def __init__(self, call, options):
        from ansible_collections.fraisier.deploy.plugins.module_utils import git_source

        self.module = git_source
        self.call = call
        self.ref = options["ref"]
        self.submodules = bool(options.get("submodules"))
        self.depth = 1 if options.get("depth") is None else options["depth"]
        self.repo = options["repo"]
        self.cache = self._cache(self.repo)
        self.commit = self.ref if git_source.FULL_COMMIT.match(self.ref) else None

    def _cache(self, repo):
        return self.module.GitCache(self.call.layout.git, repo, self.call.remaining, local_allowed=self.module.is_local(self.repo))

    def location(self):
        """What is written down about the source."""
        return {"kind": "git", "repo": self.cache.shown, "ref": self.ref}

    def known_digest(self):
        """The digest if ``ref`` is a full commit; a branch or tag may have moved."""
        return "git:" + self.commit if self.commit is not None else None

    def look_up_digest(self):
        """Ask the repository which commit ``ref`` names now; fetches nothing. None for a short commit, which only a fetch makes whole."""
        if self.commit is None:
            with self.call.timed("fetch"):
                self.commit = self.cache.look(self.ref)
        return self.known_digest()

    def digest(self, scratch):
        """Fetch the commit and return its digest."""
        with self.call.timed("fetch"):
            self.commit = self.cache.commit(self.ref, self.depth)
        return "git:" + self.commit

    def unpack(self, folder):
        """Write the commit's files into the new folder ``folder``, with its submodules if asked for."""
        with self.call.timed("unpack"):
            self._unpack(self.cache, self.commit, folder, 0)
            _check_reserved(folder, self.cache.shown)

    def _unpack(self, cache, commit, folder, depth):
        from ansible_collections.fraisier.deploy.plugins.module_utils.archives import unpack

        path = os.path.join(self.call.layout.incoming, "git-{0}.tar".format(os.getpid()))
        try:
            cache.archive(commit, path)
            unpack(path, folder, name="{0} at {1}".format(cache.shown, commit))
        finally:
            if os.path.exists(path):
                os.unlink(path)
        if not self.submodules:
            return
        if depth == MOST_SUBMODULES_DEEP:
            raise ValidationError("source.git.submodules: more than {0} deep".format(depth), hint="Is a repository its own submodule?")
        for module in cache.submodules(commit):
            self._unpack_submodule(module, folder, depth)

    def _unpack_submodule(self, module, folder, depth):
        place = os.path.normpath(os.path.join(folder, module["path"]))
        if os.path.realpath(place) != os.path.join(os.path.realpath(folder), os.path.normpath(module["path"])) or not place.startswith(folder + os.sep):
            raise ValidationError("source.git: submodule path {0!r} leads out of the release".format(module["path"]), hint="Correct .gitmodules.")
        self.module.check_git(module["url"], module["commit"])
        cache = self._cache(module["url"])
        commit = cache.commit(module["commit"], self.depth)
        make_folder(place)
        self._unpack(cache, commit, place, depth + 1)
