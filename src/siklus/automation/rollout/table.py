"""The table of rollouts: their states, and what the last look has seen; read and written in transactions."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from siklus.automation.rollout.rollout import Evidence, Rollout
from siklus.errors import AutomationError
from siklus.registry.control import METADATA, Control
from siklus.registry.journal import stamp

FORMAT = 1

ROLLOUTS = sa.Table(
    "rollouts",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    # Counts the writes: whoever writes says which one it saw.
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("format", sa.Integer, nullable=False),
    # True or NULL, and NULLs are all different: so one rollout of a model goes on at a time.
    sa.Column("going_on", sa.Boolean),
    sa.Column("phase", sa.String(20), nullable=False),
    sa.Column("challenger", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("looked", sa.String(40)),
    sa.Column("evidence", sa.Text),
    sa.UniqueConstraint("model", "going_on"),
)


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look has seen of a rollout, and when."""

    time: datetime
    evidence: Evidence


class RolloutRows:
    """One model's rows."""

    def __init__(self, control: Control, model: str) -> None:
        self._model = model
        control.ensure(ROLLOUTS)

    def current(self, connection: sa.Connection) -> Rollout | None:
        """The one that goes on."""
        row = connection.execute(self._wanted().where(ROLLOUTS.c.going_on.is_(True))).one_or_none()
        return None if row is None else _rollout(row)

    def get(self, connection: sa.Connection, number: int) -> Rollout:
        """AutomationError AU010 when there is none of that number."""
        return _rollout(self._row(connection, number))

    def looked(self, connection: sa.Connection, number: int) -> Looked | None:
        """None before the first look; AutomationError AU010 when there is none of that number."""
        row = self._row(connection, number)
        if row.evidence is None:
            return None
        evidence = msgspec.json.decode(row.evidence, type=Evidence)
        return Looked(time=datetime.fromisoformat(row.looked), evidence=evidence)

    def history(self, connection: sa.Connection, *, limit: int) -> list[Rollout]:
        """The newest first."""
        rows = connection.execute(self._wanted().order_by(ROLLOUTS.c.number.desc()).limit(limit))
        return [_rollout(row) for row in rows]

    def next_number(self, connection: sa.Connection) -> int:
        """Of two that are given the same one, the second cannot write."""
        latest = sa.select(sa.func.max(ROLLOUTS.c.number)).where(ROLLOUTS.c.model == self._model)
        return (connection.execute(latest).scalar() or 0) + 1

    def insert(self, connection: sa.Connection, rollout: Rollout) -> None:
        """IntegrityError when another one goes on."""
        connection.execute(
            ROLLOUTS.insert().values(model=self._model, number=rollout.number, **_values(rollout))
        )

    def follow(
        self, connection: sa.Connection, after: Rollout, *, seen: Rollout, looked: Looked | None = None
    ) -> bool:
        """Write what became of ``seen``; False, and nothing, when that is not what is there any more."""
        values = _values(after)
        if looked is not None:
            values["looked"] = stamp(looked.time)
            values["evidence"] = msgspec.json.encode(looked.evidence).decode()
        same = (
            (ROLLOUTS.c.model == self._model)
            & (ROLLOUTS.c.number == seen.number)
            & (ROLLOUTS.c.revision == seen.revision)
        )
        return connection.execute(ROLLOUTS.update().where(same).values(**values)).rowcount == 1

    def _wanted(self) -> sa.Select[Any]:
        return sa.select(ROLLOUTS).where(ROLLOUTS.c.model == self._model)

    def _row(self, connection: sa.Connection, number: int) -> sa.Row[Any]:
        row = connection.execute(self._wanted().where(ROLLOUTS.c.number == number)).one_or_none()
        if row is None:
            told = f"{self._model}: no rollout {number}"
            raise AutomationError("AU010", told, expected="one that `siklus history --kind rollout` shows")
        return row


def _values(rollout: Rollout) -> dict[str, Any]:
    return {
        "revision": rollout.revision,
        "format": FORMAT,
        "going_on": True if rollout.going_on else None,
        "phase": rollout.phase,
        "challenger": rollout.challenger.version,
        "state": msgspec.json.encode(rollout).decode(),
    }


def _rollout(row: sa.Row[Any]) -> Rollout:
    if row.format != FORMAT:
        told = f"rollout {row.number}: format {row.format}"
        raise AutomationError("AU015", told, expected=f"format {FORMAT}")
    return msgspec.json.decode(row.state, type=Rollout)
