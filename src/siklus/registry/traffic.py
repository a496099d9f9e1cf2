"""Traffic: every revision of the traffic policy, in the control database. Whoever writes says what it saw."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from siklus.errors import RegistryError
from siklus.registry.control import METADATA, Control
from siklus.registry.journal import stamp
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
        policy = self.next(allotment, follows=follows, by=by, now=now, reason=reason, published=published)
        with self._control.transaction() as connection:
            self.write(connection, policy, follows=follows)
        return policy

    def next(
        self,
        allotment: Allotment,
        *,
        follows: int,
        by: str,
        now: datetime,
        reason: str = "",
        published: int = NOTHING,
    ) -> TrafficPolicy:
        """The revision that `append` would make of this, not written yet; RegistryError RG012 likewise."""
        return TrafficPolicy(
            revision=max(follows, published) + 1,
            model=self._model,
            allotment=checked(allotment),
            created=now,
            by=by,
            reason=reason,
        )

    def write(self, connection: sa.Connection, policy: TrafficPolicy, *, follows: int) -> None:
        """Write what `next` made within a transaction of the caller's, which must not go on after RG014."""
        latest = connection.execute(
            sa.select(REVISIONS.c.revision, REVISIONS.c.author)
            .where(REVISIONS.c.model == self._model)
            .order_by(REVISIONS.c.revision.desc())
            .limit(1)
        ).one_or_none()
        if (NOTHING if latest is None else latest.revision) != follows:
            found = (
                "there is none" if latest is None else f"the latest is {latest.revision} by {latest.author}"
            )
            raise self._overtaken(follows, found)
        try:
            connection.execute(REVISIONS.insert().values(_row(policy, follows=follows)))
        except sa.exc.IntegrityError as exc:
            raise self._overtaken(follows, "somebody else has decided at this very moment") from exc

    def _overtaken(self, follows: int, found: str) -> RegistryError:
        return RegistryError(
            "RG014",
            f"traffic policy of {self._model!r}: this was to follow revision {follows}, but {found}",
            expected="a decision on what `siklus traffic show` shows",
        )


def _row(policy: TrafficPolicy, *, follows: int) -> dict[str, Any]:
    return {
        "model": policy.model,
        "revision": policy.revision,
        "follows": follows,
        "format": policy.format,
        "allotment": msgspec.json.encode(policy.allotment).decode(),
        "created": stamp(policy.created),
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
