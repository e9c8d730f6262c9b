#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: balancer
short_description: Who gets requests from HAProxy or nginx
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Runs on the host of a load balancer and changes one server of one backend, under a lock of that backend.
  - A server is drained only when at least O(min_available) others are in service. What cannot be is refused before anything changes.
  - HAProxy is told by its runtime API. nginx by a file of server lines that its upstream includes, C(nginx -t) and a reload.
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
    description:
      - V(drained), no new requests for O(server); returns when none is in flight or O(limit) has come, and says which.
      - V(ready), requests again, once the balancer itself sees the server up.
      - V(weighted), O(weight) percent of the weight that the configuration gives the server.
      - V(inspected), only a look.
    type: str
    required: true
    choices: [drained, inspected, ready, weighted]
  driver:
    description: The kind of balancer.
    type: str
    required: true
    choices: [haproxy, nginx]
  backend:
    description: The backend (HAProxy) or upstream (nginx).
    type: str
    required: true
  server:
    description: The name of the server in it. Needed unless O(state=inspected).
    type: str
  servers:
    description: With O(state=weighted), the names of several servers that get the same O(weight), in place of O(server).
    type: list
    elements: str
  weight:
    description: 0 to 100.
    type: int
  min_available:
    description: How many servers stay in service whatever happens. 0 accepts that nobody serves.
    type: int
    default: 1
  limit:
    description: Seconds that a drain waits, first for other servers to come back, then for what is in flight.
    type: float
    default: 30.0
  only_ours:
    description: With O(state=ready), leave a server out of service that this module did not drain.
    type: bool
    default: false
  ready_timeout:
    description: Seconds within which the balancer must see the server up.
    type: float
    default: 60.0
  timeout:
    description: Seconds for each question to the balancer.
    type: float
    default: 5.0
  lock_timeout:
    description: Seconds to wait for another call on the same backend.
    type: float
    default: 60.0
  path:
    description: Folder for the locks, the highest fencing token of each backend, and notes.
    type: path
    default: /var/lib/fraisier/traffic
  haproxy:
    description: Where HAProxy listens.
    type: dict
    suboptions:
      socket:
        description: Its runtime API with C(level admin), a path or C(host:port).
        type: str
        default: /run/haproxy/admin.sock
      state_file:
        description:
          - The C(server-state-file) of its configuration. After each change the state of all servers is written to it, so that it survives a reload.
          - Without it a reload of HAProxy puts every server back as its configuration says.
        type: path
  nginx:
    description: Where nginx reads its servers.
    type: dict
    suboptions:
      include:
        description: The file of server lines that the upstream block includes.
        type: path
        required: true
      command:
        description: How nginx is called on this host; C(-t) and C(-s reload) are added.
        type: list
        elements: str
        default: [nginx]
      pid_file:
        description: The C(pid) of its configuration.
        type: path
        default: /run/nginx.pid
      health_path:
        description: What is asked of a server to see whether it is up, from the balancer's host. Without it a connection is enough.
        type: str
      access_log:
        description: A log with the format C($upstream_addr $upstream_status), from which requests and errors of each server are counted.
        type: path
  fence:
    description: The deployment on whose behalf the call is made. An older one than the newest that the backend has seen is refused.
    type: dict
    suboptions:
      token:
        description: A number that grows with each deployment.
        type: int
        required: true
      owner:
        description: Who holds it.
        type: str
      owner_name:
        description: The same for people.
        type: str
seealso:
  - module: fraisier.deploy.traffic
"""

EXAMPLES = r"""
- name: See who is in service
  fraisier.deploy.balancer:
    state: inspected
    driver: haproxy
    backend: shop_api
  delegate_to: lb1

- name: A tenth of the requests for web3
  fraisier.deploy.balancer:
    state: weighted
    driver: nginx
    backend: shop_api
    server: web3
    weight: 10
    nginx:
      include: /etc/nginx/fraisier/shop_api.conf
  delegate_to: lb1
"""

RETURN = r"""
driver:
  description: The kind of balancer.
  returned: success
  type: str
backend:
  description: The backend.
  returned: success
  type: str
server:
  description: The server, or nothing when all were inspected.
  returned: success
  type: dict
  sample: {name: web3, address: "10.0.0.3:8000", state: ready, weight: 100, in_flight: 2, health: up, requests: 812, errors: 0, in_service: true}
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
  returned: when something was to be changed
  type: str
in_flight:
  description: How many connections were under way at the end of a drain.
  returned: when draining
  type: int
timings:
  description: Seconds waited for other servers, for what was in flight, and for the balancer to see the server up.
  returned: success
  type: dict
  sample: {wait: 0.0, drain: 0.4, ready: 0.0}
error:
  description: The error with its code, category, message and hint.
  returned: on failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.entry import ARGUMENT_SPEC, run
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError


def main():
    """Entry point of the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module.params, check_mode=module.check_mode, diff=module._diff, warn=module.warn)
    except FraisierError as error:
        module.fail_json(msg=str(error), error=error.to_dict(), **(error.result or {}))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
