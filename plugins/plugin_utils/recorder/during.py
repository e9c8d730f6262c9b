# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step that lasts in the middle of a play: a pause of a canary, an approval that is waited for, an analysis. Operators are obeyed all the while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten_line
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import Lasting

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment

LONGEST_REASON = 500


def begin_step(current: OpenDeployment, step: Mapping[str, Any], now: float) -> dict[str, Any] | None:
    """From now on the gate ``during`` waits for ``step`` {text, seconds, then, every, halts}; the data of the event that says so, None when it goes on.

    With ``every`` the gate goes on after so many seconds, so that somebody can look; the same text goes on with the step until its seconds are over.
    """
    if step.get("halts"):
        current.progress.halted = current.progress.halted or shorten_line(str(step["halts"]), LONGEST_REASON)
    every = float(step["every"]) if step.get("every") else None
    going_on = current.waits.step
    if every is not None and going_on is not None and going_on.text == step["text"]:
        going_on.pass_time(now, still=current.waits.pause is not None and current.waits.pause.began_at is not None)
        going_on.slice_left = every
        return None
    current.waits.step = Lasting(str(step["text"]), float(step["seconds"]), now, str(step.get("then") or ""), slice_left=every)
    return {"at": "during", "batch": current.batches_seen, "reason": current.waits.step.text}


def end_step(current: OpenDeployment) -> bool:
    """The gate goes on, for the step has lasted its time, it is to be looked at, or an operator has spoken: whether that was a promotion.

    A step that nobody approved aborts the deployment. In check mode nothing lasts.
    """
    waits, progress = current.waits, current.progress
    step = waits.step
    if step is None:
        return False
    if step.slice_left is not None and step.left > 0 and not step.promoted and current.identity is not None and progress.may_go().go:
        return False
    waits.step, waits.holding = None, ""
    if step.then == "abort" and not step.promoted and progress.may_go().go:
        progress.abort(f"aborted, for nobody approved in time: {step.text}", leave=False)
    return step.promoted
