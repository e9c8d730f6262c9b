#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bare_metal
short_description: Releases of a service on a host, switched in one step and turned back when unhealthy
version_added: 0.1.0
description:
  - Lays releases out below O(path), each in a folder of its own, and makes one of them live by renaming the link C(current).
  - "O(state=active) is one call: it takes the host's lock, refuses an older deployment (O(fence)), writes a journal, switches, restarts the service,
    verifies its health for O(min_healthy) seconds in a row, and goes back to the release before, by itself, when that fails."
  - Whatever happens in the middle, a kill, a lost connection or a full disk, C(current) leads to exactly one whole release, and the next call knows
    where the host came from.
  - Needs nothing on the host but Python, and git for O(source.git).
author:
  - fraisier.deploy contributors (!UNKNOWN)
extends_documentation_fragment:
  - fraisier.deploy.attributes
  - fraisier.deploy.attributes.actiongroup_deploy
  - fraisier.deploy.health
  - fraisier.deploy.service
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - With O(force=true) a release is restarted or staged anew each time.
options:
  state:
    description:
      - V(staged) - the release lies on the host, whole; nothing live was touched.
      - V(active) - the release is live, its service runs and is healthy. It must have been staged.
      - V(inactive) - the service is stopped and no release is current any more; every release stays.
      - V(pruned) - releases beyond O(keep) and what crashed stagings left are gone.
      - V(absent) - O(release) is gone; without O(release) the whole fraise, but not what its releases shared unless O(force=true).
      - V(inspected) - nothing is changed; the result says what is there and, by one look at O(health), how it is.
    type: str
    choices: [absent, active, inactive, inspected, pruned, staged]
    default: active
  path:
    description:
      - Absolute path of the fraise's folder on the host. It holds C(releases/), C(shared/), C(current) and our own notes in C(.fraisier/).
    type: path
    required: true
  release:
    description:
      - The version; at most 128 letters, digits and C(. _ + -), beginning with a letter or digit.
      - Required for O(state=staged) and O(state=active).
    type: str
  source:
    description:
      - Where the release's files come from. Required for O(state=staged).
    type: dict
    suboptions:
      archive:
        description:
          - A C(.tar), C(.tar.gz), C(.tar.bz2), C(.tar.xz) or C(.zip) file. It is told by its content, not by its name.
          - Refused are C(..), absolute paths, links that lead out, devices, names that come twice and decompression bombs. Modes are cut to 0755 and 0644.
        type: dict
        suboptions:
          src:
            description:
              - An V(http) or V(https) URL that the host fetches, or an absolute path on the host.
            type: str
            required: true
          sha256:
            description:
              - The SHA-256 of the file. With it, a release that is already on the host is recognised without fetching.
            type: str
          strip_components:
            description:
              - How many leading folders are dropped from every name.
            type: int
            default: 0
          headers:
            description:
              - Headers for the URL, such as C(Authorization). They are not sent to another server that the URL redirects to.
            type: dict
          max_size:
            description:
              - Bytes that the archive, packed and unpacked, may have.
            type: int
            default: 4294967296
          max_entries:
            description:
              - Files, folders and links that the archive may have.
            type: int
            default: 200000
      git:
        description:
          - A commit of a git repository. The host keeps a bare cache, so that the next release only fetches what is new.
        type: dict
        suboptions:
          repo:
            description:
              - URL or absolute path of the repository.
            type: str
            required: true
          ref:
            description:
              - A tag, a branch or a commit. A tag goes before a branch of the same name.
            type: str
            required: true
          depth:
            description:
              - How many commits of history are fetched; V(0) for all.
            type: int
            default: 1
          submodules:
            description:
              - Whether the release holds the repository's submodules.
            type: bool
            default: false
  shared:
    description:
      - Relative paths that all releases share. Each becomes a link into C(shared/), which begins with what the first release brings there.
    type: list
    elements: str
    default: []
  build:
    description:
      - Command that completes the release, in its folder; a list of words, or one line for the shell.
      - It has the variables of O(environment), and C(FRAISIER_VERSION) and C(FRAISIER_RELEASE_PATH). When it fails the release is not kept.
    type: raw
  build_timeout:
    description:
      - Seconds after which O(build) is killed, with all that it started.
    type: float
    default: 900.0
  environment:
    description:
      - Variables for O(build) and for the command of O(service) with manager V(process).
      - They are kept on the host, readable to the module's user only, to run the release the same way when a later one is turned back.
    type: dict
    default: {}
  owner:
    description:
      - User to whom the release's files belong, by default the user the module runs as. Only root can set it.
    type: str
  group:
    description:
      - Group of the release's files. Only root can set it.
    type: str
  mode:
    description:
      - Mode of the release's folder itself, three octal digits as text; by default V(0755).
    type: str
  timeout:
    description:
      - Seconds in which the service must have restarted and been healthy for O(min_healthy) seconds; also the time to fetch.
      - Going back has the same time again.
    type: float
    default: 300.0
  lock_timeout:
    description:
      - Seconds to wait for another step that is at work on the same fraise and host.
    type: float
    default: 60.0
  fence:
    description:
      - Which deployment this call belongs to. The host refuses every deployment older than the newest that it has seen.
    type: dict
    suboptions:
      token:
        description:
          - The deployment's fencing token; it grows with every deployment.
        type: int
        required: true
      owner:
        description:
          - Which run holds the token. Two owners of the same token are two deployments, and the second one is refused.
        type: str
      owner_name:
        description:
          - The owner as a person reads it, for messages.
        type: str
  keep:
    description:
      - How many releases O(state=pruned) keeps, the newest. Failed ones do not count and go.
      - The live release, the one before it, the last good one and those of O(protect) always stay.
    type: int
    default: 5
  protect:
    description:
      - Versions that O(state=pruned) never removes.
    type: list
    elements: str
    default: []
  good:
    description:
      - With O(state=pruned), remember the live release as the last good one.
    type: bool
    default: false
  force:
    description:
      - V(staged) - lay the release out anew, even with other content, unless it is live.
      - V(active) - restart and verify even when all is well.
      - V(absent) - remove C(shared/) too.
    type: bool
    default: false
  as_recorded:
    description:
      - Use the O(service), O(environment), O(health), O(min_healthy) and O(interval) with which O(release), or else the live release, was last made live
        on this host, if it ever was. The checks of one version may ask for that version's answers, so going back needs its own.
    type: bool
    default: false
  slot:
    description:
      - Kept for providers that run two releases side by side. This one does not; any value is refused.
    type: str
seealso:
  - module: fraisier.deploy.health_check
  - module: fraisier.deploy.release
"""

EXAMPLES = r"""
- name: Lay a release out beside the live one
  fraisier.deploy.bare_metal:
    state: staged
    path: /srv/shop_api
    release: 1.4.2
    source:
      archive:
        src: https://downloads.example.org/shop-api-1.4.2.tar.gz
        sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
        strip_components: 1
    shared: [var/uploads]

- name: Lay out a tag of a repository and build it
  fraisier.deploy.bare_metal:
    state: staged
    path: /srv/shop_api
    release: 1.4.2
    source:
      git:
        repo: https://git.example.org/shop/api.git
        ref: v1.4.2
    build: python3 -m venv .venv && .venv/bin/pip install .

- name: Make it live; the host goes back by itself when it is not healthy for ten seconds in a row
  fraisier.deploy.bare_metal:
    state: active
    path: /srv/shop_api
    release: 1.4.2
    service:
      name: shop-api.service
    health:
      - http:
          url: http://127.0.0.1:8000/health
          version_path: version

- name: Keep five releases, and remember the live one as good
  fraisier.deploy.bare_metal:
    state: pruned
    path: /srv/shop_api
    good: true

- name: What is on this host, and how is it?
  fraisier.deploy.bare_metal:
    state: inspected
    path: /srv/shop_api
    as_recorded: true
"""

RETURN = r"""
release:
  description: The release that the call was about or, after O(state=active) and where none was named, the one that is live.
  returned: always but for errors before anything was looked at
  type: dict
  contains:
    version:
      description: The version, or nothing when none is live.
      type: str
      sample: 1.4.2
    current:
      description: The version that is live now.
      type: str
      sample: 1.4.2
    previous:
      description: What undo goes back to.
      type: str
      sample: 1.4.1
    slot:
      description: Always nothing.
      type: str
    path:
      description: The release's folder.
      type: str
      sample: /srv/shop_api/releases/1.4.2
    digest:
      description:
        - What the release is, C(sha256:) of its archive or C(git:) and its commit.
        - In check mode what it would be, as far as that can be told without fetching it.
      type: str
      sample: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    current_digest:
      description: What the release that is live is.
      returned: with O(state=staged)
      type: str
      sample: sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
    activated_at:
      description: When it became live, in UTC.
      type: str
      sample: "2026-01-31T08:00:00.000001Z"
    last_good:
      description: The version that was last remembered as good.
      type: str
      sample: 1.4.1
health:
  description: What the last look at the checks found; nothing when there was none.
  returned: with O(state=active) and O(state=inspected)
  type: dict
  contains:
    status:
      description: V(healthy), V(degraded) or V(unhealthy).
      type: str
      sample: healthy
    message:
      description: One line that says why.
      type: str
      sample: all checks pass
    checks:
      description: Every check with its type, target, ok, attempts, duration and message.
      type: list
      elements: dict
      sample: [{type: http, target: "http://127.0.0.1:8000/health", ok: true, attempts: 11, duration: 0.0021, message: 200 OK}]
service:
  description: The service as its manager sees it; nothing when there is none or it was not looked at.
  returned: with O(state=active), O(state=inactive) and O(state=inspected)
  type: dict
  contains:
    manager:
      description: The service manager.
      type: str
      sample: systemd
    name:
      description: The service's name.
      type: str
      sample: shop-api.service
    active:
      description: Whether it runs.
      type: bool
      sample: true
    pid:
      description: The process id of its main process.
      type: int
      sample: 4711
    restarts:
      description: How often its manager restarted it by itself.
      type: int
      sample: 0
    detail:
      description: What the manager says, by its own names.
      type: dict
      sample: {ActiveState: active}
reverted:
  description: Whether the activation failed and the host is again as it was before, with the release before serving.
  returned: always but for errors before anything was looked at
  type: bool
  sample: false
timings:
  description: Seconds that each part took; going back adds to V(switch), V(restart) and V(verify).
  returned: always but for errors before anything was looked at
  type: dict
  sample: {fetch: 0.01, unpack: 0.02, build: 0.0, switch: 0.001, restart: 0.1, verify: 10.0}
pruned:
  description: Versions that were removed.
  returned: with O(state=pruned)
  type: list
  elements: str
  sample: [1.3.0]
releases:
  description: Whole releases on the host, newest first.
  returned: with O(state=inspected)
  type: list
  elements: dict
  contains:
    version:
      description: The version.
      type: str
      sample: 1.4.2
    digest:
      description: What it is.
      type: str
      sample: git:5f2c3d1e4b5a69788796a5b4c3d2e1f009182736
    source:
      description: Where its files came from, without secrets.
      type: dict
      sample: {kind: git, repo: "https://git.example.org/shop/api.git", ref: v1.4.2}
    staged_at:
      description: When it was laid out.
      type: str
      sample: "2026-01-31T07:59:00.000001Z"
    failed_at:
      description: When it was turned back, if its last activation failed.
      type: str
interrupted:
  description: The journal of an activation that was cut off or is under way, with its C(from), C(to), C(phase) and C(at); nothing when there is none.
  returned: with O(state=inspected)
  type: dict
  sample: {from: 1.4.1, to: 1.4.2, phase: switch, at: "2026-01-31T08:00:00.000001Z"}
error:
  description: What went wrong, for machines.
  returned: failure
  type: dict
  contains:
    id:
      description: Identifies this one error.
      type: str
      sample: 0f0a6a3e-5d0c-4d8e-9d7e-0f2f7a1c2b3d
    code:
      description: The kind of error.
      type: str
      sample: HEALTH_CHECK_FAILED
    category:
      description: Where it belongs.
      type: str
      sample: INTERNAL
    severity:
      description: How bad it is.
      type: str
      sample: HIGH
    recoverable:
      description: Whether the same call may succeed later.
      type: bool
      sample: true
    infrastructure:
      description: Whether the cause lies outside the release; such an error never marks a release bad.
      type: bool
      sample: false
    message:
      description: What happened.
      type: str
      sample: "Release 1.4.2 is not healthy: http://127.0.0.1:8000/health: 500, wanted 200"
    hint:
      description: The remedy.
      type: str
      sample: Look at its log on the host.
    context:
      description: More facts, such as the end of the service's log.
      type: dict
      sample: {release: 1.4.2, origin: 1.4.1, current: 1.4.1}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.provider import ARGUMENT_SPEC, REQUIRED_IF, run
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.module_utils.health.validation import secret_values


def main():
    """Entry point of the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, required_if=REQUIRED_IF, supports_check_mode=True)
    # Ansible knows the headers of an entry by its argument_spec, but not those nested in a composite.
    module.no_log_values.update(value for value in secret_values(module.params["health"]) if value)
    try:
        result = run(module.params, check_mode=module.check_mode, diff=module._diff, warn=module.warn)
    except FraisierError as error:
        module.fail_json(msg=str(error), error=error.to_dict(), **(error.result or {}))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
