#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gate
short_description: Ask whether the deployment may go on
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Asks the recorder whether the lock is still held and the failure budget is not spent, and which hosts must be undone.
  - Waits while an operator has paused the deployment, and between two batches when that was asked for. Every such wait has an end.
  - A refusal is an answer with RV(go=false), never a failed task, so that the plays after it still run.
  - Runs in the controller and needs no connection.
extends_documentation_fragment:
  - fraisier.deploy.attributes
  - fraisier.deploy.attributes.actiongroup_deploy
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  at:
    description: Which gate, before or after a batch, during a step that lasts, or when all batches have ended.
    type: str
    required: true
    choices: [after, before, during, settle]
  step:
    description:
      - The step of O(at=during), with C(text), what it is for a person, and C(seconds), how long it lasts.
      - C(then) is what follows when nobody has promoted it by then, V(abort) or V(resume). Without it the step just ends.
      - With C(every) the gate goes on after so many seconds, so that somebody can look; asked again with the same text, the step goes on until it is over.
      - C(watches) says that it is the watch of all hosts after the last batch, in which the deployment is C(validating).
      - C(halts) is a reason to go no further. What has changed is undone.
      - Its time stands still while an operator has paused the deployment.
    type: dict
"""

EXAMPLES = r"""
- name: May this batch go?
  fraisier.deploy.gate:
    at: before
  run_once: true
  register: fraisier_gate
"""

RETURN = r"""
at:
  description: The gate that was asked.
  returned: success
  type: str
go:
  description: Whether the deployment may go on.
  returned: success
  type: bool
halts:
  description: Whether this is the gate that halts the deployment; later ones only repeat it.
  returned: success
  type: bool
moved:
  description: Whether anything changed in the batch that was begun last. One in which nothing did need not be watched.
  returned: success
  type: bool
over:
  description: Whether the step of O(at=during) is over, or is only to be looked at.
  returned: success
  type: bool
hosts:
  description: The hosts of this batch, when the width of batches adapts; none when no host is left.
  returned: when the plan is adaptive
  type: list
  elements: str
promoted:
  description: Whether an operator ended the step of O(at=during) before its time.
  returned: success
  type: bool
reason:
  description: Why it may not.
  returned: success
  type: str
failed_hosts:
  description: Hosts that count against the failure budget.
  returned: success
  type: list
  elements: str
batch:
  description: Number of the batch, from 1.
  returned: success
  type: int
batches:
  description: How many batches the plan has.
  returned: success
  type: int
undo:
  description: Hosts to undo, each with the version to go back to (none when it served nothing before). Empty but at O(at=settle) after a halt.
  returned: success
  type: dict
last_good:
  description: The version that was deployed with success last.
  returned: success
  type: str
"""
