#!/usr/bin/python
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Wait until a service is healthy
version_added: 0.1.0
description:
  - Looks at a service from its own host, by HTTP, TCP, a command or its unit, until all checks have held for O(min_healthy) seconds in a row.
  - Fails when O(timeout) passes before that, and at once when O(service) dies or its manager starts it again and again.
  - This is the code with which M(fraisier.deploy.bare_metal) verifies a release, to be used alone.
author:
  - fraisier.deploy contributors (!UNKNOWN)
extends_documentation_fragment:
  - fraisier.deploy.attributes
  - fraisier.deploy.attributes.actiongroup_deploy
  - fraisier.deploy.health
  - fraisier.deploy.service
attributes:
  check_mode:
    support: full
    details:
      - The module only reads, so it does the same in check mode.
  diff_mode:
    support: none
    details:
      - Nothing ever changes.
  idempotent:
    support: full
options:
  timeout:
    description:
      - Seconds in all, more than O(min_healthy).
    type: float
    default: 300.0
  path:
    description:
      - Absolute path of the fraise's folder on the host, under which O(service) with manager V(process) has its pid file.
    type: path
  version:
    description:
      - The version that answers must name, for checks with O(health[].http.version_path).
    type: str
seealso:
  - module: ansible.builtin.uri
  - module: ansible.builtin.wait_for
"""

EXAMPLES = r"""
- name: The new version answers for ten seconds in a row
  fraisier.deploy.health_check:
    health:
      - http:
          url: http://127.0.0.1:8000/health
          version_path: version
    version: "1.4.2"
    service:
      name: shop-api.service

- name: Two of three backends are enough, and the port of the metrics must be open
  fraisier.deploy.health_check:
    health:
      - quorum:
          count: 2
          of:
            - http: {url: "http://10.0.0.1:8000/health"}
            - http: {url: "http://10.0.0.2:8000/health"}
            - http: {url: "http://10.0.0.3:8000/health"}
      - tcp:
          port: 9100
    min_healthy: 3
    timeout: 60

- name: A unit stays up for half a minute
  fraisier.deploy.health_check:
    service:
      name: shop-worker.service
      scope: user
    min_healthy: 30
"""

RETURN = r"""
health:
  description: What was found in the last look.
  returned: always but for wrong options
  type: dict
  contains:
    status:
      description: V(healthy), V(degraded) (passes by C(any) or C(quorum) while a member fails) or V(unhealthy).
      type: str
      sample: healthy
    message:
      description: One line that says why.
      type: str
      sample: all checks pass
    checks:
      description: Every check, a composite before its members.
      type: list
      elements: dict
      contains:
        type:
          description: The kind of check.
          type: str
          sample: http
        target:
          description: What was asked, without secrets.
          type: str
          sample: http://127.0.0.1:8000/health
        ok:
          description: Whether it held in the last look.
          type: bool
          sample: true
        attempts:
          description: How often it was asked.
          type: int
          sample: 11
        duration:
          description: Seconds that the last answer took.
          type: float
          sample: 0.0021
        message:
          description: What was found.
          type: str
          sample: 200 OK
duration:
  description: Seconds from the first look to the verdict.
  returned: always but for wrong options
  type: float
  sample: 10.012
error:
  description: What went wrong, for machines.
  returned: failure
  type: dict
  contains:
    id:
      description: Identifies this one error.
      type: str
      sample: 0f0a6a3e-5d0c-4d8e-9d7e-0f2f7a1c2b3d
    code:
      description: The kind of error.
      type: str
      sample: HEALTH_CHECK_FAILED
    category:
      description: Where it belongs.
      type: str
      sample: INTERNAL
    severity:
      description: How bad it is.
      type: str
      sample: HIGH
    recoverable:
      description: Whether the same call may succeed later.
      type: bool
      sample: true
    infrastructure:
      description: Whether the cause lies outside the release.
      type: bool
      sample: false
    message:
      description: What happened.
      type: str
      sample: "not healthy within 60 s: tcp 127.0.0.1:9100: Connection refused"
    hint:
      description: The remedy.
      type: str
      sample: ""
    context:
      description: More facts.
      type: dict
      sample: {"status": "unhealthy", "crashed": false}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.module_utils.health import secret_values
from ansible_collections.fraisier.deploy.plugins.module_utils.health.entry import ARGUMENT_SPEC, run


def main():
    """Entry point of the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    # Ansible knows the headers of an entry by its argument_spec, but not those nested in a composite.
    module.no_log_values.update(value for value in secret_values(module.params["health"]) if value)
    try:
        result = run(module.params, check_mode=module.check_mode, warn=module.warn)
    except FraisierError as error:
        module.fail_json(msg=str(error), error=error.to_dict(), **(error.result or {}))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
