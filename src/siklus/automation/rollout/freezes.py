"""After a rollback nothing is rolled out by itself for a while: until when, and who has said so."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from siklus.registry.control import METADATA, Control
from siklus.registry.journal import stamp

FREEZES = sa.Table(
    "rollout_freezes",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("since", sa.String(40), nullable=False),
    sa.Column("until", sa.String(40), nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)


class Freeze(Struct, frozen=True, kw_only=True):
    """From ``since`` until ``until`` no rollout begins by itself. People may start one."""

    since: datetime
    until: datetime
    by: str
    reason: str


class Freezes:
    """The freeze of one model's rollouts: the latest one counts."""

    def __init__(self, control: Control, model: str) -> None:
        self._control = control
        self._model = model
        control.ensure(FREEZES)

    def lasting(self, now: datetime) -> Freeze | None:
        """The one that has not ended; None without one."""
        wanted = sa.select(FREEZES).where(FREEZES.c.model == self._model, FREEZES.c.until > stamp(now))
        with self._control.transaction() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _freeze(row)

    def write(self, connection: sa.Connection, freeze: Freeze) -> None:
        """Freeze within a transaction of the caller's; an earlier freeze ends with the new one."""
        self.lift(connection)
        row = {
            "model": self._model,
            "since": stamp(freeze.since),
            "until": stamp(freeze.until),
            "author": freeze.by,
            "reason": freeze.reason,
        }
        connection.execute(FREEZES.insert().values(row))

    def lift(self, connection: sa.Connection) -> None:
        """End the freeze within a transaction of the caller's; nothing where there is none."""
        connection.execute(FREEZES.delete().where(FREEZES.c.model == self._model))


def _freeze(row: sa.Row[Any]) -> Freeze:
    return Freeze(
        since=datetime.fromisoformat(row.since),
        until=datetime.fromisoformat(row.until),
        by=row.author,
        reason=row.reason,
    )
