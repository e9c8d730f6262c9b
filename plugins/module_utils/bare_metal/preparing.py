# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an unpacked tree a release: its build, the paths it shares with other releases, its owner and modes."""

from __future__ import annotations

import os
import stat

from ansible_collections.fraisier.deploy.plugins.module_utils.commands import run_command
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentError, DeploymentTimeoutError, ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import forget, make_folder, remove_tree, with_disk_words, write_new

KEPT_MODE = 0o755


def owner_ids(owner, group):
    """(uid, gid) of the names, -1 for what stays; ValidationError for a name that this host does not know."""
    import grp
    import pwd

    uid = gid = -1
    try:
        uid = pwd.getpwnam(owner).pw_uid if owner else -1
    except KeyError:
        raise ValidationError("owner: this host has no user {0!r}".format(owner), hint="Create the user first, or correct owner.") from None
    try:
        gid = grp.getgrnam(group).gr_gid if group else -1
    except KeyError:
        raise ValidationError("group: this host has no group {0!r}".format(group), hint="Create the group first, or correct group.") from None
    return uid, gid


def build(params, folder, layout, version, scratch):
    """Run the build command in ``folder``; ``scratch`` is a private folder. A build that fails is the release's fault (DeploymentError), a full disk is not."""
    command = params["build"]
    argv = list(command)
    if isinstance(command, str):  # by a file, for every user of the host can read arguments
        script = os.path.join(scratch, "build.sh")
        write_new(script, command.encode("utf-8") + b"\n")
        argv = ["/bin/sh", "-e", script]
    environment = dict(params.get("environment") or {}, FRAISIER_VERSION=version, FRAISIER_RELEASE_PATH=layout.release(version))
    try:
        done = run_command(argv, timeout=params["build_timeout"], cwd=folder, env=environment)
    except DeploymentTimeoutError as error:
        error.hint = "Raise build_timeout, or build before deploying. The release was not kept."
        raise
    if done.rc != 0:
        raise with_disk_words(
            DeploymentError(
                "The build of {0} failed (rc {1}): {2}".format(version, done.rc, done.output or "no output"),
                hint="Run the command in a checkout to see more. The release was not kept; nothing live was changed.",
                context={"release": version, "rc": done.rc, "output": done.output},
            ),
            folder,
        )


def link_shared(names, folder, layout, uid, gid):
    """Replace each of the relative paths ``names`` in the release ``folder`` by a link into shared/.

    What is not yet in shared/ begins with what the release brings at that path, or else as an empty folder.
    """
    for name in [name.rstrip("/") for name in names or []]:
        place, target = os.path.join(folder, name), os.path.join(layout.shared, name)
        _make_parents(folder, name)
        if not os.path.lexists(target):
            _seed(place, target, layout.shared, uid, gid)
        if os.path.isdir(place) and not os.path.islink(place):
            remove_tree(place)
        else:
            forget(place)
        os.symlink(os.path.join(*([".."] * (name.count("/") + 2) + ["shared", name])), place)


def _make_parents(folder, name):
    """Make the folders above ``name`` in the release; a link among them would lead the new link astray."""
    at = folder
    for part in name.split("/")[:-1]:
        at = os.path.join(at, part)
        if os.path.islink(at) or (os.path.lexists(at) and not os.path.isdir(at)):
            raise ValidationError(
                "shared: {0!r} cannot be linked: the release has {1!r} as something other than a folder".format(name, part),
                hint="Share that path instead.",
            )
        make_folder(at)


def _seed(place, target, shared, uid, gid):
    import shutil

    make_folder(os.path.dirname(target))
    if os.path.islink(place) or not os.path.lexists(place):
        make_folder(target)
        if uid != -1 or gid != -1:
            os.lchown(target, uid, gid)
        return
    part = os.path.join(shared, ".{0}.{1}.part".format(os.path.basename(target), os.getpid()))
    remove_tree(part)
    forget(part)
    if os.path.isdir(place):
        shutil.copytree(place, part, symlinks=True)
    else:
        shutil.copy2(place, part)
    give(part, uid, gid)
    os.rename(part, target)


def give(folder, uid, gid):
    """Make all of ``folder`` belong to ``uid`` and ``gid`` (-1: as it is); links themselves, not what they lead to."""
    if uid == -1 and gid == -1:
        return
    os.lchown(folder, uid, gid)
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            os.lchown(os.path.join(parent, name), uid, gid)


def tame_modes(folder):
    """Take from all below ``folder`` what a build may have left: setuid, setgid, sticky bits, and writing by group and others."""
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            place = os.path.join(parent, name)
            mode = os.lstat(place).st_mode
            if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & ~KEPT_MODE:
                os.chmod(place, stat.S_IMODE(mode) & KEPT_MODE)
