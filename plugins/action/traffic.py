# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.traffic_action import TrafficAction


class ActionModule(TrafficAction):
    """One balancer's view of one host. The work is in plugin_utils/traffic_action."""
