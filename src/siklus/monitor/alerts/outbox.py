"""The outbox: notifications that wait to be delivered, in the control database.

A notification is written in the transaction that says that its alert fires, so neither is without the other.
It is claimed for a while by whoever delivers it, and is due again if nothing is heard of it: so it arrives
at least once, whoever dies. A receiver that takes nothing is asked again, ever more seldom, and given up.
What comes meanwhile joins what waits for it, so that after a day it gets one notification and not a hundred.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from siklus.errors import AlertError
from siklus.monitor.alerts.events import Notification
from siklus.registry.control import METADATA, Control
from siklus.registry.journal import Entry, Journal, evidence_of, stamp

FORMAT = 1
AUTHOR = "siklus watch"
KIND = "notification"  # of journal entries

CLAIMED = timedelta(minutes=10)  # far longer than a batch of attempts takes
AT_ONCE = 10  # claimed together, so that what is slow to deliver keeps little from others
FIRST_WAIT = timedelta(seconds=30)  # after a first failure; doubled after each one
LONGEST_WAIT = timedelta(hours=1)
GIVE_UP = timedelta(days=3)  # a weekend
MOST_EVENTS = 200  # of one notification: of more the newest; the journal has all of them
FEWEST_ATTEMPTS = 10  # before giving up: a clock that leaps must not empty the outbox

WAITING = sa.Table(
    "alert_outbox",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(63), nullable=False),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("due", sa.String(40), nullable=False),
    # How often it was claimed: whoever claims says what it saw, so one of two gets it.
    sa.Column("claims", sa.Integer, nullable=False),
    sa.Column("under_way", sa.Boolean, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("notification", sa.Text, nullable=False),
    sqlite_autoincrement=True,  # or the id of what was delivered would be given again
)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that is not delivered yet. ``reason``: why the last attempt failed; "" without one."""

    notification: Notification
    attempts: int
    reason: str
    due: datetime


class Outbox:
    """The notifications of one model."""

    def __init__(self, control: Control, model: str) -> None:
        self._control = control
        self._model = model
        self._journal = Journal(control, model)
        control.ensure(WAITING)

    def put(self, connection: sa.Connection, notifications: Sequence[Notification], *, now: datetime) -> None:
        """Write them within a transaction of the caller's. They are due at once; one to a receiver that has
        just failed takes over what waits for it, and its turn."""
        for notification in notifications:
            row = {
                "model": self._model,
                "format": FORMAT,
                "receiver": notification.receiver,
                "created": stamp(now),
                "due": stamp(now),
                "claims": 0,
                "under_way": False,
                "attempts": 0,
                "reason": "",
            }
            events, news = notification.events, notification.news
            for failed in self._taken_over(connection, notification.receiver):
                waited = _notification(failed)
                events, news = (*waited.events, *events), (*waited.news, *news)
                row |= {name: getattr(failed, name) for name in ("due", "attempts", "reason")}
            whole = msgspec.structs.replace(
                notification, events=events[-MOST_EVENTS:], news=news[-MOST_EVENTS:]
            )
            text = msgspec.json.encode(whole).decode()
            connection.execute(WAITING.insert().values(**row, notification=text))

    def _taken_over(self, connection: sa.Connection, receiver: str) -> list[sa.Row[Any]]:
        """What has failed and is under way to nobody, taken out of the table, the newest first."""
        resting = (WAITING.c.attempts > 0) & sa.not_(WAITING.c.under_way)
        wanted = sa.select(WAITING).where(
            WAITING.c.model == self._model, WAITING.c.receiver == receiver, resting
        )
        return [
            row
            for row in connection.execute(wanted.order_by(WAITING.c.id.desc())).all()
            if connection.execute(WAITING.delete().where(WAITING.c.id == row.id, resting)).rowcount == 1
        ]

    def due(self, now: datetime, *, limit: int = AT_ONCE) -> list[Notification]:
        """Claim what is due, the oldest first: nobody else gets it within ``CLAIMED``.

        Say of each what became of it, by `delivered` or `failed`, and ask again until there is none.
        """
        soon = sa.or_(
            WAITING.c.due <= stamp(now),
            # Nothing waits so long: the clock has gone back since.
            WAITING.c.due > stamp(now + LONGEST_WAIT + CLAIMED),
        )
        wanted = sa.select(WAITING).where(WAITING.c.model == self._model, soon)
        with self._control.transaction() as connection:
            rows = connection.execute(wanted.order_by(WAITING.c.id).limit(limit)).all()
            return [_notification(row) for row in rows if self._claimed(connection, row, now)]

    def _claimed(self, connection: sa.Connection, row: sa.Row[Any], now: datetime) -> bool:
        mine = (WAITING.c.id == row.id) & (WAITING.c.claims == row.claims)
        due = stamp(now + CLAIMED)
        claim = WAITING.update().where(mine).values(claims=row.claims + 1, under_way=True, due=due)
        return connection.execute(claim).rowcount == 1

    def delivered(self, told: Notification, now: datetime) -> None:
        """It is out; the journal keeps what was ``told``, which may be less than what waited, or nothing.

        Nothing happens where somebody else has said so already.
        """
        with self._control.transaction() as connection:
            if self._taken_out(connection, told.id) and (told.events or told.news):
                self._journal.write(connection, _entry(told, "told", now=now))

    def failed(self, id: int, now: datetime, reason: str, *, retry_after: timedelta | None = None) -> bool:
        """Try again later, or give it up for good, which the journal keeps: then True.

        ``retry_after``: no sooner than the receiver has asked for, up to `LONGEST_WAIT`.
        """
        with self._control.transaction() as connection:
            row = connection.execute(sa.select(WAITING).where(WAITING.c.id == id)).one_or_none()
            if row is None:
                return False
            attempts = row.attempts + 1
            if attempts >= FEWEST_ATTEMPTS and now - datetime.fromisoformat(row.created) >= GIVE_UP:
                if self._taken_out(connection, id):
                    text = f"gave up after {attempts} attempts ({reason}) on telling"
                    self._journal.write(connection, _entry(_notification(row), text, now=now))
                return True
            wait = min(max(wait_after(attempts), retry_after or timedelta(0)), LONGEST_WAIT)
            later = {"attempts": attempts, "under_way": False, "reason": reason, "due": stamp(now + wait)}
            connection.execute(WAITING.update().where(WAITING.c.id == id).values(later))
            return False

    def waiting(self, *, limit: int = 100) -> list[Waiting]:
        """What is not delivered yet, the oldest first; claims nothing."""
        wanted = sa.select(WAITING).where(WAITING.c.model == self._model)
        with self._control.transaction() as connection:
            return [
                Waiting(
                    notification=_notification(row),
                    attempts=row.attempts,
                    reason=row.reason,
                    due=datetime.fromisoformat(row.due),
                )
                for row in connection.execute(wanted.order_by(WAITING.c.id).limit(limit))
            ]

    def _taken_out(self, connection: sa.Connection, id: int) -> bool:
        return connection.execute(WAITING.delete().where(WAITING.c.id == id)).rowcount == 1


def wait_after(attempts: int) -> timedelta:
    """How long after so many failures the next attempt is made.

    >>> [str(wait_after(attempts)) for attempts in (1, 2, 3, 100)]
    ['0:00:30', '0:01:00', '0:02:00', '1:00:00']
    """
    doublings = min(attempts - 1, 10)  # 30 s doubled ten times is beyond the longest wait
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def _entry(notification: Notification, what: str, *, now: datetime) -> Entry:
    alerts = (f"{event.title} {event.state}" for event in notification.events)
    told = ", ".join([*alerts, *(news.headline for news in notification.news)])
    return Entry(
        time=now,
        kind=KIND,
        subject=notification.receiver,
        author=AUTHOR,
        text=f"{what} {notification.receiver}: {told}",
        evidence=evidence_of(notification),
    )


def _notification(row: sa.Row[Any]) -> Notification:
    if row.format != FORMAT:
        told = f"notification {row.id}: format {row.format}"
        raise AlertError("AL003", told, expected=f"format {FORMAT}")
    found = msgspec.json.decode(row.notification, type=Notification)
    return msgspec.structs.replace(found, id=row.id)
