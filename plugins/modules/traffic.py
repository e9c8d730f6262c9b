#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: traffic
short_description: Take a host out of its load balancer, put it back, or change its weight
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Runs the module M(fraisier.deploy.balancer) on the host that C(delegate_to) names, and has the intent and the outcome recorded as steps C(drain),
    C(undrain) and C(weight) of the host whose traffic is changed.
  - In an open deployment the fencing token travels along. Outside one the balancer is called just so.
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
  state:
    description: As the option of the same name of M(fraisier.deploy.balancer).
    type: str
    required: true
    choices: [drained, inspected, ready, weighted]
  driver:
    description: The kind of balancer.
    type: str
    required: true
    choices: [haproxy, nginx]
  balancers:
    description: All balancers that stand before the host, so that an empty list or an unknown host is refused.
    type: list
    elements: raw
  balancer:
    description:
      - The entry of O(balancers) that this call is for. As a dictionary it has C(host) and, where they differ from the others',
        C(driver), C(backend), C(server), C(path), C(haproxy), C(nginx).
    type: raw
  backend:
    description: The backend (HAProxy) or upstream (nginx).
    type: str
    required: true
  server:
    description: The host's name in the backend. Needed unless O(state=inspected).
    type: str
  hosts:
    description:
      - With O(state=weighted), hosts of the inventory that all get O(weight), in place of O(server).
      - Their names in the backend are their own C(traffic_server), or what their C(traffic_balancers) say, else their names in the inventory.
    type: list
    elements: str
  weight:
    description: 0 to 100, in percent of the weight that the balancer's configuration gives the server.
    type: raw
  batch:
    description: With O(state=inspected), how many hosts are about to be out of service at once. Refused when fewer than O(min_available) would stay.
    type: int
  min_available:
    description: How many servers stay in service whatever happens.
    type: int
    default: 1
  limit:
    description: Seconds that a drain waits, for other servers to come back and then for what is in flight.
    type: float
    default: 30.0
  ready_timeout:
    description: Seconds within which the balancer must see the server up.
    type: float
    default: 60.0
  timeout:
    description: Seconds for each question to the balancer.
    type: float
    default: 5.0
  only_ours:
    description: With O(state=ready), leave a server out of service that somebody else took out.
    type: bool
    default: false
  path:
    description: Folder of notes on the balancer's host.
    type: str
    default: /var/lib/fraisier/traffic
  haproxy:
    description: As the option of M(fraisier.deploy.balancer).
    type: dict
  nginx:
    description: As the option of M(fraisier.deploy.balancer).
    type: dict
seealso:
  - module: fraisier.deploy.balancer
"""

EXAMPLES = r"""
- name: Take this host out of its balancer
  fraisier.deploy.traffic:
    state: drained
    driver: haproxy
    backend: shop_api
    server: "{{ inventory_hostname }}"
  delegate_to: lb1
"""

RETURN = r"""
step:
  description: The step, C(drain), C(undrain) or C(weight).
  returned: when something was to be changed
  type: str
balancer:
  description: The host that has the balancer.
  returned: success
  type: str
server:
  description: The server as the balancer sees it now.
  returned: success
  type: dict
servers:
  description: All servers of the backend.
  returned: success
  type: list
  elements: dict
available:
  description: How many servers are in service.
  returned: success
  type: int
ended:
  description: How it ended, V(drained) or V(limit) of a drain, V(ready) or V(left out).
  returned: success
  type: str
in_flight:
  description: How many connections were under way at the end of a drain.
  returned: when draining
  type: int
timings:
  description: Seconds that each part took.
  returned: success
  type: dict
error:
  description: The error with its code, category, message and hint.
  returned: on failure
  type: dict
"""
