# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step that lasts in the middle of a play: a pause of a canary, an approval that is waited for, an analysis. Operators are obeyed all the while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import Lasting

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment


def begin_step(current: OpenDeployment, step: Mapping[str, Any], now: float) -> dict[str, Any]:
    """From now on the gate ``during`` waits for ``step`` {text, seconds, then}; the data of the event that says so."""
    current.waits.step = Lasting(str(step["text"]), float(step["seconds"]), now, str(step.get("then") or ""))
    return {"at": "during", "batch": current.batches_seen, "reason": current.waits.step.text}


def end_step(current: OpenDeployment) -> bool:
    """The step has lasted its time, its work is done, or an operator has spoken: whether he promoted it. One that nobody approved aborts the deployment."""
    waits, progress = current.waits, current.progress
    step, waits.step, waits.holding = waits.step, None, ""
    if step is None:
        return False
    if step.then == "abort" and not step.promoted and progress.may_go().go:
        progress.abort(f"aborted, for nobody approved in time: {step.text}", leave=False)
    return step.promoted
