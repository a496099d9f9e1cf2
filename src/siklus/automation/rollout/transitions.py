"""From one state of a rollout to the next: what a decision, or somebody by hand, makes of it. Pure."""

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from siklus.automation.rollout.rollout import Action, Decision, Phase, Rollout, StepCounts

By: TypeAlias = Literal["promoted", "rolled_back", "stopped", "overtaken"]
ENDS: dict[Action, Phase] = {"promote": "promoted", "roll_back": "rolled_back", "give_up": "given_up"}


def applied(rollout: Rollout, decision: Decision, *, counted: StepCounts, now: datetime) -> Rollout:
    """The state after a decision of `stepping.next_step`; ``counted`` is what its evidence has counted.

    The very same where nothing has changed, so that nothing needs to be written; else ``revision`` is one
    more. What is over stays as it is.
    """
    if not rollout.going_on:
        return rollout
    noted = msgspec.structs.replace(rollout, standing=decision.standing, reason=decision.reason)
    if decision.action == "advance":
        noted = msgspec.structs.replace(
            noted, step=rollout.step + 1, since=now, closed=(*rollout.closed, counted)
        )
    elif decision.action != "hold":
        noted = msgspec.structs.replace(
            noted, phase=ENDS[decision.action], closed=(*rollout.closed, counted), paused=None
        )
    return _written(rollout, noted)


def paused(rollout: Rollout, *, now: datetime, reason: str = "") -> Rollout:
    """Its shares stay as they are. It is still rolled back when its challenger proves worse."""
    if rollout.phase != "running":
        return rollout
    return _written(rollout, msgspec.structs.replace(rollout, phase="paused", paused=now, reason=reason))


def resumed(rollout: Rollout, *, now: datetime, reason: str = "") -> Rollout:
    """It goes on where it was. The pause is not counted as time that it took."""
    if rollout.phase != "paused":
        return rollout
    pause = 0.0 if rollout.paused is None else max((now - rollout.paused).total_seconds(), 0.0)
    return _written(
        rollout,
        msgspec.structs.replace(
            rollout, phase="running", paused=None, rested=rollout.rested + pause, reason=reason
        ),
    )


def ended(rollout: Rollout, by: By, *, reason: str) -> Rollout:
    """Over by hand: promoted or rolled back by somebody, stopped, or overtaken by another decision."""
    if not rollout.going_on:
        return rollout
    return _written(rollout, msgspec.structs.replace(rollout, phase=by, paused=None, reason=reason))


def _written(before: Rollout, after: Rollout) -> Rollout:
    return before if after == before else msgspec.structs.replace(after, revision=before.revision + 1)
