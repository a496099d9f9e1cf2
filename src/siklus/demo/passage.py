"""The year's passage through the loop: flights are asked about, labels told, and the loop has its turn.

Everything is what a project has: `siklus serve` as a process, requests over HTTP, and the turns of
`siklus.automation.loop`, which looks, decides and carries out. Only the clock is the demo's: after each of
its days there is one turn, a training is waited for, and so is a server that has to learn of new shares, so
that what comes out does not depend on how fast a machine is.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from siklus.automation.loop import Loop
from siklus.automation.retraining.jobs import CHALLENGER, RETRAINING
from siklus.automation.retraining.retrained import read_retrained
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.rollout.rollouts import Rollouts
from siklus.bundle.read import Bundle
from siklus.contract.decode import decode_records
from siklus.demo.flights import TARGET, TIME
from siklus.demo.moment import Counted, DayFigures, Event, Moment, MonthFigures, Share
from siklus.demo.server import Client
from siklus.demo.year import YEAR, Awaited, Days
from siklus.monitor.look import Seen
from siklus.project.file import OpenProject
from siklus.registry.control import Control
from siklus.registry.journal import Entry, Journal
from siklus.registry.published import PUBLISHED, found_policy
from siklus.train.sealing import instances_of

SINGLES = 100  # of the first flights: asked one by one, to say how long a request takes
TURN_SECONDS = 3.0  # between two turns while a training is at work
LOOK_SECONDS = 0.05
MOST = 1_000  # retrainings and rollouts, more than a year has
LATEST = 50  # entries of the journal, more than a turn writes
LOG = "demo-loop.log"
KINDS = ("trigger", "retraining", "challenger", "rollout", "promotion", "rollback", "freeze")

Show: TypeAlias = Callable[[Moment], None]


@dataclass
class _Sums:
    """Of one month: absolute errors with the loop and without, and what was seen."""

    flights: int = 0
    with_loop: float = 0.0
    static: float = 0.0
    versions: dict[int, None] = field(default_factory=dict)


class Passage:
    """One demo. Opened once, then `go` with the flights of some days after those of others."""

    def __init__(
        self, project: OpenProject, first: Bundle, client: Client, control: Control, *, show: Show
    ) -> None:
        """``first``: January's model, which the loop's are held against. ``show`` is told of each moment."""
        name = project.settings.project.name
        self._project, self._first, self._client, self._show = project, first, client, show
        self._loop = Loop(project, control, environment=os.environ)
        self._retrainings, self._rollouts = Retrainings(control, name), Rollouts(control, name)
        self._journal = Journal(control, name)
        self._awaited = Awaited()
        self._sums: dict[int, _Sums] = {}
        self._took: list[float] = []
        self.days: list[DayFigures] = []
        self.moment = Moment(day=date(YEAR, 2, 1), doing="")

    @property
    def request_ms(self) -> float:
        """The median of the requests about one flight."""
        return float(np.median(self._took))

    def go(self, days: Days) -> None:
        """Ask about these flights, tell the labels that are known by then, and let the loop decide."""
        self._tell(day=days.first, doing="flights are asked about")
        if not self.moment.shares:
            self._see(None, self._client.health(), month=days.month)
        instances = instances_of(
            days.flights.select([name for name in days.flights if name != TARGET]), self._first.contract
        )
        answers, ids = self._asked(instances)
        truth = days.flights[TARGET].astype(np.float64)
        answered = np.array([name != "" for name in ids])
        rows = np.flatnonzero(answered)
        self._awaited.add(days.flights[TIME][rows], [ids[row] for row in rows.tolist()], truth[rows])
        self._client.tell(self._awaited.known(days.until))
        self._add(days, np.abs(answers - truth)[rows], np.abs(self._without(instances) - truth)[rows])
        self._settle(days.last)

    def end(self) -> None:
        """End a training that is at work."""
        with self._said():
            self._loop.end()

    def _asked(self, instances: Sequence[dict[str, Any]]) -> tuple[NDArray[np.float64], list[str]]:
        alone = SINGLES - len(self._took)
        first, rest = self._client.singly(instances[:alone]), self._client.predict(instances[alone:])
        self._took += first.took
        return np.concatenate([first.values, rest.values]), [*first.ids, *rest.ids]

    def _without(self, instances: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
        """What January's model says of the same flights."""
        rows = decode_records(instances, self._first.contract).accepted()
        return np.asarray(self._first.predict(rows).raw, dtype=np.float64)

    def _add(self, days: Days, with_loop: NDArray[np.float64], static: NDArray[np.float64]) -> None:
        sums = self._sums.setdefault(days.month, _Sums())
        sums.flights += len(with_loop)
        sums.with_loop += float(with_loop.sum())
        sums.static += float(static.sum())
        if len(with_loop):
            self.days.append(
                DayFigures(
                    first=days.first,
                    last=days.last,
                    flights=len(with_loop),
                    mae_with_loop=float(with_loop.mean()),
                    mae_static=float(static.mean()),
                    versions=tuple(share.version for share in self.moment.shares if share.share),
                )
            )

    def _settle(self, day: date) -> None:
        """Turns until no training is at work, and the server answers as was decided."""
        self._tell(day=day, doing="the loop has its turn")
        seen = self._turn()
        while (job := self._retrainings.current()) is not None and job.state != "undecided":
            self._tell(doing=f"retraining {job.number} is at work: {job.trigger}")
            self._wait_for(job.number)
            seen = self._turn()
        policy = found_policy(self._project.paths.run / PUBLISHED)
        health = self._client.wait_for(0 if policy is None else policy.revision)
        self._see(seen, health, month=day.month)

    def _wait_for(self, job: int) -> None:
        """Until it has left a result, or might have died."""
        until = time.monotonic() + TURN_SECONDS
        while time.monotonic() < until and read_retrained(self._project.paths, job) is None:
            time.sleep(LOOK_SECONDS)

    def _turn(self) -> Seen | None:
        with self._said():
            seen = self._loop.turn(now=datetime.now(UTC)).seen
            self._loop.deliver(now=datetime.now(UTC), wait=1.0)
        self._tell()
        return seen

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What the loop says of itself stands in a file, as that of `siklus up` would in its log."""
        path: Path = self._project.paths.run / LOG
        with path.open("a") as file, redirect_stderr(file):
            yield

    def _see(self, seen: Seen | None, health: dict[str, Any], *, month: int) -> None:
        arms = health.get("arms", [])
        shares = tuple(Share(version=arm["version"], share=arm["share"]) for arm in arms)
        if health.get("version"):
            self._sums.setdefault(month, _Sums()).versions[int(health["version"])] = None
        self._tell(shares=shares)
        if seen is None:
            return
        drift, quality = seen.drift, seen.quality
        if drift is not None:
            self._tell(drifted=len(drift.alarming), columns=len(drift.columns))
        if quality is not None:
            self._tell(
                quality=None if quality.recent is None else quality.recent.value,
                floor=None if quality.floor is None else quality.floor.limit,
                quality_alarm=quality.alarm is not None and quality.alarm.alarm,
            )

    def _tell(self, **changes: Any) -> None:
        """Show what has changed."""
        moment = replace(self.moment, **changes)
        known = moment.events[-1].number if moment.events else 0
        entries = self._journal.history(limit=LATEST, kinds=KINDS)
        new = tuple(_event(entry, moment.day) for entry in reversed(entries) if entry.number > known)
        self.moment = replace(
            moment,
            flights=sum(sums.flights for sums in self._sums.values()),
            failed_requests=self._client.failed,
            months=tuple(_month(month, sums) for month, sums in self._sums.items() if sums.flights),
            events=(*moment.events, *new),
            counted=self._counted() if new else moment.counted,
        )
        self._show(self.moment)

    def _counted(self) -> Counted:
        jobs = [job.state for job in self._retrainings.history(limit=MOST)]
        phases = [rollout.phase for rollout in self._rollouts.history(limit=MOST)]
        return Counted(
            retrainings=len(jobs),
            refused=jobs.count("refused"),
            failed=jobs.count("failed"),
            promotions=phases.count("promoted"),
            rolled_back=phases.count("rolled_back"),
            given_up=phases.count("given_up"),
        )


class _Ended(Struct):
    """Of the evidence of a retraining's end, what it came to; where it begins, this is another value."""

    verdict: Any = ""


def _event(entry: Entry, day: date) -> Event:
    ended = None
    if entry.kind in (CHALLENGER, RETRAINING):
        ended = msgspec.json.decode(entry.evidence, type=_Ended | None)
    verdict = ended.verdict if ended is not None and isinstance(ended.verdict, str) else ""
    return Event(number=entry.number, day=day, kind=entry.kind, text=entry.text, verdict=verdict)


def _month(month: int, sums: _Sums) -> MonthFigures:
    return MonthFigures(
        month=month,
        flights=sums.flights,
        mae_with_loop=sums.with_loop / sums.flights,
        mae_static=sums.static / sums.flights,
        versions=tuple(sums.versions),
    )
