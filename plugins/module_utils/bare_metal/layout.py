# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie on a host, and what is there: the folder of one fraise.

``releases/<version>/`` whole releases, ``shared/`` what outlives them, ``current`` the link to the live one, ``.fraisier/`` our own notes.
"""

from __future__ import annotations

import os

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.options import RELEASE_NAME
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import make_folder, read_json

MANIFEST = ".fraisier-release.json"
STAGING_MARK = ".fraisier-staging"


class Layout:
    """The paths of the fraise in the folder ``root``."""

    def __init__(self, root):
        self.root = os.path.normpath(root)
        self.releases = os.path.join(self.root, "releases")
        self.shared = os.path.join(self.root, "shared")
        self.current = os.path.join(self.root, "current")
        self.notes = os.path.join(self.root, ".fraisier")
        self.incoming = os.path.join(self.notes, "incoming")
        self.git = os.path.join(self.notes, "git")
        self.lock = os.path.join(self.notes, "lock")
        self.stage_lock = os.path.join(self.notes, "stage.lock")
        self.fence = os.path.join(self.notes, "fence.json")
        self.journal = os.path.join(self.notes, "journal.json")
        self.state = os.path.join(self.notes, "state.json")

    def make(self):
        """Make the folders that every change needs."""
        for folder, mode in ((self.root, 0o755), (self.releases, 0o755), (self.shared, 0o755), (self.notes, 0o755), (self.incoming, 0o700)):
            make_folder(folder, mode)

    def exists(self):
        """Whether any of our folders is there."""
        return any(os.path.lexists(place) for place in (self.releases, self.current, self.notes))

    def release(self, version):
        """The folder of the release ``version``, there or not."""
        return os.path.join(self.releases, version)

    def link_target(self, version):
        """What ``current`` says when ``version`` is live; relative, so that the folder may be mounted elsewhere."""
        return os.path.join("releases", version)

    def current_version(self):
        """The version that ``current`` leads to, None when there is no such link. Raises ProviderConfigurationError for anything else in its place."""
        try:
            target = os.readlink(self.current)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._foreign("is not a symbolic link", error) from error
        place = os.path.normpath(os.path.join(self.root, target))
        folder, version = os.path.split(place)
        if os.path.realpath(folder) != os.path.realpath(self.releases) or not RELEASE_NAME.match(version):
            raise self._foreign("leads to {0}, which is no release below {1}".format(target, self.releases))
        return version

    def _foreign(self, what, cause=None):
        return ProviderConfigurationError(
            "{0} {1}".format(self.current, what),
            infrastructure=True,
            hint="Move it away, or give the fraise a path of its own.",
            context={"path": self.current},
            cause=cause,
        )

    def manifest(self, version):
        """What staging wrote into the whole release ``version``: {version, digest, source, staged_at, recipe}; None when it is absent or half."""
        manifest = read_json(os.path.join(self.release(version), MANIFEST))
        return manifest if manifest is not None and manifest.get("version") == version else None

    def staged_releases(self):
        """The manifests of all whole releases, newest first."""
        found = [self.manifest(name) for name in self._release_folders()]
        return sorted((manifest for manifest in found if manifest), key=lambda manifest: (manifest.get("staged_at") or "", manifest["version"]), reverse=True)

    def half_releases(self):
        """Names of folders below releases/ that a staging left unfinished."""
        return [name for name in self._release_folders() if self.manifest(name) is None and os.path.lexists(os.path.join(self.release(name), STAGING_MARK))]

    def _release_folders(self):
        try:
            names = os.listdir(self.releases)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if RELEASE_NAME.match(name) and not os.path.islink(self.release(name)) and os.path.isdir(self.release(name)))
