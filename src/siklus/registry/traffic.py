"""Traffic: every revision of the traffic policy, in the control database. Whoever writes says what it saw."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from siklus.errors import RegistryError
from siklus.registry.control import METADATA, Control
from siklus.registry.policy import FORMAT, Allotment, TrafficPolicy, checked

REVISIONS = sa.Table(
    "traffic_revisions",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    # The revision that this one follows: two that follow the same one would be a lost decision.
    sa.Column("follows", sa.Integer, nullable=False),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("allotment", sa.Text, nullable=False),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.UniqueConstraint("model", "follows"),
)
NOTHING = 0  # what the first revision follows


class Traffic:
    """The revisions of one model's traffic policy."""

    def __init__(self, control: Control, model: str) -> None:
        self._control = control
        self._model = model
        control.ensure(REVISIONS)

    def current(self) -> TrafficPolicy | None:
        """The latest revision; None when nothing was decided yet."""
        found = self.history(limit=1)
        return found[0] if found else None

    def history(self, *, limit: int = 20) -> list[TrafficPolicy]:
        """The latest revisions, the newest first."""
        of_model = sa.select(REVISIONS).where(REVISIONS.c.model == self._model)
        with self._control.transaction() as connection:
            rows = connection.execute(of_model.order_by(REVISIONS.c.revision.desc()).limit(limit))
            return [_policy(row) for row in rows]

    def revision(self) -> int:
        """That of the latest one, 0 without any: all that a follower asks every other second."""
        latest = sa.select(sa.func.max(REVISIONS.c.revision)).where(REVISIONS.c.model == self._model)
        with self._control.transaction() as connection:
            return connection.execute(latest).scalar() or NOTHING

    def append(
        self,
        allotment: Allotment,
        *,
        follows: int,
        by: str,
        now: datetime,
        reason: str = "",
        published: int = NOTHING,
    ) -> TrafficPolicy:
        """Decide: the next revision, which must follow the one that the writer has seen.

        RegistryError RG012 when it cannot be served, RG014 when somebody else decided meanwhile. The number
        is above ``published`` too, so that it goes on where a database was lost.
        """
        checked(allotment)
        policy = TrafficPolicy(
            revision=max(follows, published) + 1,
            model=self._model,
            allotment=allotment,
            created=now,
            by=by,
            reason=reason,
        )
        if self.revision() != follows:
            raise self._overtaken(follows)
        try:
            with self._control.transaction() as connection:
                connection.execute(REVISIONS.insert().values(_row(policy, follows=follows)))
        except sa.exc.IntegrityError as exc:
            raise self._overtaken(follows) from exc
        return policy

    def _overtaken(self, follows: int) -> RegistryError:
        current = self.current()
        latest = "there is none" if current is None else f"the latest is {current.revision} by {current.by}"
        return RegistryError(
            "RG014",
            f"traffic policy of {self._model!r}: this was to follow revision {follows}, but {latest}",
            expected="a decision on what `siklus traffic show` shows",
        )


def _row(policy: TrafficPolicy, *, follows: int) -> dict[str, Any]:
    return {
        "model": policy.model,
        "revision": policy.revision,
        "follows": follows,
        "format": policy.format,
        "allotment": msgspec.json.encode(policy.allotment).decode(),
        "created": policy.created.isoformat(),
        "author": policy.by,
        "reason": policy.reason,
    }


def _policy(row: sa.Row[Any]) -> TrafficPolicy:
    if row.format != FORMAT:
        told = f"traffic policy revision {row.revision}: format {row.format}"
        raise RegistryError("RG015", told, expected=f"format {FORMAT}")
    return TrafficPolicy(
        revision=row.revision,
        model=row.model,
        allotment=msgspec.json.decode(row.allotment, type=Allotment),
        created=datetime.fromisoformat(row.created),
        by=row.author,
        reason=row.reason,
    )
