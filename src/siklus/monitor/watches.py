"""Watches: what each machine's watch knows alone, of its server's processes and of its records, for all.

All watches of a model ask rules of one set of alerts, so they must ask of the same values: otherwise what one
finds and another does not would begin and end at every look.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from siklus.monitor.microseconds import us_of
from siklus.monitor.signals import Signal
from siklus.registry.control import METADATA, Control

FRESH = timedelta(minutes=10)  # what a watch has found counts for so long, or for some looks that fail
MISSED_LOOKS = 3
# Of these the largest counts, as in PromQL.
ALONE = frozenset(
    {
        "cpu",
        "memory",
        "joint_drift",
        "labelled_since_training",
        "label_coverage",
        "label_delay",
        "quality",
        "quality_alarm",
    }
)

FOUND = sa.Table(
    "watch_signals",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("replica", sa.String(64), primary_key=True),
    sa.Column("taken_us", sa.BigInteger, nullable=False),
    sa.Column("signals", sa.Text, nullable=False),
)


class Watches:
    """All watches of one model. Errors are those of `Control.transaction`."""

    def __init__(self, control: Control, model: str) -> None:
        self._control, self._model = control, model
        control.ensure(FOUND)

    def together(
        self, signals: Sequence[Signal], *, replica: str, now: datetime, every: timedelta
    ) -> list[Signal]:
        """The signals of ``replica``'s watch with what the others have found alone; they are told of its own.

        ``every``: the time between two looks.
        """
        alone = [each for each in signals if each.name in ALONE]
        taken, fresh = us_of(now), max(FRESH, MISSED_LOOKS * every) // timedelta(microseconds=1)
        of_model, own = FOUND.c.model == self._model, FOUND.c.replica == replica
        row = {"taken_us": taken, "signals": msgspec.json.encode(alone).decode()}
        with self._control.transaction() as connection:
            # What is of the future was found by a clock that was wrong.
            lasting = FOUND.c.taken_us.between(taken - fresh, taken + fresh)
            connection.execute(FOUND.delete().where(of_model, sa.not_(own), sa.not_(lasting)))
            if not connection.execute(FOUND.update().where(of_model, own).values(row)).rowcount:
                # A state that was copied to another machine has the same name: one of the two has told.
                with suppress(sa.exc.IntegrityError), connection.begin_nested():
                    connection.execute(FOUND.insert().values(model=self._model, replica=replica, **row))
            others = connection.execute(sa.select(FOUND.c.signals).where(of_model, sa.not_(own))).scalars()
            found = [each for text in others for each in msgspec.json.decode(text, type=list[Signal])]
        shared = [each for each in signals if each.name not in ALONE]
        return [*shared, *_as_one([*alone, *found])]


def _as_one(signals: Iterable[Signal]) -> list[Signal]:
    values: dict[str, float] = {}
    for each in signals:
        values[each.name] = max(each.value, values.get(each.name, each.value))
    return [Signal(name=name, value=value) for name, value in values.items() if name in ALONE]
