"""The lease: of all machines that look at a model through one control database, the one that decides for it.

Every machine's loop looks, and asks at each turn for the lease; the holder renews it so. It is not what keeps
decisions apart: whoever writes one says which revision it has read, so two that both think they hold the
lease harm nothing. It only spares all but one the work.
"""

from contextlib import suppress

import sqlalchemy as sa
from msgspec import Struct

from siklus.registry.control import METADATA, Control

BACKWARD_SECONDS = 5  # a lease of the future that is older than this was taken by a clock that was wrong

LEASES = sa.Table(
    "loop_leases",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    # By the database's clock, in milliseconds since 1970: those of two machines may differ.
    sa.Column("renewed_ms", sa.BigInteger, nullable=False),
    sa.Column("lasts_ms", sa.BigInteger, nullable=False),
)
CLOCKS = {
    "sqlite": "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}


class Holding(Struct, frozen=True, kw_only=True):
    """Who holds the lease. ``over``: it has not come back in time, and anybody may."""

    holder: str
    over: bool


class Lease:
    """One model's lease, as ``holder`` asks for it. A holder that died and comes back by the same name has
    it at once; anybody else ``seconds`` after its last turn. Errors are those of `Control.transaction`."""

    def __init__(self, control: Control, model: str, *, holder: str, seconds: float) -> None:
        self._control, self._model = control, model
        self._holder, self._lasts_ms = holder, int(seconds * 1000)
        control.ensure(LEASES)

    def held(self) -> bool:
        """Take the lease or renew it; False while somebody else has it."""
        row = {"holder": self._holder, "lasts_ms": self._lasts_ms}
        of_model = LEASES.c.model == self._model
        with self._control.transaction() as connection:
            now = _clock_ms(connection)
            mine_or_free = sa.or_(LEASES.c.holder == self._holder, _is_over(now))
            taken = LEASES.update().where(of_model, mine_or_free).values(renewed_ms=now, **row)
            if connection.execute(taken).rowcount == 1:
                return True
            if connection.execute(sa.select(LEASES.c.holder).where(of_model)).first() is not None:
                return False
            # Of two that come to an empty table at once, one is told that it was second.
            with suppress(sa.exc.IntegrityError), connection.begin_nested():
                connection.execute(LEASES.insert().values(model=self._model, renewed_ms=now, **row))
                return True
        return False

    def release(self) -> None:
        """Let go, so that another machine need not wait; nothing where somebody else has it."""
        with self._control.transaction() as connection:
            mine = (LEASES.c.model == self._model) & (LEASES.c.holder == self._holder)
            connection.execute(LEASES.delete().where(mine))

    def seen(self) -> Holding | None:
        """Who has it; None where nobody does."""
        with self._control.transaction() as connection:
            now = _clock_ms(connection)
            wanted = sa.select(LEASES, _is_over(now).label("over")).where(LEASES.c.model == self._model)
            row = connection.execute(wanted).one_or_none()
        if row is None:
            return None
        return Holding(holder=row.holder, over=bool(row.over))


def _is_over(now_ms: int) -> sa.ColumnElement[bool]:
    ended = LEASES.c.renewed_ms + LEASES.c.lasts_ms < now_ms
    return sa.or_(ended, LEASES.c.renewed_ms > now_ms + BACKWARD_SECONDS * 1000)


def _clock_ms(connection: sa.Connection) -> int:
    return int(connection.execute(sa.text(CLOCKS[connection.dialect.name])).scalar_one())
