# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The options with which a release is found healthy: O(health), O(min_healthy), O(interval)."""

    DOCUMENTATION = r"""
options:
  health:
    description:
      - Checks that must all hold. Each entry has exactly one of the kinds below.
      - Without any, the service must stay active.
    type: list
    elements: dict
    default: []
    suboptions:
      http:
        description: An HTTP request and what must hold of its answer. No proxy is used.
        type: dict
        suboptions:
          url:
            description:
              - The whole URL, V(http) or V(https). A user and password in it are sent as basic authentication and never shown.
            type: str
            required: true
          method:
            description: The request's method.
            type: str
            choices: [DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT]
            default: GET
          status:
            description:
              - The accepted status, or a list of them; a range is written V(200-299).
            type: raw
            default: [200]
          body:
            description: Text that the first 64 kB of the body must contain.
            type: str
          body_regex:
            description: Regular expression that must match somewhere in the first 64 kB of the body.
            type: str
          json:
            description:
              - What the JSON body must hold, as dotted path and value, such as C({"build.version":"1.4.2", "nodes.0.ready":true}).
            type: dict
            default: {}
          version_path:
            description: Dotted path in the JSON body whose value must be the expected version.
            type: str
          headers:
            description: Headers of the request. Their values are never shown.
            type: dict
            default: {}
          response_headers:
            description: Headers that the answer must have, with exactly these values.
            type: dict
            default: {}
          follow_redirects:
            description:
              - Whether a redirect is followed, at most 5 times. Another origin gets none of the headers.
            type: bool
            default: false
          validate_certs:
            description: Whether the server's certificate must be valid.
            type: bool
            default: true
          ca_file:
            description: File on the host with the certificates to trust instead of the system's.
            type: path
          client_cert:
            description: File on the host with the client's certificate, and its key unless O(health[].http.client_key) is given.
            type: path
          client_key:
            description: File on the host with the key of O(health[].http.client_cert).
            type: path
          server_name:
            description: Name that the certificate and the C(Host) header bear, when the URL has an address.
            type: str
          unix_socket:
            description: Path of a Unix socket to connect to instead of the URL's host.
            type: path
          timeout:
            description: Seconds for the whole request, however slowly the answer drips in.
            type: float
            default: 5.0
      tcp:
        description: A port that accepts connections.
        type: dict
        suboptions:
          host:
            description: Name, IPv4 or IPv6 address.
            type: str
            default: 127.0.0.1
          port:
            description: The port.
            type: int
            required: true
          timeout:
            description: Seconds to connect.
            type: float
            default: 5.0
      exec:
        description: A command on the host and how it must end.
        type: dict
        suboptions:
          command:
            description: The command as a list of words; no shell.
            type: list
            elements: str
            required: true
          chdir:
            description: Folder in which it runs.
            type: path
          rc:
            description: The wanted return code.
            type: int
            default: 0
          timeout:
            description: Seconds after which it is killed, with what it started, and counts as failed.
            type: float
            default: 5.0
      systemd:
        description: A unit and the state that it must be in.
        type: dict
        suboptions:
          unit:
            description: Name of the unit.
            type: str
            required: true
          scope:
            description: Whose unit it is; V(user) is the user the module runs as.
            type: str
            choices: [system, user]
            default: system
          state:
            description: The wanted C(ActiveState).
            type: str
            default: active
      any:
        description:
          - A list of entries like those of O(health), of which one must pass. When another fails the health is V(degraded).
        type: list
        elements: dict
      all:
        description: A list of entries like those of O(health), which must all pass; useful inside O(health[].any) and O(health[].quorum).
        type: list
        elements: dict
      quorum:
        description: A list of entries of which some number must pass. When another fails the health is V(degraded).
        type: dict
        suboptions:
          count:
            description: How many must pass.
            type: int
            required: true
          of:
            description: A list of entries like those of O(health).
            type: list
            elements: dict
            required: true
  min_healthy:
    description:
      - Seconds in a row for which all checks must hold; 0 when one passing look is enough.
    type: float
    default: 10.0
  interval:
    description:
      - Seconds between two looks. Before the first passing look they start closer together (0.25 s) and back off to 5 s.
    type: float
    default: 1.0
"""
