"""A retraining as one value: what asked for it, how it stands, what came of it, and what the journal says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from siklus.automation.retraining.retrained import Ending, in_doubt
from siklus.automation.retraining.triggers import Consideration, Due
from siklus.automation.retraining.verdict import Verdict
from siklus.registry.asks import Ask
from siklus.registry.journal import AUTHOR, NOTHING, Entry, evidence_of

TRIGGER, RETRAINING, CHALLENGER = "trigger", "retraining", "challenger"  # kinds of journal entries

# asked: nothing has been started; training: a process is at it; undecided: too few labels to judge what came
# of it. All others are over.
State: TypeAlias = Literal["asked", "training", "undecided", "refused", "failed", "accepted"]
UNDER_WAY: tuple[State, ...] = ("asked", "training", "undecided")
ENDS: Mapping[Ending, str] = {
    "undecided": "cannot be judged yet",
    "refused": "is refused",
    "failed": "failed",
    "accepted": "is accepted",
}


class Retraining(Struct, frozen=True, kw_only=True):
    """One job. ``due``, ``asks``: what asked for it; ``verdict``: what spoke for and against it then.

    ``began``: when that was decided; ``since``: when it came into its state; ``ended``: when it was over.
    ``attempts``: processes that were started for it. ``version``: the challenger that came of it, and
    ``bundle`` the digest of its bundle; ``rollout``: the number of its rollout. ``reason``: of the state, in
    a sentence. ``revision``: counts the writes, so that nobody decides on what somebody else has changed.
    """

    number: int = 0
    state: State = "asked"
    due: tuple[Due, ...] = ()
    asks: tuple[Ask, ...] = ()
    verdict: Verdict
    champion: str | None = None
    began: datetime
    since: datetime
    ended: datetime | None = None
    attempts: int = 0
    version: int | None = None
    bundle: str | None = None
    rollout: int | None = None
    revision: int = 0
    reason: str = ""

    @property
    def under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def at_work(self) -> bool:
        """Whether a process is at it, or is about to be. An undecided one may wait for labels for days."""
        return self.state in ("asked", "training")

    @property
    def by(self) -> str:
        """Who wanted it: the first person who asked, else the loop itself."""
        return self.asks[0].by if self.asks else AUTHOR

    @property
    def trigger(self) -> str:
        """What began it, in a word: as [retrain] on spells it, that which doubts the champion before others;
        or `asked by NAME`."""
        if self.asks:
            return f"asked by {self.by}"
        triggers = [due.trigger for due in self.due]
        return min(triggers, key=lambda name: not in_doubt(name), default=AUTHOR)


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a job. ``version``: the challenger, where one was registered, and ``bundle``: its digest;
    ``evidence``: for programs, the judgement or whatever else led here (`evidence_of`)."""

    state: Ending
    reason: str
    version: int | None = None
    bundle: str | None = None
    evidence: msgspec.Raw = NOTHING


def ask_entry(ask: Ask) -> Entry:
    """Somebody asks."""
    reason = f": {ask.reason}" if ask.reason else ""
    return Entry(
        time=ask.time,
        kind=TRIGGER,
        subject="retraining",
        author=ask.by,
        text=f"asked for a retraining{reason}",
        evidence=evidence_of(ask),
    )


def considered_entry(found: Consideration, *, now: datetime) -> Entry:
    """Triggers are true, and nothing begins."""
    subject = ", ".join([*(due.trigger for due in found.due), *(f"asked by {ask.by}" for ask in found.asks)])
    return Entry(
        time=now,
        kind=TRIGGER,
        subject=subject,
        author=AUTHOR,
        text=found.said,
        evidence=evidence_of(found),
    )


def begun_entry(job: Retraining) -> Entry:
    return _entry(job, f"retraining {job.number} begins. {job.reason}", evidence=evidence_of(job))


def started_entry(job: Retraining) -> Entry:
    again = "" if job.attempts == 1 else f", attempt {job.attempts}"
    return _entry(job, f"retraining {job.number} trains{again}")


def recorded_entry(job: Retraining, outcome: Outcome) -> Entry:
    """What came of it: of a challenger, where there is one."""
    challenger = f", version {job.version}," if job.version is not None else ""
    text = f"retraining {job.number}{challenger} {ENDS[outcome.state]}: {outcome.reason}"
    kind = RETRAINING if job.version is None else CHALLENGER
    return _entry(job, text, evidence=outcome.evidence, kind=kind)


def _entry(job: Retraining, text: str, *, evidence: msgspec.Raw = NOTHING, kind: str = RETRAINING) -> Entry:
    subject = f"version {job.version}" if kind == CHALLENGER else f"retraining {job.number}"
    return Entry(time=job.since, kind=kind, subject=subject, author=AUTHOR, text=text, evidence=evidence)
