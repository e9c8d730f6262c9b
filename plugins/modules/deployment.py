#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deployment
short_description: Open and close a deployment
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - With O(state=open) takes the lock of the fraise in its environment, makes the plan and writes the record.
  - With O(state=recover) decides, from what the hosts answered, whether a deployment that was cut off is finished or undone.
  - With O(state=closed) writes the outcome, frees the lock and fails the run if the deployment did not succeed.
  - Runs in the controller and needs no connection. Needs the callback P(fraisier.deploy.recorder#callback).
  - In check mode nothing is locked or written, and closing prints the plan.
extends_documentation_fragment:
  - fraisier.deploy.attributes
  - fraisier.deploy.attributes.actiongroup_deploy
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each opening is a deployment of its own.
options:
  state:
    description: What to do.
    type: str
    required: true
    choices: [open, closed, recover]
  kind:
    description:
      - Whether this brings a new version, goes back to a good one, settles a deployment that was cut off, or brings hosts that were left out to what
        the fleet has.
      - With V(recover), version, batches and failure budget are those of that deployment; when there is none, nothing is opened and RV(needed=false).
    type: str
    default: deploy
    choices: [deploy, rollback, recover, catchup]
  fraise:
    description: The service, a group of the inventory. Required to open.
    type: str
  fraise_environment:
    description: Where it runs, for example V(production). Required to open.
    type: str
  fraise_type:
    description: The kind of service, V(api), V(etl) or V(scheduled).
    type: str
    default: api
  version:
    description:
      - The version to bring, a text. Required for O(kind=deploy) without O(plan); a rollback without it goes to the last good version.
      - Needless for O(kind=catchup), which takes the version of the fleet and refuses another one.
      - A number is refused, for V(1.10) without quotes is the number 1.1 in YAML.
    type: raw
  provider:
    description: How hosts run the release.
    type: str
    default: bare_metal
  strategy:
    description: In which order hosts change.
    type: str
    default: rolling
  batches:
    description: Widths of the batches, counts or percents of the hosts; the last one repeats.
    type: raw
    default: [1]
  steps:
    description:
      - The steps of O(strategy=canary), each one key and its value, C(hosts), C(weight), C(pause) or C(analysis).
      - Without it 5, 10, 25, 50 and 100 percent of the hosts, with 600 seconds after the first.
    type: raw
  weights:
    description: Whether the driver of the traffic has weights, so that a step may name one.
    type: bool
    default: false
  adaptive:
    description:
      - Whether the batches of O(strategy=rolling) grow after healthy ones and halve after slow or failed ones.
      - The first width of O(batches) is the first and what is added, the widest of them the most.
    type: bool
    default: false
  watch:
    description: For how many seconds all hosts are watched after the last batch, before the deployment counts as a success.
    type: raw
    default: 0
  watch_interval:
    description: Seconds between two looks at all hosts. At most 120 looks are taken, so a long watch looks less often.
    type: raw
    default: 10
  watch_failures:
    description: After how many bad looks in a row at a host the deployment is undone.
    type: int
    default: 2
  max_failed:
    description: How many hosts may fail, a count or a percent, before the deployment is halted and undone.
    type: raw
    default: 0
  max_unreachable:
    description:
      - How many hosts may be unreachable, a count or a percent, to be left out and owed. More of them count as failed, all of them.
      - For O(kind=catchup) any number of hosts may.
    type: raw
    default: 0
  new_hosts:
    description: With O(kind=catchup), whether hosts that nobody ever deployed to count as owed, too.
    type: bool
    default: false
  pause:
    description: Seconds for which a batch that changed something is watched before the next one goes, at most a day.
    type: raw
    default: 0
  reason:
    description: Why, for the record.
    type: str
  wait:
    description:
      - Seconds to wait for the lock while another deployment holds it.
      - A recovery waits by itself until the lease of the holder ends, for that of a dead one is not renewed.
      - A lock that a person or an undo has placed is not waited for.
    type: int
    default: 0
  plan:
    description:
      - The plan that is applied, its hash or at least 12 letters of its start. The version may then be left out.
      - Refused with C(PLAN_DRIFTED) when hosts, batches, budgets, version, kind, provider or strategy are not those of the plan. What hosts have, the
        release's content and the options are compared before the first batch, when nothing live has changed.
    type: str
    default: ""
  approvals:
    description: How many people must have approved the plan. More than 0 refuses an opening of O(kind=deploy) without O(plan), but for check mode.
    type: int
    default: 0
  approve_own:
    description: Whether the one who made the plan may be among those who approve it.
    type: bool
    default: false
  recover:
    description:
      - With O(kind=recover), whether to finish or to undo what was cut off. By default the safer one, told with its reason.
    type: str
    choices: [finish, undo]
  override:
    description:
      - Why a lock, a freeze or a quarantine does not count this time. It is recorded with what it passed.
      - A success lifts the quarantine of the release.
    type: str
  lock_after_undo:
    description: Whether an undo locks the service in its environment until a person unlocks it.
    type: bool
    default: true
  undo_limit:
    description: How many undos in a row stop deployments until a person unlocks them, V(0) for never.
    type: int
    default: 3
  freezes:
    description:
      - Windows in which the service is not deployed, a list. A rollback is never frozen.
      - Each has C(name), C(reason) and C(timezone) (a name of the IANA database), and C(from) and C(to) as ISO 8601, or C(cron) (five fields) and C(hours).
    type: raw
  environment_freezes:
    description: The same for every service of the environment.
    type: raw
"""

EXAMPLES = r"""
- name: Open
  fraisier.deploy.deployment:
    state: open
    fraise: shop_api
    fraise_environment: production
    version: 1.4.2
    batches: [1, "25%", "100%"]
  run_once: true
  register: fraisier_deployment

- name: Apply a plan that two people approved
  fraisier.deploy.deployment:
    state: open
    fraise: shop_api
    fraise_environment: production
    plan: 3f0c5b6d1e2a
    approvals: 2
  run_once: true
  register: fraisier_deployment
- name: Decide what becomes of a deployment that was cut off, once every host was inspected
  fraisier.deploy.deployment:
    state: recover
  run_once: true

- name: Close
  fraisier.deploy.deployment:
    state: closed
  run_once: true
"""

RETURN = r"""
identifier:
  description: Name of the deployment, fraise, environment and a growing number.
  returned: when opened outside check mode
  type: str
  sample: shop_api:production:12
version:
  description: The version that is brought.
  returned: when opened
  type: str
  sample: 1.4.2
last_good:
  description: The version that was deployed with success last.
  returned: when opened
  type: str
  sample: 1.4.1
token:
  description: The fencing token that hosts check.
  returned: when opened outside check mode
  type: int
  sample: 1795342980
plan:
  description: Hosts, widths of the batches, the hosts of each batch and how many may fail.
  returned: when opened
  type: dict
resumes:
  description: The deployment that was cut off and that this one goes on with.
  returned: when opened
  type: str
  sample: shop_api:production:11
needed:
  description: Whether there is anything to recover.
  returned: with O(kind=recover)
  type: bool
how:
  description: What was decided, V(finish), V(undo), or V(refuse) when an undo was asked for that is not possible.
  returned: with O(state=recover)
  type: str
undoes:
  description: Whether no host is to go forward in this run.
  returned: with O(state=recover)
  type: bool
status:
  description: How the deployment ended.
  returned: when closed
  type: str
  sample: success
reason:
  description: Why it ended so.
  returned: when closed
  type: str
hosts:
  description: For each host its state, the version before and the version it serves.
  returned: when closed
  type: dict
error:
  description: The error with its code, category, message and hint.
  returned: on failure
  type: dict
"""
