"""Watching: all that a sandbox shows of itself, as sightings after a moment."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.rollout.rollouts import Rollouts
from siklus.drill.expectations import Sighting
from siklus.drill.sandbox import Sandbox
from siklus.drill.traffic import Tally, Traffic
from siklus.monitor.alerts.store import KIND as ALERT
from siklus.registry.control import Control
from siklus.registry.journal import Entry, Journal

MOST_ENTRIES = 500  # of the journal, in one fault
WORKER_EVENTS = {"worker_dead": "dead", "worker_replaced": "replaced"}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The moment of a fault, by both clocks, and what had been counted by then."""

    at: float
    time: datetime
    tally: Tally

    @classmethod
    def now(cls, traffic: Traffic) -> "Moment":
        return cls(at=time.monotonic(), time=datetime.now(UTC), tally=traffic.tally())

    def seconds_of(self, moment: datetime) -> float:
        return (moment - self.time).total_seconds()


@dataclass(frozen=True, kw_only=True)
class Known:
    """The last journal entry, rollout and retraining that there are, by number; 0 where there is none.

    What is new goes by these: a turn of the loop dates what it decides by its begin, which may have been
    before a fault that it has seen.
    """

    entry: int
    rollout: int
    retraining: int

    @classmethod
    def of(cls, control: Control, model: str) -> "Known":
        return cls(
            entry=max((each.number for each in Journal(control, model).history(limit=1)), default=0),
            rollout=max((each.number for each in Rollouts(control, model).history(limit=1)), default=0),
            retraining=max((each.number for each in Retrainings(control, model).history(limit=1)), default=0),
        )


class Watcher:
    """What has been seen since ``moment``. Asked again and again, as states come and go between."""

    def __init__(self, sandbox: Sandbox, traffic: Traffic, moment: Moment) -> None:
        self._sandbox, self._traffic, self.moment = sandbox, traffic, moment
        self._states: dict[tuple[str, str, str], Sighting] = {}
        with sandbox.control() as control:
            self._known = Known.of(control, sandbox.project.settings.project.name)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.moment.at

    @property
    def requests(self) -> int:
        """Asked since the fault."""
        return self._traffic.tally().asked - self.moment.tally.asked

    def see(self) -> list[Sighting]:
        """All of it, in no order. Errors are those of the sandbox's control database."""
        with self._sandbox.control() as control:
            name = self._sandbox.project.settings.project.name
            journal = Journal(control, name).history(limit=MOST_ENTRIES)
            self._see_states(control, name)
        fresh = (entry for entry in journal if entry.number > self._known.entry)
        found = [sighting for entry in fresh for sighting in self._entry(entry)]
        found += [*self._states.values(), *self._mails(), *self._workers(), *self._troubles()]
        return [sighting for sighting in found if sighting.seconds >= 0]

    def before(self) -> set[str]:
        """The signals whose alerts fired before the fault: it can make them fire no more."""
        with self._sandbox.control() as control:
            journal = Journal(control, self._sandbox.project.settings.project.name)
            alerts = journal.history(limit=MOST_ENTRIES, kinds=(ALERT,))
        known = (entry for entry in alerts if entry.number <= self._known.entry)
        fired = (sighting for entry in known for sighting in self._entry(entry))
        return {
            sighting.about for sighting in fired if sighting.what == "alert" and sighting.became == "firing"
        }

    def _see_states(self, control: Control, name: str) -> None:
        """Rollouts and retrainings as they are now, each state once: when it was first seen."""
        for rollout in Rollouts(control, name).history(limit=3):
            if rollout.number > self._known.rollout:
                self._state("rollout", f"version {rollout.challenger.version}", rollout.phase, rollout.reason)
        for job in Retrainings(control, name).history(limit=5):
            if job.number > self._known.retraining:
                self._state("retraining", f"job {job.number}", job.state, job.reason)

    def _state(self, what: Any, about: str, became: str, text: str) -> None:
        self._states.setdefault(
            (what, about, became),
            Sighting(
                what=what,
                about=about,
                became=became,
                text=text,
                seconds=self.seconds,
                requests=self.requests,
            ),
        )

    def _entry(self, entry: Entry) -> Iterator[Sighting]:
        """The entry itself, and the alert or the verdict that it is about."""
        seconds = max(0.0, self.moment.seconds_of(entry.time))
        yield Sighting(what="journal", about=entry.kind, text=entry.text, seconds=seconds)
        evidence = msgspec.json.decode(entry.evidence)
        if not isinstance(evidence, dict):
            return
        if entry.kind == ALERT:
            yield Sighting(
                what="alert",
                about=str(evidence.get("signal", "")),
                became=str(evidence.get("state", "")),
                text=entry.text,
                seconds=seconds,
            )
        verdict = evidence.get("verdict")
        if isinstance(verdict, dict) and "what" in verdict:
            said = str(verdict.get("said") or entry.text)
            yield Sighting(what="verdict", became=str(verdict["what"]), text=said, seconds=seconds)

    def _mails(self) -> Iterator[Sighting]:
        for mail in self._sandbox.sink.mails():
            text = f"{mail.subject}\n{mail.text}"
            yield Sighting(
                what="mail", about=", ".join(mail.readers), text=text, seconds=mail.at - self.moment.at
            )

    def _workers(self) -> Iterator[Sighting]:
        for event in self._sandbox.events():
            became = WORKER_EVENTS.get(str(event.get("event")))
            if became is not None:
                yield Sighting(
                    what="worker",
                    about=str(event.get("worker")),
                    became=became,
                    text=_said(event),
                    seconds=self.moment.seconds_of(datetime.fromisoformat(str(event["time"]))),
                )

    def _troubles(self) -> Iterator[Sighting]:
        for trouble in self._traffic.troubles():
            seconds = trouble.at - self.moment.at
            became = str(trouble.status) if trouble.status else "broken"
            yield Sighting(what="trouble", became=became, text=trouble.text, seconds=seconds)


def _said(event: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {event[name]}" for name in ("code", "seconds") if name in event)
