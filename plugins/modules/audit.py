#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: audit
short_description: Prove that the record of deployments was not changed
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - The store keeps an audit, a chain of rows that is only added to, each of which carries the hash of the row before it.
  - This action walks along the chain and names the first row that was changed, taken away, put in or moved; it fails when there is one.
  - It lists rows, exports where the chain ends and checks such a head later, makes signed checkpoints, and forgets old rows behind one.
  - Runs in the controller and needs no connection. Needs the callback P(fraisier.deploy.recorder#callback).
extends_documentation_fragment:
  - fraisier.deploy.attributes
  - fraisier.deploy.attributes.actiongroup_deploy
attributes:
  check_mode:
    support: full
    details: Nothing is written; O(query=prune) says how many rows would go.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: O(query=export) writes its file anew each time.
options:
  query:
    description:
      - What to do.
      - V(verify) walks along the whole chain.
      - V(list) shows the newest rows.
      - V(export) verifies, then writes where the chain ends to O(audit_file), or shows it. Keep that file where nobody of the store gets at it.
      - V(check) verifies, and fails unless the head in O(audit_file) is still in the chain. That also finds a chain that was cut off or written anew.
      - V(checkpoint) verifies, then signs with the key in O(audit_key_file) that the chain is whole up to its end.
      - V(prune) verifies, makes a checkpoint at the newest row that is older than O(keep_days), and forgets the rows up to it.
    type: str
    default: verify
    choices: [check, checkpoint, export, list, prune, verify]
  audit_file:
    description: The file of the exported head, that V(export) writes and V(check) reads.
    type: path
  audit_key_file:
    description:
      - A PEM file with an Ed25519 key. V(checkpoint) and V(prune) need the private key, which nobody else may read; V(export) signs with it when there is one.
      - With V(verify) and V(check) a public key is enough; several keys may stand in one file, so that signatures of older keys are known, too.
      - When it is not given, the environment variable E(FRAISIER_AUDIT_KEY_FILE) names the file.
    type: path
  keep_days:
    description: V(prune) keeps rows that are younger than this many days, at least 1.
    type: int
    default: 365
  limit:
    description: How many rows V(list) shows at the most.
    type: int
    default: 20
  type:
    description:
      - V(list) shows rows of this type only.
      - One of V(configuration), V(deployment), V(health_check), V(lock), V(operator), V(performance), V(provider_error), V(security), V(system), V(webhook).
    type: str
  fraise:
    description: V(list) shows rows of this service only.
    type: str
  fraise_environment:
    description: V(list) shows rows of this environment only.
    type: str
  deployment:
    description: V(list) shows rows of this deployment only, named by its identifier.
    type: str
  host:
    description: V(list) shows rows of this host only.
    type: str
  show:
    description: Whether to print the answer.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Fail when somebody has changed the record
  fraisier.deploy.audit:
    query: verify

- name: Keep where the chain ends
  fraisier.deploy.audit:
    query: export
    audit_file: /mnt/elsewhere/head.json

- name: Forget rows that are older than two years
  fraisier.deploy.audit:
    query: prune
    keep_days: 730
    audit_key_file: /etc/fraisier/audit-key.pem
"""

RETURN = r"""
answer:
  description:
    - V(ok) is whether the chain is whole; then V(position) and V(hash) are where it ends.
    - Otherwise V(problem) has the position, the kind and a sentence about the first thing that is wrong.
    - With O(query=list) V(rows) are the rows.
  returned: always
  type: dict
lines:
  description: The answer for people, a line each.
  returned: always
  type: list
  elements: str
error:
  description: The error with its code, category, message and hint, when something else than the chain was wrong.
  returned: on failure
  type: dict
"""
