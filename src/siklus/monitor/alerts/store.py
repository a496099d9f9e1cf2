"""A model's alerts in the control database: one look is one transaction, whoever else looks meanwhile."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa

from siklus.errors import AlertError
from siklus.monitor.alerts.evaluate import evaluate, readings
from siklus.monitor.alerts.events import Event, Evidence, Notification
from siklus.monitor.alerts.outbox import AUTHOR, Outbox
from siklus.monitor.alerts.rules import Rule
from siklus.monitor.alerts.silences import Silences
from siklus.monitor.alerts.states import Standing
from siklus.monitor.amounts import amount
from siklus.monitor.signals import SIGNALS, Signal
from siklus.registry.control import METADATA, Control
from siklus.registry.journal import Entry, Journal, evidence_of, stamp

FORMAT = 1
KIND = "alert"  # of journal entries
EVERY = timedelta(minutes=1)
TRIES = 5  # at a look, when others look at the same moment

STATES = sa.Table(
    "alert_states",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    # Counts the looks. Whoever writes says which one it saw: of two at once one is told to look again.
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("looked", sa.String(40), nullable=False),
    sa.Column("standing", sa.Text, nullable=False),
)


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The same events, each with its `certainty`, and what a notification shows beside them."""

    events: tuple[Event, ...]
    evidence: tuple[Evidence, ...] = ()


Explain: TypeAlias = Callable[[tuple[Event, ...]], Explained]


def unexplained(events: tuple[Event, ...]) -> Explained:
    return Explained(events=events)


class Alerts:
    """The alerts of one model, with their silences, notifications and journal."""

    def __init__(self, control: Control, model: str) -> None:
        self._control = control
        self._model = model
        self.silences = Silences(control, model)
        self.outbox = Outbox(control, model)
        self.journal = Journal(control, model)
        control.ensure(STATES)

    def look(
        self,
        rules: Sequence[Rule],
        signals: Iterable[Signal],
        *,
        now: datetime,
        every: timedelta = EVERY,
        explain: Explain = unexplained,
    ) -> tuple[Event, ...]:
        """Ask all rules of these signals, and keep what came of it: how alerts stand, what the journal
        says, and a notification for each receiver who must hear of something. What has happened comes back.

        ``every``: the time between two looks. ``explain`` is asked only when there are events. Of several
        that look at once each alert is told by one; who comes late too often finds nothing left to do. Do
        not look with signals that could not be read: what has no value is over.
        """
        given = tuple(signals)
        for _ in range(TRIES):
            revision, standing = self._found()
            silences = self.silences.lasting(now)
            found = evaluate(rules, given, standing.states, silences=silences, now=now, every=every)
            told = explain(found.events) if found.events else unexplained(())
            after = Standing(states=found.states, readings=readings(rules, given), looked=now)
            if self._kept(after, told, follows=revision, now=now):
                return told.events
        return ()

    def standing(self) -> Standing:
        """How alerts stood at the last look."""
        return self._found()[1]

    def _found(self) -> tuple[int, Standing]:
        with self._control.transaction() as connection:
            row = connection.execute(sa.select(STATES).where(STATES.c.model == self._model)).one_or_none()
        return (0, Standing()) if row is None else (row.revision, _standing(row))

    def _kept(self, after: Standing, told: Explained, *, follows: int, now: datetime) -> bool:
        """Write all of it, or nothing where somebody else has looked since revision ``follows``."""
        row = {
            "revision": follows + 1,
            "format": FORMAT,
            "looked": stamp(now),
            "standing": msgspec.json.encode(after).decode(),
        }
        try:
            with self._control.transaction() as connection:
                if follows == 0:
                    connection.execute(STATES.insert().values(model=self._model, **row))
                elif not self._followed(connection, row, follows=follows):
                    return False
                self.outbox.put(connection, _notifications(self._model, told, now), now=now)
                changes = (event for event in told.events if event.changed)
                self.journal.write(connection, *(_entry(event, now) for event in changes))
        except sa.exc.IntegrityError:
            return False  # the first look of all was somebody else's
        return True

    def _followed(self, connection: sa.Connection, row: dict[str, Any], *, follows: int) -> bool:
        seen = (STATES.c.model == self._model) & (STATES.c.revision == follows)
        return connection.execute(STATES.update().where(seen).values(**row)).rowcount == 1


def _standing(row: sa.Row[Any]) -> Standing:
    if row.format != FORMAT:
        told = f"alert states of {row.model!r}: format {row.format}"
        raise AlertError("AL003", told, expected=f"format {FORMAT}")
    return msgspec.json.decode(row.standing, type=Standing)


def _notifications(project: str, told: Explained, now: datetime) -> list[Notification]:
    """One for each receiver, with all that it must hear at this look."""
    receivers = dict.fromkeys(name for event in told.events for name in event.receivers)
    return [
        Notification(
            project=project,
            receiver=name,
            time=now,
            events=tuple(event for event in told.events if name in event.receivers),
            evidence=told.evidence,
        )
        for name in receivers
    ]


def _entry(event: Event, now: datetime) -> Entry:
    verb = "fires" if event.state == "firing" else "is over"
    silenced = ", silenced" if event.silenced else ""
    return Entry(
        time=now,
        kind=KIND,
        subject=event.title,
        author=AUTHOR,
        text=f"{event.title} {verb}{silenced}: {_seen(event)}",
        evidence=evidence_of(event),
    )


def _seen(event: Event) -> str:
    """`0.25, above 0.2`; of yes and no the word alone."""
    kind = SIGNALS.get(event.signal)  # a stored state may be of a signal that is no more
    unit = "" if kind is None else kind.unit
    if event.value is None:
        return "no value any more"
    if unit == "yes/no":
        return amount(event.value, unit)
    beyond = "above" if event.comparison == ">" else "below"
    side = beyond if event.state == "firing" else f"not {beyond}"
    return f"{amount(event.value, unit)}, {side} {amount(event.threshold, unit)}"
