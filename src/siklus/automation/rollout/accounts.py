"""What the journal says of a rollout: a sentence for people, and for programs all that the decision saw."""

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from siklus.automation.rollout.freezes import Freeze
from siklus.automation.rollout.rollout import Action, Evidence, Kind, Phase, Rollout
from siklus.monitor.amounts import amount
from siklus.project.loop import SHADOW, Step
from siklus.registry.journal import Entry, evidence_of
from siklus.registry.policy import PolicyArm

Turn: TypeAlias = Action | Literal["begin", "pause", "resume", "stop", "give_way", "end"]

# What happens to requests stands under a kind of its own, whoever has done it.
KINDS: dict[Turn, str] = {
    "promote": "promotion",
    "roll_back": "rollback",
    "pause": "pause",
    "resume": "resume",
}
FREEZE = "freeze"
PHASES: dict[Phase, str] = {
    "running": "running",
    "paused": "paused",
    "promoted": "over, its challenger promoted",
    "rolled_back": "rolled back",
    "given_up": "given up",
    "stopped": "stopped",
    "overtaken": "overtaken",
}


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout's turn, as it was decided. ``step``, ``phase`` and ``traffic`` (the revision of the traffic
    policy in force) are those after it. ``evidence``: what was seen; None where nobody has looked."""

    rollout: int
    kind: Kind
    turn: Turn
    phase: Phase
    step: Step
    challenger: PolicyArm
    champion: PolicyArm
    traffic: int
    retraining: int | None = None
    evidence: Evidence | None = None


def account(
    rollout: Rollout, turn: Turn, *, by: str, now: datetime, evidence: Evidence | None = None
) -> Entry:
    """The entry of a turn that has led to this state; the state's ``reason`` says why."""
    return Entry(
        time=now,
        kind=KINDS.get(turn, rollout.kind),
        subject=f"{rollout.kind} {rollout.number}",
        author=by,
        text=_sentence(rollout, turn),
        evidence=evidence_of(
            Turned(
                rollout=rollout.number,
                kind=rollout.kind,
                turn=turn,
                phase=rollout.phase,
                step=rollout.plan.steps[rollout.step],
                challenger=rollout.challenger,
                champion=rollout.champion,
                traffic=rollout.traffic,
                retraining=rollout.retraining,
                evidence=evidence,
            )
        ),
    )


def frozen(freeze: Freeze) -> Entry:
    """The entry of a freeze."""
    return Entry(
        time=freeze.since,
        kind=FREEZE,
        subject="rollouts",
        author=freeze.by,
        text=f"nothing is rolled out by itself until {freeze.until:%Y-%m-%d %H:%M} UTC: {freeze.reason}",
        evidence=evidence_of(freeze),
    )


def thawed(freeze: Freeze, *, by: str, now: datetime, reason: str) -> Entry:
    """The entry of a freeze that somebody has ended early."""
    said = "rollouts may begin by themselves again"
    return Entry(
        time=now,
        kind="resume",
        subject="rollouts",
        author=by,
        text=f"{said}: {reason}" if reason else said,
        evidence=evidence_of(freeze),
    )


def _sentence(rollout: Rollout, turn: Turn) -> str:
    named = f"{rollout.kind} {rollout.number}"
    new, old = f"version {rollout.challenger.version}", f"version {rollout.champion.version}"
    said = {
        "begin": f"{named} begins: {new} beside {old}, {part(rollout)}",
        "hold": f"{named}: {', '.join(rollout.standing)} against {new}",
        "advance": named,
        "promote": f"{new} takes all requests from {old}, after {named}",
        "roll_back": f"{named} is rolled back, {old} has all requests",
        "give_up": f"{named} is given up, {old} has all requests",
        "pause": f"{named} is paused",
        "resume": f"{named} goes on",
        "stop": f"{named} is stopped, {old} has all requests",
        "give_way": f"{named} ends, overtaken",
        "end": f"{named} ends",
    }[turn]
    return f"{said}: {rollout.reason}" if rollout.reason else said


def under_way(rollout: Rollout | None) -> str:
    """What no retraining begins beside, as a sentence; "" without a rollout or an experiment."""
    if rollout is None:
        return ""
    return f"{rollout.kind} {rollout.number} goes on since {rollout.began:%Y-%m-%d %H:%M}."


def part(rollout: Rollout) -> str:
    """What of the requests the challenger answers on this step."""
    if rollout.plan.steps[rollout.step] == SHADOW:
        return "as a shadow, which answers nobody"
    return f"with {amount(rollout.share, 'share')} of the requests"
