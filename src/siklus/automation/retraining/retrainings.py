"""Retrainings in the control database: who asked for one, each job from then to its end, and their pace.

Whatever is decided about a job is one transaction with its journal entry and with what somebody must hear of
it; and it says which state of the job, or of the pace, it follows. So of two loops one decides, and a loop
that dies has either decided or not.
"""

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from msgspec import structs

from siklus.automation.retraining.jobs import (
    UNDER_WAY,
    Outcome,
    Retraining,
    ask_entry,
    begun_entry,
    considered_entry,
    recorded_entry,
    started_entry,
)
from siklus.automation.retraining.signs import Signs
from siklus.automation.retraining.tables import (
    ASKS,
    FORMAT,
    JOBS,
    PACES,
    ask_of,
    job_of,
    job_row,
    pace_of,
    text_of,
)
from siklus.automation.retraining.triggers import Consideration, Pace, begun_pace, consider, ended_pace
from siklus.errors import AutomationError
from siklus.events import tell
from siklus.project.loop import Retrain
from siklus.registry.asks import Ask, left_asks
from siklus.registry.control import Control
from siklus.registry.journal import Also, Journal, nobody


class Retrainings:
    """The jobs of one model. AutomationError AU030 where somebody else has decided meanwhile, AU031 for rows
    of another format; other errors are those of `Control.transaction`."""

    def __init__(self, control: Control, model: str, *, also: Also = nobody) -> None:
        self._control, self._model = control, model
        self._journal = Journal(control, model, also=also)
        self._stuck: set[Path] = set()  # files that were taken, and cannot be removed
        control.ensure(JOBS, ASKS, PACES)

    # What there is.

    def current(self) -> Retraining | None:
        """The one that is under way; None where none is."""
        found = self._jobs(JOBS.c.state.in_(UNDER_WAY), limit=1)
        return found[0] if found else None

    def get(self, number: int) -> Retraining | None:
        found = self._jobs(JOBS.c.number == number, limit=1)
        return found[0] if found else None

    def history(self, *, limit: int = 20) -> list[Retraining]:
        """The latest, the newest first."""
        return self._jobs(sa.true(), limit=limit)

    def accepted(self) -> Retraining | None:
        """The newest one, where its challenger was accepted and has no rollout yet."""
        newest = self.history(limit=1)
        waits = bool(newest) and newest[0].state == "accepted" and newest[0].rollout is None
        return newest[0] if waits else None

    # Who asks.

    def ask(self, ask: Ask) -> bool:
        """Keep it for the next turn; False for one that is known already, by its id."""
        row = {"model": self._model, "id": ask.id, "format": FORMAT, "ask": text_of(ask)}
        try:
            with self._control.transaction() as connection:
                connection.execute(ASKS.insert().values(row))
                self._journal.write(connection, ask_entry(ask))
        except sa.exc.IntegrityError:
            return False
        return True

    def take_asks(self, folder: Path) -> int:
        """Take over what was left in the folder, and how many were new. A file that is no ask is removed; one
        that cannot be removed is told of once."""
        taken = 0
        for path, ask in left_asks(folder):
            if path in self._stuck:
                continue
            if ask is None:
                tell("no_ask", level="error", file=str(path))
            else:
                taken += self.ask(ask)
            try:
                path.unlink(missing_ok=True)
            except OSError as exc:
                tell("ask_stays", level="error", file=str(path), reason=str(exc))
                self._stuck.add(path)
        return taken

    def waiting(self) -> tuple[Ask, ...]:
        """What no job answers yet, in the order in which it was asked."""
        wanted = sa.select(ASKS).where(ASKS.c.model == self._model, ASKS.c.number.is_(None))
        with self._control.transaction() as connection:
            asks = [ask_of(row) for row in connection.execute(wanted)]
        return tuple(sorted(asks, key=lambda ask: (ask.time, ask.id)))

    def answering(self, ask_id: str) -> Retraining | None:
        """The job that answers an ask; None while none does."""
        wanted = sa.select(ASKS.c.number).where(ASKS.c.model == self._model, ASKS.c.id == ask_id)
        with self._control.transaction() as connection:
            number = connection.execute(wanted).scalar()
        return None if number is None else self.get(number)

    # Turns.

    def consider(self, signs: Signs, settings: Retrain, *, busy: str = "", now: datetime) -> Consideration:
        """What the next turn would do. ``busy``: why nothing may begin, such as a rollout that goes on."""
        _, pace = self._pace()
        going_on = self.current()
        if going_on is not None:
            busy = f"retraining {going_on.number} is {going_on.state} since {going_on.since:%Y-%m-%d %H:%M}."
        return consider(signs, pace, settings, asks=self.waiting(), busy=busy, now=now)

    def turn(self, signs: Signs, settings: Retrain, *, busy: str = "", now: datetime) -> Retraining | None:
        """Begin a retraining where one is due; it comes back, in the state `asked`. Else only the pace is
        kept, and what is new about the triggers journaled."""
        revision, _ = self._pace()
        found = self.consider(signs, settings, busy=busy, now=now)
        with self._control.transaction() as connection:
            if not found.begins:
                self._keep_pace(connection, found.pace, follows=revision)
                if found.news:
                    self._journal.write(connection, considered_entry(found, now=now))
                return None
            self._keep_pace(connection, begun_pace(found.pace, signs, now=now), follows=revision)
            job = self._begun(connection, found, signs, now=now)
            self._journal.write(connection, begun_entry(job))
            return job

    # A job's life.

    def started(self, job: Retraining, *, now: datetime) -> Retraining:
        """A process is about to be started for it, the first time or again."""
        after = structs.replace(job, state="training", since=now, attempts=job.attempts + 1)
        with self._control.transaction() as connection:
            job = self._kept(connection, after)
            self._journal.write(connection, started_entry(job))
            return job

    def record(self, job: Retraining, outcome: Outcome, *, now: datetime) -> Retraining:
        """What came of it, at its end or when it was judged again. Said again, nothing new is journaled."""
        changed = (job.state, job.version, job.reason) != (outcome.state, outcome.version, outcome.reason)
        if not changed:
            return job
        over = outcome.state not in UNDER_WAY
        after = structs.replace(
            job,
            state=outcome.state,
            since=job.since if job.state == outcome.state else now,
            ended=now if over else None,
            version=job.version if outcome.version is None else outcome.version,
            bundle=job.bundle if outcome.bundle is None else outcome.bundle,
            reason=outcome.reason,
        )
        with self._control.transaction() as connection:
            kept = self._kept(connection, after)
            if over:
                revision, pace = self._pace_in(connection)
                self._keep_pace(connection, ended_pace(pace, now=now), follows=revision)
            self._journal.write(connection, recorded_entry(kept, outcome))
        return kept

    def attach(self, connection: sa.Connection, rollout: int, *, job: Retraining) -> Retraining:
        """Its challenger is being rolled out, within the transaction that begins it: both, or neither.

        The rollout's own start is what the journal has.
        """
        return self._kept(connection, structs.replace(job, rollout=rollout))

    # Rows.

    def _jobs(self, which: sa.ColumnElement[bool], *, limit: int) -> list[Retraining]:
        wanted = sa.select(JOBS).where(JOBS.c.model == self._model, which)
        with self._control.transaction() as connection:
            rows = connection.execute(wanted.order_by(JOBS.c.number.desc()).limit(limit))
            return [job_of(row) for row in rows]

    def _begun(
        self, connection: sa.Connection, found: Consideration, signs: Signs, *, now: datetime
    ) -> Retraining:
        newest = sa.select(sa.func.max(JOBS.c.number)).where(JOBS.c.model == self._model)
        job = Retraining(
            number=(connection.execute(newest).scalar() or 0) + 1,
            due=found.due,
            asks=found.asks,
            verdict=found.verdict,
            champion=signs.version,
            began=now,
            since=now,
            revision=1,
            reason=found.said,
        )
        connection.execute(JOBS.insert().values(model=self._model, number=job.number, **job_row(job)))
        if found.asks:
            answered = ASKS.c.id.in_([ask.id for ask in found.asks])
            mine = (ASKS.c.model == self._model) & answered
            connection.execute(ASKS.update().where(mine).values(number=job.number))
        return job

    def _kept(self, connection: sa.Connection, job: Retraining) -> Retraining:
        after = structs.replace(job, revision=job.revision + 1)
        seen = (JOBS.c.number == job.number) & (JOBS.c.revision == job.revision)
        mine = (JOBS.c.model == self._model) & seen
        if connection.execute(JOBS.update().where(mine).values(job_row(after))).rowcount != 1:
            raise self._overtaken(f"retraining {job.number}: it is not at revision {job.revision} any more")
        return after

    def _pace(self) -> tuple[int, Pace]:
        with self._control.transaction() as connection:
            return self._pace_in(connection)

    def _pace_in(self, connection: sa.Connection) -> tuple[int, Pace]:
        row = connection.execute(sa.select(PACES).where(PACES.c.model == self._model)).one_or_none()
        if row is None:
            return 0, Pace()
        return row.revision, pace_of(row)

    def _keep_pace(self, connection: sa.Connection, pace: Pace, *, follows: int) -> None:
        row = {"revision": follows + 1, "format": FORMAT, "pace": text_of(pace)}
        try:
            if follows == 0:
                connection.execute(PACES.insert().values(model=self._model, **row))
                return
        except sa.exc.IntegrityError as exc:
            raise self._overtaken("another loop has looked first") from exc
        seen = (PACES.c.model == self._model) & (PACES.c.revision == follows)
        if connection.execute(PACES.update().where(seen).values(row)).rowcount != 1:
            raise self._overtaken("another loop has looked since")

    def _overtaken(self, what: str) -> AutomationError:
        return AutomationError("AU030", f"{self._model}: {what}", expected="one loop that decides")
