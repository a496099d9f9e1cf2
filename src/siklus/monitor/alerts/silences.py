"""Silences in the control database: which alerts nobody wants to hear of, for how long, and why."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from siklus.monitor.alerts.states import Silence
from siklus.registry.control import METADATA, Control
from siklus.registry.journal import Entry, Journal, evidence_of, stamp

KIND = "silence"  # of journal entries

SILENCES = sa.Table(
    "alert_silences",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(63), nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("feature", sa.Text),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("until", sa.String(40), nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)


class Silences:
    """The silences of one model's alerts."""

    def __init__(self, control: Control, model: str) -> None:
        self._control = control
        self._model = model
        self._journal = Journal(control, model)
        control.ensure(SILENCES)

    def add(self, silence: Silence) -> None:
        """Silence from now on; the journal keeps who did and why."""
        row = {
            "model": self._model,
            "rule": silence.rule,
            "feature": silence.feature,
            "created": stamp(silence.created),
            "until": stamp(silence.until),
            "author": silence.author,
            "reason": silence.reason,
        }
        text = f"silenced {_named(silence)} until {silence.until:%Y-%m-%d %H:%M} UTC"
        entry = Entry(
            time=silence.created,
            kind=KIND,
            subject=silence.rule,
            author=silence.author,
            text=f"{text}: {silence.reason}" if silence.reason else text,
            evidence=evidence_of(silence),
        )
        with self._control.transaction() as connection:
            connection.execute(SILENCES.insert().values(row))
            self._journal.write(connection, entry)

    def lift(self, rule: str, *, feature: str | None, author: str, now: datetime) -> int:
        """End the silences that were made in these very words; how many there were comes back."""
        same = (SILENCES.c.rule == rule) & (
            SILENCES.c.feature.is_(None) if feature is None else SILENCES.c.feature == feature
        )
        lasting = (SILENCES.c.model == self._model) & (SILENCES.c.until > stamp(now)) & same
        with self._control.transaction() as connection:
            lifted = connection.execute(SILENCES.update().where(lasting).values(until=stamp(now))).rowcount
            if lifted:
                text = f"lifted the silence of {rule}" + (f" of {feature}" if feature else "")
                entry = Entry(time=now, kind=KIND, subject=rule, author=author, text=text)
                self._journal.write(connection, entry)
        return lifted

    def lasting(self, now: datetime) -> list[Silence]:
        """Those that have not ended, the oldest first."""
        wanted = sa.select(SILENCES).where(SILENCES.c.model == self._model, SILENCES.c.until > stamp(now))
        with self._control.transaction() as connection:
            return [_silence(row) for row in connection.execute(wanted.order_by(SILENCES.c.id))]


def _named(silence: Silence) -> str:
    return silence.rule if silence.feature is None else f"{silence.rule} of {silence.feature}"


def _silence(row: sa.Row[Any]) -> Silence:
    return Silence(
        rule=row.rule,
        feature=row.feature,
        created=datetime.fromisoformat(row.created),
        until=datetime.fromisoformat(row.until),
        author=row.author,
        reason=row.reason,
    )
