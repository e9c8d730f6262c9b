# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases from git: a bare cache on the host, one exact commit, its files as a tar."""

from __future__ import annotations

import os
import re

from ansible_collections.fraisier.deploy.plugins.module_utils.commands import run_command
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    NotFoundError,
    ProviderConfigurationError,
    ProviderConnectionError,
    ProviderError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.files import make_folder, remove_tree, with_disk_words
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import redact_url

FULL_COMMIT = re.compile(r"^(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
SHORT_COMMIT = re.compile(r"^[0-9a-f]{7,63}\Z")
BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]\Z|\.lock\Z")
NETWORK_WORDS = ("could not resolve", "connection", "timed out", "unable to access", "could not read from remote", "network", "early eof", "hung up")
# Git hands the URL to its helpers as an argument, which every user of the host can read: name and password travel in the environment instead.
GIT_CREDENTIALS = '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$FRAISIER_GIT_USER" "$FRAISIER_GIT_PASSWORD"; }; f'
REFUSED_WORDS = ("permission denied", "authentication failed", "could not read username", "terminal prompts disabled", "host key verification", "403")


def check_git(repo, ref):
    """Raise ValidationError when ``repo`` or ``ref`` is nothing that git may be handed."""
    if not repo or repo.startswith("-") or "\0" in repo or repo.lower().startswith("ext::"):
        shown = redact_url(repo)
        raise ValidationError("source.git.repo: {0!r} is not a repository".format(shown), hint="Give a URL, user@host:path or an absolute path.")
    if not ref or BAD_REF.search(ref):
        raise ValidationError("source.git.ref: {0!r} is not a branch, tag or commit".format(ref), hint="Give its name as git shows it, for example v1.4.2.")


class GitCache:
    """The bare repository below ``folder`` that keeps what was fetched from ``repo``. ``remaining``: a function giving the seconds left."""

    def __init__(self, folder, repo, remaining, local_allowed=True):
        import hashlib

        self.repo = repo
        self.url, self.credentials = without_password(repo)
        self.shown = redact_url(repo)
        self.remaining = remaining
        self.local_allowed = local_allowed
        self.folder = folder
        self.path = os.path.join(folder, hashlib.sha256(self.url.encode("utf-8")).hexdigest()[:20] + ".git")

    def _git(self, *words, check=True):
        environment = {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_DIR": None,
            "GIT_WORK_TREE": None,
            "GIT_INDEX_FILE": None,
            "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
            "LC_ALL": "C",
        }
        helper = []
        if self.credentials:
            environment["FRAISIER_GIT_USER"], environment["FRAISIER_GIT_PASSWORD"] = self.credentials
            helper = ["-c", "credential.helper=", "-c", "credential.helper=" + GIT_CREDENTIALS]
        # A submodule of a repository from elsewhere must not read repositories of this host.
        files = "always" if self.local_allowed else "never"
        argv = ["git", "--git-dir", self.path, "-c", "protocol.file.allow=" + files, *helper, *words]
        try:
            done = run_command(argv, timeout=max(1.0, self.remaining()), env=environment, check=False)
        except ProviderConfigurationError as error:
            error.hint = "Install git on this host, or deploy an archive."
            raise
        if check and done.rc != 0:
            raise self._failure(words[0], done)
        return done

    def _failure(self, verb, done):
        text = done.output
        context = {"repo": self.shown, "output": text, "rc": done.rc}
        message = "git {0} of {1} failed: {2}".format(verb, self.shown, text or "no output")
        words = text.lower()
        if any(word in words for word in REFUSED_WORDS):
            hint = "May this host's user read the repository (deploy key, token)?"
            return ProviderConfigurationError(message, hint=hint, context=context, infrastructure=True)
        if any(word in words for word in NETWORK_WORDS) and "does not exist" not in words and "not found" not in words:
            return ProviderConnectionError(message, hint="Can this host reach the server?", context=context)
        return with_disk_words(ProviderError(message, context=context, hint="Run the same command on the host to see more."), self.path)

    def _ensure(self):
        make_folder(self.folder, 0o700)
        if not os.path.isfile(os.path.join(self.path, "HEAD")):
            run_command(["git", "init", "--quiet", "--bare", self.path], timeout=max(1.0, self.remaining()), check=True)

    def _has(self, commit):
        """Whether the cache holds ``commit`` with its whole tree (a fetch that was killed may leave a part, which git never names)."""
        return self._git("cat-file", "-e", commit + "^{commit}", check=False).rc == 0

    def commit(self, ref, depth):
        """The full id of the commit that ``ref`` names now at the repository, fetched into the cache. ``depth`` 0: the whole history."""
        known = os.path.isdir(self.path)
        try:
            return self._commit(ref, depth)
        except ProviderError as error:
            if not known or error.code != ProviderError.code or error.infrastructure:
                raise
        # A fetch that was killed may leave lock files or a torn cache behind: once more from nothing.
        remove_tree(self.path)
        return self._commit(ref, depth)

    def _commit(self, ref, depth):
        self._ensure()
        if FULL_COMMIT.match(ref):
            return self._exact(ref, depth)
        full, commit = self._remote_name(ref)
        return self._named(full, commit, depth) if full else self._short(ref)

    def look(self, ref):
        """The full id of the commit that ``ref`` names now, without fetching or writing anything; None for a short commit."""
        return ref if FULL_COMMIT.match(ref) else self._remote_name(ref)[1]

    def _remote_name(self, ref):
        """(full name of the ref, commit) at the repository; (None, None) for what may be the start of a commit."""
        names = self._remote_names(ref)
        for full in ("refs/tags/" + ref, "refs/heads/" + ref, ref):
            if full in names:
                return full, names.get(full + "^{}", names[full])
        if SHORT_COMMIT.match(ref):
            return None, None
        raise NotFoundError(
            "source.git.ref: {0} has no branch, tag or commit {1!r}".format(self.shown, ref),
            hint="Push it first, or correct the version.",
            context={"repo": self.shown, "ref": ref},
        )

    def _remote_names(self, ref):
        """What the repository has by that name: {full name of the ref: object id}."""
        listing = self._git("ls-remote", "--quiet", "--", self.url, "refs/tags/" + ref, "refs/tags/" + ref + "^{}", "refs/heads/" + ref, ref).stdout
        return {name: identifier for identifier, _tab, name in (line.partition("\t") for line in listing.splitlines())}

    def _named(self, full, commit, depth):
        own = "refs/fraisier/" + full
        if self._has(commit) and self._git("rev-parse", "--verify", "--quiet", own + "^{commit}", check=False).stdout.strip() == commit:
            return commit
        self._fetch(depth, "+{0}:{1}".format(full, own))
        return self._git("rev-parse", "--verify", own + "^{commit}").stdout.strip()

    def _exact(self, commit, depth):
        own = "refs/fraisier/commits/" + commit
        if self._has(commit) and self._git("rev-parse", "--verify", "--quiet", own, check=False).rc == 0:
            return commit
        try:
            self._fetch(depth, "+{0}:{1}".format(commit, own))
        except ProviderConnectionError:
            raise
        except ProviderError:
            # A server may refuse to be asked for a commit: then everything is fetched and searched.
            self._everything()
            if not self._has(commit):
                raise NotFoundError(
                    "source.git.ref: {0} has no commit {1}".format(self.shown, commit), hint="Push it first.", context={"repo": self.shown, "ref": commit}
                ) from None
            self._git("update-ref", own, commit)
        return commit

    def _short(self, ref):
        self._everything()
        found = self._git("rev-parse", "--verify", "--quiet", ref + "^{commit}", check=False)
        if found.rc != 0:
            raise NotFoundError(
                "source.git.ref: {0} has no branch, tag or commit {1!r} (or more than one begins so)".format(self.shown, ref),
                hint="Give the full commit.",
                context={"repo": self.shown, "ref": ref},
            )
        return found.stdout.strip()

    def _everything(self):
        full = ["--unshallow"] if os.path.exists(os.path.join(self.path, "shallow")) else []
        refspecs = ["+refs/heads/*:refs/fraisier/refs/heads/*", "+refs/tags/*:refs/fraisier/refs/tags/*"]
        self._git("fetch", "--quiet", "--force", "--no-tags", *full, "--", self.url, *refspecs)

    def _fetch(self, depth, refspec):
        shallow = ["--depth", str(depth)] if depth else []
        self._git("fetch", "--quiet", "--force", "--no-tags", *shallow, "--", self.url, refspec)

    def archive(self, commit, path):
        """Write the files of ``commit`` as a tar to ``path``."""
        self._git("archive", "--format=tar", "--output=" + path, commit)

    def submodules(self, commit):
        """The submodules of ``commit``: [{path, url, commit}], relative URLs resolved against this repository's."""
        if self._git("cat-file", "-e", commit + ":.gitmodules", check=False).rc != 0:
            return []
        text = self._git("config", "--null", "--blob", commit + ":.gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$").stdout
        named = {}
        for entry in text.split("\0"):
            key, _newline, value = entry.partition("\n")
            if value:
                name, _dot, field = key[len("submodule.") :].rpartition(".")
                named.setdefault(name, {})[field] = value
        return [self._submodule(commit, module) for _name, module in sorted(named.items()) if "path" in module and "url" in module]

    def _submodule(self, commit, module):
        line = self._git("ls-tree", commit, "--", module["path"]).stdout
        fields = line.split()
        if len(fields) < 3 or fields[1] != "commit":
            raise ValidationError(
                "source.git: .gitmodules of {0} names {1!r}, which is no submodule there".format(commit, module["path"]), hint="Correct .gitmodules."
            )
        return {"path": module["path"], "url": _resolved(self.repo, module["url"]), "commit": fields[2]}


def without_password(repo):
    """The http(s) URL ``repo`` without its user and password, and those as (user, password); anything else as it is, and None."""
    scheme, separator, rest = repo.partition("://")
    authority, slash, path = rest.partition("/")
    userinfo, _at, host = authority.rpartition("@")
    user, colon, password = userinfo.partition(":")
    if not colon or scheme.lower() not in ("http", "https"):
        return repo, None
    from urllib.parse import unquote

    return scheme + separator + host + slash + path, (unquote(user), unquote(password))


def is_local(repo):
    """Whether ``repo`` is a path of this host."""
    return repo.startswith(("/", ".")) or repo.lower().startswith("file:")


def _resolved(base, url):
    """``url`` of a submodule, which may begin with ./ or ../, against the URL of the repository that holds it."""
    if not url.startswith(("./", "../")):
        return url
    base = base.rstrip("/")
    while url.startswith(("./", "../")):
        if url.startswith("../"):
            head, slash, _tail = base.rpartition("/")
            base = head if slash else base.rpartition(":")[0] + ":"
            url = url[3:]
        else:
            url = url[2:]
    return "{0}{1}{2}".format(base, "" if base.endswith(":") else "/", url)
