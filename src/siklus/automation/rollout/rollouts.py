"""Rollouts in the control database: each decision is one transaction of state, traffic policy and journal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec
import sqlalchemy as sa

from siklus.automation.rollout.accounts import PHASES, Turn, account, frozen, thawed
from siklus.automation.rollout.allotments import allotment_of
from siklus.automation.rollout.freezes import Freeze, Freezes
from siklus.automation.rollout.rollout import Decision, Evidence, Phase, Rollout
from siklus.automation.rollout.table import Looked, RolloutRows
from siklus.automation.rollout.transitions import applied, ended, paused, resumed
from siklus.errors import AutomationError, RegistryError
from siklus.project.durations import seconds_or_zero
from siklus.project.loop import RolloutPlan
from siklus.registry.control import Control
from siklus.registry.journal import AUTHOR, Also, Entry, Journal, nobody
from siklus.registry.policy import PolicyArm, TrafficPolicy
from siklus.registry.traffic import Traffic

CONFLICT = "AU013"  # somebody else has decided meanwhile: look again, at the next turn
OVERTAKEN = "RG014"  # the traffic policy's own word for it

# Notes a new rollout's number in its transaction, as `Retrainings.attach` does.
Attach: TypeAlias = Callable[[sa.Connection, int], object]


def nothing_attached(_connection: sa.Connection, _number: int) -> None:
    """Note nothing."""


def drafted(
    challenger: PolicyArm, *, policy: TrafficPolicy, plan: RolloutPlan, now: datetime, by: str = AUTHOR
) -> Rollout:
    """A rollout against the policy's champion for `Rollouts.start`; keys stay what requests are dealt by."""
    return Rollout(
        challenger=challenger,
        champion=policy.allotment.champion,
        plan=plan,
        began=now,
        since=now,
        traffic=policy.revision,
        by=by,
        sticky=policy.allotment.sticky,
    )


class Rollouts:
    """One model's rollouts and experiments, of which at most one goes on.

    Whoever decides says what it saw: of two at once one gets AutomationError AU013, and nothing of its
    decision is written. ``also`` is that of `Journal`.
    """

    def __init__(self, control: Control, model: str, *, also: Also = nobody) -> None:
        self._control = control
        self._model = model
        self._rows = RolloutRows(control, model)
        self._traffic = Traffic(control, model)
        self._freezes = Freezes(control, model)
        self._journal = Journal(control, model, also=also)

    def current(self) -> Rollout | None:
        """The one that goes on, running or paused; None without one."""
        with self._control.transaction() as connection:
            return self._rows.current(connection)

    def get(self, number: int) -> Rollout:
        """AutomationError AU010 when there is no such rollout."""
        with self._control.transaction() as connection:
            return self._rows.get(connection, number)

    def looked(self, number: int) -> Looked | None:
        """What the last look has seen of it; None before the first. AutomationError AU010 as `get`."""
        with self._control.transaction() as connection:
            return self._rows.looked(connection, number)

    def history(self, *, limit: int = 20) -> list[Rollout]:
        """The latest ones, the newest first."""
        with self._control.transaction() as connection:
            return self._rows.history(connection, limit=limit)

    def frozen(self, now: datetime) -> Freeze | None:
        """Until when nothing may be rolled out by itself; None when it may. People may, by `start`."""
        return self._freezes.lasting(now)

    def overtaken(self, rollout: Rollout) -> TrafficPolicy | None:
        """The traffic policy that somebody else has made since the rollout's own; None without one."""
        policy = self._traffic.current()
        return None if policy is None or policy.revision == rollout.traffic else policy

    def start(self, draft: Rollout, *, attach: Attach = nothing_attached) -> Rollout:
        """Begin with the first step. The draft says who is against whom, by which plan, when (``began``), by
        whom and why, and upon which revision of the traffic policy (``traffic``); its number is given here,
        and to ``attach``, which may note it within the same transaction.

        AutomationError AU011 while another one goes on, AU012 where the challenger answers already or others
        share the requests, AU013 when that revision is not the latest, or when the loop's own is frozen.
        """
        going_on = self.current()
        if going_on is not None:
            told = f"{self._model}: {going_on.kind} {going_on.number} goes on"
            raise AutomationError("AU011", told, expected=f"its end: `siklus {going_on.kind} stop`")
        policy = self._policy(draft)
        # Asked once the policy is known: after a rollback that comes later, this is upon an old one.
        if draft.by == AUTHOR and self.frozen(draft.began) is not None:
            raise _conflict(draft)
        _refuse_shared(draft, policy)
        with self._deciding(draft) as connection:
            numbered = msgspec.structs.replace(draft, number=self._rows.next_number(connection), revision=1)
            begun = msgspec.structs.replace(numbered, traffic=policy.revision + 1)
            entry = account(begun, "begin", by=draft.by, now=draft.began)
            self._rows.insert(connection, begun)
            self._deal(connection, begun, policy=policy, entry=entry)
            attach(connection, begun.number)
            self._journal.write(connection, entry)
        return begun

    def carry_out(
        self, rollout: Rollout, decision: Decision, *, evidence: Evidence, now: datetime
    ) -> Rollout:
        """Do what `next_step` has decided about this very state, and journal it with its evidence.

        The rollout as it is then comes back. To hold is journaled only when a test begins to speak against
        the challenger. After a rollback rollouts are frozen, as long as the plan says.
        AutomationError AU013 when the state or the traffic policy is another by now.
        """
        if not rollout.going_on:
            return rollout
        after = applied(rollout, decision, counted=evidence.counted, now=now)
        if decision.action == "hold":
            newly = set(after.standing) - set(rollout.standing)
            entries = [account(after, "hold", by=AUTHOR, now=now, evidence=evidence)] if newly else []
            return self._noted(rollout, after, *entries, looked=Looked(time=now, evidence=evidence))
        return self._turn(rollout, after, decision.action, by=AUTHOR, now=now, evidence=evidence)

    def give_way(self, rollout: Rollout, *, now: datetime) -> Rollout:
        """End it as overtaken: the traffic policy stays as somebody else has made it. The same one where
        nobody has, or where it is over."""
        policy = self.overtaken(rollout)
        if policy is None or not rollout.going_on:
            return rollout
        reason = f"revision {policy.revision} of the traffic policy is by {policy.by}"
        after = ended(rollout, "overtaken", reason=reason)
        return self._noted(rollout, after, account(after, "give_way", by=AUTHOR, now=now))

    def pause(self, rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
        """Shares stay as they are until `resume`; AutomationError AU014 for one that does not run."""
        _refuse_unless(rollout, "running")
        after = paused(rollout, now=now, reason=reason)
        return self._noted(rollout, after, account(after, "pause", by=by, now=now))

    def resume(self, rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
        """Go on where it was; AutomationError AU014 for one that is not paused."""
        _refuse_unless(rollout, "paused")
        after = resumed(rollout, now=now, reason=reason)
        return self._noted(rollout, after, account(after, "resume", by=by, now=now))

    def stop(self, rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
        """End it by hand: all requests go back to the champion, nothing is frozen. AU014 when it is over."""
        _refuse_unless(rollout, "running", "paused")
        return self._turn(rollout, ended(rollout, "stopped", reason=reason), "stop", by=by, now=now)

    def thaw(self, *, by: str, now: datetime, reason: str = "") -> Freeze | None:
        """End the freeze that lasts, and give it back; None where nothing is frozen."""
        freeze = self.frozen(now)
        if freeze is None:
            return None
        with self._control.transaction() as connection:
            self._freezes.lift(connection)
            self._journal.write(connection, thawed(freeze, by=by, now=now, reason=reason))
        return freeze

    def _turn(
        self,
        rollout: Rollout,
        after: Rollout,
        turn: Turn,
        *,
        by: str,
        now: datetime,
        evidence: Evidence | None = None,
    ) -> Rollout:
        """A turn that changes who answers."""
        policy = self._policy(rollout)
        after = msgspec.structs.replace(after, traffic=policy.revision + 1)
        entry = account(after, turn, by=by, now=now, evidence=evidence)
        freeze = freeze_after(after, by=by, now=now) if after.phase == "rolled_back" else None
        with self._deciding(rollout) as connection:
            looked = None if evidence is None else Looked(time=now, evidence=evidence)
            self._follow(connection, after, seen=rollout, looked=looked)
            self._deal(connection, after, policy=policy, entry=entry)
            if freeze is not None:
                self._freezes.write(connection, freeze)
            self._journal.write(connection, entry, *([] if freeze is None else [frozen(freeze)]))
        return after

    def _noted(
        self, rollout: Rollout, after: Rollout, *entries: Entry, looked: Looked | None = None
    ) -> Rollout:
        """A turn that leaves everybody where they are."""
        with self._deciding(rollout) as connection:
            self._follow(connection, after, seen=rollout, looked=looked)
            self._journal.write(connection, *entries)
        return after

    def _policy(self, rollout: Rollout) -> TrafficPolicy:
        """The policy that the rollout goes by, which has to be the latest."""
        policy = self._traffic.current()
        if policy is None or policy.revision != rollout.traffic:
            raise _conflict(rollout)
        return policy

    @contextmanager
    def _deciding(self, rollout: Rollout) -> Iterator[sa.Connection]:
        """A transaction; whoever else was quicker, by whichever table it shows, is AU013."""
        try:
            with self._control.transaction() as connection:
                yield connection
        except sa.exc.IntegrityError as exc:
            raise _conflict(rollout) from exc
        except RegistryError as error:
            if error.code != OVERTAKEN:
                raise
            raise _conflict(rollout) from error

    def _follow(
        self, connection: sa.Connection, after: Rollout, *, seen: Rollout, looked: Looked | None
    ) -> None:
        if not self._rows.follow(connection, after, seen=seen, looked=looked):
            raise _conflict(seen)

    def _deal(
        self, connection: sa.Connection, rollout: Rollout, *, policy: TrafficPolicy, entry: Entry
    ) -> None:
        made = self._traffic.next(
            allotment_of(rollout, policy.allotment),
            follows=policy.revision,
            by=entry.author,
            now=entry.time,
            reason=entry.text,
        )
        self._traffic.write(connection, made, follows=policy.revision)


def freeze_after(rollout: Rollout, *, by: str, now: datetime) -> Freeze | None:
    """The freeze that its rollback brings; None where the plan wants none."""
    seconds = seconds_or_zero(rollout.plan.freeze)
    if not seconds:
        return None
    reason = f"{rollout.kind} {rollout.number} was rolled back"
    return Freeze(since=now, until=now + timedelta(seconds=seconds), by=by, reason=reason)


def _refuse_unless(rollout: Rollout, *phases: Phase) -> None:
    if rollout.phase not in phases:
        told = f"{rollout.kind} {rollout.number} is {PHASES[rollout.phase]}"
        wanted = " or ".join(PHASES[phase] for phase in phases)
        raise AutomationError("AU014", told, expected=f"one that is {wanted}")


def _refuse_shared(draft: Rollout, policy: TrafficPolicy) -> None:
    """A rollout changes nobody's shares but those of its two."""
    champion, *others = policy.allotment.arms
    if draft.challenger.version == champion.version:
        told = f"version {champion.version} answers already, as the champion"
        raise AutomationError("AU012", told, expected="another version")
    if others:
        sharing = ", ".join(f"version {arm.version} ({arm.name})" for arm in others)
        wanted = "one that answers everything: `siklus rollback` ends the others"
        raise AutomationError("AU012", f"beside the champion there is {sharing}", expected=wanted)


def _conflict(rollout: Rollout) -> AutomationError:
    named = f"{rollout.kind} {rollout.number}" if rollout.number else f"a new {rollout.kind}"
    told = f"{named}: somebody else has decided meanwhile"
    return AutomationError(CONFLICT, told, expected="a decision on what `siklus rollout` shows")
