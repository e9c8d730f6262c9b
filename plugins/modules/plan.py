#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Write down a deployment before it happens
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Makes a plan of an opening in check mode and of what hosts answered when they were asked to stage in check mode, writes it down and shows it.
  - The plan is named by the hash of all that decides what runs, so the same plan made twice is one.
  - Runs in the controller and needs no connection. Needs the callback P(fraisier.deploy.recorder#callback).
extends_documentation_fragment:
  - fraisier.deploy.attributes
  - fraisier.deploy.attributes.actiongroup_deploy
attributes:
  check_mode:
    support: full
    details:
      - In check mode the plan is shown and not written down.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  show:
    description: Whether to print the plan.
    type: bool
    default: true
seealso:
  - module: fraisier.deploy.deployment
"""

EXAMPLES = r"""
- name: Write the plan down
  fraisier.deploy.plan:
    show: true
  run_once: true
  register: shop_plan
"""

RETURN = r"""
plan:
  description: The plan's hash.
  returned: success
  type: str
  sample: 3f0c5b6d1e2a49788796a5b4c3d2e1f0091827364554637281900a1b2c3d4e5f
document:
  description: What the hash is of, that is fraise, environment, kind, version, batches, budgets, digests of options, and for each host what it has and gets.
  returned: success
  type: dict
expected_seconds:
  description: How long it will take, from deployments that succeeded before; nothing without one.
  returned: success
  type: float
  sample: 42.5
obstacles:
  description: What would refuse the plan if it was applied now, such as a lock, a freeze or a quarantine. Each has C(code) and C(what).
  returned: success
  type: list
  elements: dict
lines:
  description: The plan as a table, a line each.
  returned: success
  type: list
  elements: str
error:
  description: The error with its code, category, message and hint.
  returned: on failure
  type: dict
"""
