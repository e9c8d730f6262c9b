#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: store
short_description: Ask the store, or look after it
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Reads history, status and state of the store, migrates its schema, prunes it, backs it up or restores it, and shows the answer as a table.
  - Runs in the controller and needs no connection. Needs the callback P(fraisier.deploy.recorder#callback).
extends_documentation_fragment:
  - fraisier.deploy.attributes
  - fraisier.deploy.attributes.actiongroup_deploy
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: O(query=prune) lists the deployments that go.
  idempotent:
    support: full
options:
  query:
    description:
      - What to ask.
      - V(migrate) brings the schema up to date; V(sql) gives the statements that a database administrator can read and apply by hand.
      - V(grants) gives the statements that let O(role) work as a controller and no more. It can add to the record and not change it. Not with SQLite.
      - V(check) fails when the store is not in order, and says what helps.
      - V(prune) forgets deployments and events that are older than O(keep_days) and that nothing needs; check mode says what would go. It may take an hour.
      - V(backup) writes all of the store to O(path), readable by this user only, and a description with its digest beside it.
      - V(restore) puts a backup in the place of the store, in one step. It refuses while a lock is held or a deployment is open.
        In check mode both look at everything and change nothing.
    type: str
    required: true
    choices: [backup, check, deployment, fleet, grants, history, migrate, plan, plans, prune, restore, sql, status]
  fraise:
    description: Only this service.
    type: str
  fraise_environment:
    description: Only this environment.
    type: str
  deployment:
    description: The deployment to show with V(deployment), its identifier or id.
    type: str
  plan:
    description: The plan to show with V(plan), its hash or at least 12 letters of its start.
    type: str
  limit:
    description: How many deployments V(history) and how many plans V(plans) shows at the most.
    type: int
    default: 20
  role:
    description: The role or user of the database that V(grants) gives the rights of a controller to.
    type: str
  answers:
    description: Host to the result of its step V(inspect), shown beside what is recorded by V(status).
    type: dict
  keep_days:
    description: V(prune) keeps what is younger than this many days, at least 1.
    type: int
    default: 365
  keep:
    description: V(prune) keeps this many of the newest deployments of each service in each environment, at least 1.
    type: int
    default: 50
  path:
    description:
      - With V(backup) the file to write, or a folder for a new one. By default a new file in C(fraisier/backups) of the user's XDG state folder.
      - With V(restore) the backup to bring back.
    type: str
  verify:
    description:
      - Whether V(backup) brings the backup back in a scratch database and compares it, where this user may create one.
    type: bool
    default: true
  replace:
    description: Whether V(backup) may put its file in the place of an older one, and V(restore) its store in the place of one that is not empty.
    type: bool
    default: false
  time_limit:
    description: Seconds after which V(backup) and V(restore) end each program of the database that they run.
    type: float
    default: 3600
  show:
    description: Whether to print the table.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show the last deployments
  fraisier.deploy.store:
    query: history
    fraise: shop_api
    limit: 5

- name: Forget what is older than two years
  fraisier.deploy.store:
    query: prune
    keep_days: 730

- name: Back the store up into a new file of this folder
  fraisier.deploy.store:
    query: backup
    path: /var/backups/fraisier

- name: Bring a backup back
  fraisier.deploy.store:
    query: restore
    path: /var/backups/fraisier/store-20260131T080000Z.db
    replace: true
"""

RETURN = r"""
answer:
  description: The answer as values.
  returned: success
  type: raw
lines:
  description: The answer as a table, a line each.
  returned: success
  type: list
  elements: str
error:
  description: The error with its code, category, message and hint.
  returned: on failure
  type: dict
"""
