"""Decisions of people: who answers which share from now on. Whatever rollout goes on ends with them."""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from siklus.automation.rollout.accounts import account, frozen
from siklus.automation.rollout.freezes import Freeze, Freezes
from siklus.automation.rollout.rollout import Rollout
from siklus.automation.rollout.rollouts import CONFLICT
from siklus.automation.rollout.table import RolloutRows
from siklus.automation.rollout.transitions import By, ended
from siklus.errors import AutomationError
from siklus.monitor.amounts import amount
from siklus.project.durations import seconds_or_zero
from siklus.project.loop import RolloutPlan
from siklus.registry.control import Control
from siklus.registry.journal import Also, Entry, Journal, evidence_of, nobody
from siklus.registry.policy import Allotment, TrafficPolicy
from siklus.registry.traffic import NOTHING, Traffic

ChangeKind: TypeAlias = Literal["traffic", "promotion", "rollback"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants. ``published``: the revision that servers here go by, for `Traffic.append`.

    ``frozen_until``: after a rollback, until when nothing is rolled out by itself.
    """

    kind: ChangeKind
    allotment: Allotment
    by: str
    now: datetime
    reason: str = ""
    published: int = NOTHING
    frozen_until: datetime | None = None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's evidence. ``traffic``: the revision that it made, ``follows``: the one before (0: none).

    ``ended``: the rollout that went on, and goes on no more.
    """

    traffic: int
    follows: int
    allotment: Allotment
    ended: int | None = None


class ByHand:
    """What people decide about one model. ``also`` is that of `Journal`."""

    def __init__(self, control: Control, model: str, *, also: Also = nobody) -> None:
        self._control = control
        self._rows = RolloutRows(control, model)
        self._traffic = Traffic(control, model)
        self._freezes = Freezes(control, model)
        self._journal = Journal(control, model, also=also)

    def decide(self, change: Change, *, seen: TrafficPolicy | None) -> TrafficPolicy:
        """One transaction: the next revision, the journal's entry, the end of a rollout, the freeze.

        Errors are those of `Traffic.append`, and AutomationError AU013 when the rollout has just taken a
        turn. Nothing is written then.
        """
        follows = NOTHING if seen is None else seen.revision
        policy = self._traffic.next(
            change.allotment,
            follows=follows,
            by=change.by,
            now=change.now,
            reason=change.reason,
            published=change.published,
        )
        with self._control.transaction() as connection:
            over = self._end_rollout(connection, change, policy)
            self._traffic.write(connection, policy, follows=follows)
            ended = None if over is None else over.number
            evidence = Changed(
                traffic=policy.revision, follows=follows, allotment=change.allotment, ended=ended
            )
            entries = [_entry(change, seen, evidence)]
            if over is not None:
                entries.append(account(over, "end", by=change.by, now=change.now))
            if change.frozen_until is not None:
                entries.append(self._freeze(connection, change, until=change.frozen_until))
            self._journal.write(connection, *entries)
        return policy

    def _end_rollout(
        self, connection: sa.Connection, change: Change, policy: TrafficPolicy
    ) -> Rollout | None:
        rollout = self._rows.current(connection)
        if rollout is None:
            return None
        by = _how(rollout, change)
        reason = f"{WORDS[by]} by {change.by}"
        over = msgspec.structs.replace(ended(rollout, by, reason=reason), traffic=policy.revision)
        if not self._rows.follow(connection, over, seen=rollout):
            told = f"{rollout.kind} {rollout.number} has taken a turn at this very moment"
            raise AutomationError(CONFLICT, told, expected="a decision on what `siklus rollout` shows")
        return over

    def _freeze(self, connection: sa.Connection, change: Change, *, until: datetime) -> Entry:
        freeze = Freeze(since=change.now, until=until, by=change.by, reason=f"{change.by} has rolled back")
        self._freezes.write(connection, freeze)
        return frozen(freeze)


def with_freeze(change: Change, plan: RolloutPlan) -> Change:
    """The change, where it is a rollback with the freeze that the plan wants."""
    seconds = seconds_or_zero(plan.freeze)
    if change.kind != "rollback" or not seconds:
        return change
    return msgspec.structs.replace(change, frozen_until=change.now + timedelta(seconds=seconds))


WORDS: dict[By, str] = {
    "promoted": "its challenger was promoted",
    "rolled_back": "rolled back",
    "overtaken": "overtaken",
    "stopped": "stopped",
}


def _how(rollout: Rollout, change: Change) -> By:
    """How a rollout ends by the change."""
    if change.kind == "rollback":
        return "rolled_back"
    champion = change.allotment.champion.version
    promoted = change.kind == "promotion" and champion == rollout.challenger.version
    return "promoted" if promoted else "overtaken"


def _entry(change: Change, seen: TrafficPolicy | None, evidence: Changed) -> Entry:
    new = change.allotment.champion.version
    old = None if seen is None else seen.allotment.champion.version
    instead = "" if old in (None, new) else f", instead of version {old}"
    said = {
        "traffic": shares(change.allotment),
        "promotion": f"version {new} is promoted: it has all requests{instead}",
        "rollback": f"rolled back: version {new} has all requests again{instead}",
    }[change.kind]
    return Entry(
        time=change.now,
        kind=change.kind,
        subject="traffic" if change.kind == "traffic" else f"version {new}",
        author=change.by,
        text=f"{said}: {change.reason}" if change.reason else said,
        evidence=evidence_of(evidence),
    )


def shares(allotment: Allotment) -> str:
    """Who answers what, in words: `version 7 answers 90 %, version 8 (challenger) 10 %`."""
    champion, *others = allotment.arms
    parts = [f"version {champion.version} answers {amount(champion.share, 'share')}"]
    parts += [f"version {arm.version} ({arm.name}) {amount(arm.share, 'share')}" for arm in others]
    parts += [f"version {arm.version} watches" for arm in allotment.shadows]
    return ", ".join(parts)
