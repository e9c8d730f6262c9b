#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: store
short_description: Ask the store, or bring its schema up to date
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Reads history, status and state of the store, or migrates its schema, and shows the answer as a table.
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
      - V(check) fails when the store is not in order, and says what helps.
      - V(prune) forgets deployments and events that are older than O(keep_days) and that nothing needs; check mode says what would go. It may take an hour.
    type: str
    required: true
    choices: [check, deployment, fleet, history, migrate, plan, plans, prune, sql, status]
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
