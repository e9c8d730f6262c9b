#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: One step in the life of a release on a host
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Chooses the provider, calls it on the host, and has the intent and the outcome of the step recorded.
  - In an open deployment the fencing token travels with every changing step. Outside one the provider is called just so.
  - An archive that lies on the controller travels to the host within the same task.
extends_documentation_fragment:
  - fraisier.deploy.attributes
  - fraisier.deploy.attributes.actiongroup_deploy
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  step:
    description: What to do with the release.
    type: str
    required: true
    choices: [activate, inspect, retire, revert, stage, verify]
  provider:
    description: How the host runs releases.
    type: str
    required: true
  options:
    description:
      - The options of the provider's module, for example M(fraisier.deploy.bare_metal), but C(state) and C(fence), which follow from the step.
      - C(source.archive.src) may be a file of the controller here, or one of the host with C(source.archive.remote_src=true).
    type: dict
    required: true
  reconnect:
    description: Seconds for which a host that cannot be reached is tried again.
    type: int
    default: 0
seealso:
  - module: fraisier.deploy.bare_metal
"""

EXAMPLES = r"""
- name: Stage the release beside what is running
  fraisier.deploy.release:
    step: stage
    provider: bare_metal
    options:
      release: 1.4.2
      path: /srv/shop_api
      source:
        archive:
          src: dist/shop-api-1.4.2.tar.gz
"""

RETURN = r"""
step:
  description: The step.
  returned: success
  type: str
check_mode:
  description: Whether this was only looked at, so that nothing has changed.
  returned: success
  type: bool
release:
  description: The release, with its version, the version before, path and digest.
  returned: success
  type: dict
health:
  description: What the health checks said.
  returned: when they were asked
  type: dict
reverted:
  description: Whether the activation failed and the host went back by itself.
  returned: when activating
  type: bool
timings:
  description: Seconds that each part took.
  returned: success
  type: dict
error:
  description: The error with its code, category, message and hint.
  returned: on failure
  type: dict
"""
