#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: operate
short_description: Act on a deployment from another terminal
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Pauses, resumes, promotes or aborts the deployment that is under way, from any machine that reaches the same store.
  - The running deployment obeys at its next gate, and within two seconds while it waits. A step of a host that is under way is not cut short.
  - Every act is recorded with who, when and why. Who is the user of the operating system, and the name in the variable C(operator), or the one that AWX gives.
  - Runs in the controller and needs no connection. Needs the callback P(fraisier.deploy.recorder#callback).
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
  verb:
    description:
      - What to do.
      - V(pause) holds the deployment at its next gate; V(resume) ends that.
      - V(promote) skips the current wait, a pause or the time between two batches.
      - V(abort) ends the deployment.
      - V(approve) stands behind a plan (O(plan)), or takes its approvals back.
      - V(lock) refuses deployments of the service, or of every service of the environment when no service is named, until V(unlock) or until it expires.
      - V(unlock) lifts the locks of the service, those that undos have placed too, or the locks of the whole environment when no service is named.
    type: str
    required: true
    choices: [abort, approve, lock, pause, promote, resume, unlock]
  fraise:
    description: The service.
    type: str
  fraise_environment:
    description: Where it runs.
    type: str
  deployment:
    description: The deployment, by its identifier. By default the newest one of the service in its environment.
    type: str
  argument:
    description:
      - Of V(verb=abort) V(undo), the default, to bring every host that changed back, or V(leave) to leave the hosts as they are.
      - Of V(verb=approve) V(give), the default, or V(revoke), which takes back every approval in force, whoever gave it.
      - Of V(verb=unlock) the one lock to lift, by its name. By default all of them.
      - Of V(verb=pause) what follows when it expires, V(resume), the default, or V(abort), which undoes.
    type: str
  reason:
    description: Why. Required for V(verb=abort), V(verb=lock) and V(verb=unlock).
    type: str
  expires:
    description:
      - Of V(verb=pause) the seconds after which it ends by itself. Required there, for every pause ends.
      - Of V(verb=approve) the seconds that the approval lasts, by default a day.
      - Of V(verb=lock) the seconds after which it ends by itself, by default never.
    type: float
  override:
    description: Why a rule that stands in the way does not count this time.
    type: str
  plan:
    description: The plan of V(verb=approve), its hash or at least 12 letters of its start.
    type: str
  revoke:
    description: Whether V(verb=approve) takes back every approval in force, as O(argument=revoke) does.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Hold the deployment for ten minutes
  fraisier.deploy.operate:
    verb: pause
    fraise: shop_api
    fraise_environment: production
    reason: Errors on web1, looking into it
    expires: 600

- name: Approve a plan for four hours
  fraisier.deploy.operate:
    verb: approve
    plan: 3f0c5b6d1e2a
    reason: Tested in staging
    expires: 14400

- name: Let nothing be deployed until somebody unlocks
  fraisier.deploy.operate:
    verb: lock
    fraise: shop_api
    fraise_environment: production
    reason: The database is being moved
"""

RETURN = r"""
verb:
  description: What was asked.
  returned: success
  type: str
msg:
  description: What comes of it, in one line.
  returned: success
  type: str
deployment:
  description: The deployment that was told, by its identifier.
  returned: success
  type: str
command:
  description: Id of the command in the store. None when it said nothing new, or in check mode.
  returned: success
  type: str
plan:
  description: The hash of the plan that was approved.
  returned: with O(verb=approve)
  type: str
expires_at:
  description: When the pause or the approval ends, in UTC.
  returned: when it ends by itself
  type: str
obeyed_at:
  description: When the running deployment obeyed. None when it had not within three seconds.
  returned: when a command was written
  type: str
outcome:
  description: What became of it.
  returned: when a command was written
  type: str
hold:
  description: The name of the lock that was placed.
  returned: with lock
  type: str
holds:
  description: The names of the locks that were lifted.
  returned: with unlock
  type: list
  elements: str
left:
  description: The names of the locks that still stop deployments there.
  returned: with unlock
  type: list
  elements: str
error:
  description: The error with its code, category, message and hint.
  returned: on failure
  type: dict
"""
