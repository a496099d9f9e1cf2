"""Looks: what each server had counted at each moment that somebody looked, in the control database.

Counts only grow, so what was counted between two moments is a difference; it is exact, whoever looked how
often, and adds up over servers. A look that failed is made good by the next one.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from siklus.ledgers.layouts import Layout, ServerLayout, read_layout
from siklus.ledgers.totals import ServerTotals, Totals, VersionTotals
from siklus.monitor.microseconds import moment_of, us_of
from siklus.project.sections import Project
from siklus.registry.control import METADATA, Control

LOOKS = sa.Table(
    "looks",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("replica", sa.String(64), primary_key=True),
    sa.Column("layout", sa.String(64), primary_key=True),
    sa.Column("taken_us", sa.BigInteger, primary_key=True),
    sa.Column("numbers", sa.LargeBinary, nullable=False),
    # What was counted before the server began at 0 again; NULL where it never did.
    sa.Column("carried", sa.LargeBinary),
)
LAYOUTS = sa.Table(
    "look_layouts",
    METADATA,
    sa.Column("layout", sa.String(64), primary_key=True),
    sa.Column("text", sa.LargeBinary, nullable=False),
)
EVERY_LOOK = timedelta(days=2)  # after which one look an hour is enough
EVERY_HOUR = timedelta(days=400)  # after which none is
REMEMBERED = 256  # moments of the past, which never change: a step's end is asked for sixty times
HOUR_US = 3_600_000_000
SCRAPED = "prometheus:"  # what the names of replicas begin with of which a Prometheus told

Source: TypeAlias = Literal["servers", "prometheus"]
Place: TypeAlias = tuple[str, str]  # replica, layout
Numbers: TypeAlias = NDArray[np.float64]  # counts, then sums; exact, since no server counts to 2**53


@dataclass(frozen=True)
class Moment:
    """All that had been counted by then, by server and layout."""

    numbers: Mapping[Place, Numbers]


class Looks:
    """The looks at one model's servers. Errors are those of `Control.transaction`.

    ``source``: who tells what was counted. The same servers have other names by the other one, so its looks
    are left alone: with them everything would be counted twice.
    """

    def __init__(self, control: Control, model: str, *, source: Source = "servers") -> None:
        self._control, self._model, self._source = control, model, source
        scraped = LOOKS.c.replica.startswith(SCRAPED)
        told = scraped if source == "prometheus" else sa.not_(scraped)
        self._own = (LOOKS.c.model == model) & told
        self._layouts: dict[str, Layout] = {}
        self._moments: dict[int, Moment] = {}
        control.ensure(LOOKS, LAYOUTS)

    def add(self, totals: Totals, *, replica: str, now: datetime) -> None:
        """Keep what one server has counted so far.

        Looks at it that lie after ``now`` were taken by a clock that was wrong, and go: counts add up, so
        that nothing is lost with them.
        """
        replica = self._named(replica)
        taken, of_replica = us_of(now), (LOOKS.c.model == self._model) & (LOOKS.c.replica == replica)
        with self._control.transaction() as connection:
            last = {row.layout: row for row in self._newest(connection, LOOKS.c.replica == replica)}
            wrong = connection.execute(LOOKS.delete().where(of_replica, LOOKS.c.taken_us >= taken))
            if wrong.rowcount:
                self._moments.clear()
            for layout, numbers in _told(totals):
                digest = self._keep_layout(connection, layout)
                before, packed = last.get(digest), _packed(numbers)
                carried = _carried(before, numbers)
                unchanged = before is not None and before.numbers == packed
                # That of the server is kept all the same: it says that somebody looked.
                if isinstance(layout, ServerLayout) or not unchanged or wrong.rowcount:
                    key = {"model": self._model, "replica": replica, "layout": digest, "taken_us": taken}
                    extra = None if carried is None else _packed(carried)
                    connection.execute(LOOKS.insert().values(**key, numbers=packed, carried=extra))

    def first_look(self) -> datetime | None:
        """When somebody first looked at any of the servers: windows that begin earlier are not whole."""
        return self._look(sa.func.min(LOOKS.c.taken_us))

    def last_look(self) -> datetime | None:
        """When somebody last looked at any of the servers."""
        return self._look(sa.func.max(LOOKS.c.taken_us))

    def begin(self, since: datetime) -> datetime | None:
        """From when on `between` counts: the last look up to ``since``, else the first one; None without."""
        last = LOOKS.c.taken_us <= us_of(since)
        return self._look(sa.func.max(LOOKS.c.taken_us).filter(last)) or self.first_look()

    def between(self, since: datetime | None, until: datetime, *, replica: str | None = None) -> Totals:
        """What servers counted from the last look up to ``since`` to the last one up to ``until``.

        None: from the beginning; without ``replica`` all servers. What a server had counted before it was
        first looked at lies before any ``since``.
        """
        end = self._at(until)
        begin = Moment({}) if since is None else self._begin(since, end)
        if replica is not None:
            own = self._named(replica)
            end = Moment({place: numbers for place, numbers in end.numbers.items() if place[0] == own})
        return self._difference(begin, end, until=until)

    def grown(self, since: datetime, until: datetime) -> Totals:
        """What each server counted from the first look at it after ``since`` on: nothing from before.

        `between` counts from the last look before ``since``, so that nothing is lost between two stretches.
        """
        first = sa.func.min(LOOKS.c.taken_us)
        after = self._own & (LOOKS.c.taken_us >= us_of(since)) & (LOOKS.c.taken_us <= us_of(until))
        asked = sa.select(LOOKS.c.replica, first).where(after).group_by(LOOKS.c.replica)
        with self._control.transaction() as connection:
            begins = {replica: moment_of(taken) for replica, taken in connection.execute(asked).all()}
        begin = {
            place: numbers
            for replica, moment in begins.items()
            for place, numbers in self._at(moment).numbers.items()
            if place[0] == replica
        }
        seen = self._at(until).numbers.items()
        end = Moment({place: numbers for place, numbers in seen if place[0] in begins})
        return self._difference(Moment(begin), end, until=until)

    def steps(self, ends: Sequence[datetime]) -> list[Totals]:
        """What was counted between each two neighbours of these ascending moments."""
        return [self.between(since, until) for since, until in pairwise(ends)]

    def thin(self, *, now: datetime) -> None:
        """Of looks older than two days leave the last of each hour, of those older than 400 days none.

        The last look at a server stays, however old: what it had counted has been counted.
        """
        of_model = LOOKS.c.model == self._model
        place = (LOOKS.c.replica, LOOKS.c.layout)
        newest = sa.select(sa.func.max(LOOKS.c.taken_us)).where(of_model)
        hourly = newest.group_by(*place, LOOKS.c.taken_us // HOUR_US)
        late = LOOKS.c.taken_us < us_of(now - EVERY_LOOK)
        oldest = LOOKS.c.taken_us < us_of(now - EVERY_HOUR)
        with self._control.transaction() as connection:
            connection.execute(LOOKS.delete().where(of_model, late, LOOKS.c.taken_us.not_in(hourly)))
            last = newest.group_by(*place)
            connection.execute(LOOKS.delete().where(of_model, oldest, LOOKS.c.taken_us.not_in(last)))

    def _difference(self, begin: Moment, end: Moment, *, until: datetime) -> Totals:
        sums: dict[str, Numbers] = {}
        for place, numbers in end.numbers.items():
            _, digest = place
            grown = numbers - begin.numbers.get(place, np.zeros(len(numbers)))
            sums[digest] = sums[digest] + grown if digest in sums else grown
        return _totals([(self._layout(digest), numbers) for digest, numbers in sums.items()], used=until)

    def _named(self, replica: str) -> str:
        """As the database has it, in which a host's whole name and its port may have no room."""
        if self._source == "servers":
            return replica
        return f"{SCRAPED}{sha256(replica.encode()).hexdigest()[:40]}"

    def _look(self, which: sa.ColumnElement[int]) -> datetime | None:
        with self._control.transaction() as connection:
            found = connection.execute(sa.select(which).where(self._own)).scalar()
        return None if found is None else moment_of(found)

    def _at(self, moment: datetime) -> Moment:
        taken = us_of(moment)
        if taken in self._moments:
            return self._moments[taken]
        with self._control.transaction() as connection:
            rows = self._newest(connection, LOOKS.c.taken_us <= taken)
        found = Moment({(row.replica, row.layout): _summed(row) for row in rows})
        if (self.last_look() or moment) > moment:  # it is past: nobody will add to it
            while len(self._moments) >= REMEMBERED:
                del self._moments[next(iter(self._moments))]
            self._moments[taken] = found
        return found

    def _begin(self, since: datetime, end: Moment) -> Moment:
        """What had been counted by ``since``; of a server first seen later, what it had at its first look."""
        numbers = dict(self._at(since).numbers)
        seen = {replica for replica, _ in numbers}
        unseen = {replica for replica, _ in end.numbers} - seen
        for replica in unseen:
            with self._control.transaction() as connection:
                of_replica = (LOOKS.c.model == self._model) & (LOOKS.c.replica == replica)
                first = sa.select(sa.func.min(LOOKS.c.taken_us)).where(of_replica).scalar_subquery()
                rows = connection.execute(sa.select(LOOKS).where(of_replica, LOOKS.c.taken_us == first)).all()
            numbers |= {(row.replica, row.layout): _summed(row) for row in rows}
        return Moment(numbers)

    def _newest(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> Sequence[sa.Row[Any]]:
        """Of each server and layout the newest look among these."""
        newest = (
            sa.select(LOOKS.c.replica, LOOKS.c.layout, sa.func.max(LOOKS.c.taken_us).label("taken_us"))
            .where(self._own, which)
            .group_by(LOOKS.c.replica, LOOKS.c.layout)
            .subquery()
        )
        same = [LOOKS.c[name] == newest.c[name] for name in ("replica", "layout", "taken_us")]
        return connection.execute(sa.select(LOOKS).join(newest, sa.and_(*same)).where(self._own)).all()

    def _keep_layout(self, connection: sa.Connection, layout: Layout) -> str:
        """The name under which it is known."""
        text = layout.title.text
        digest = sha256(text).hexdigest()
        if digest not in self._layouts:
            # Another server with the same model may bring it at the same moment.
            with suppress(sa.exc.IntegrityError), connection.begin_nested():
                connection.execute(LAYOUTS.insert().values(layout=digest, text=text))
            self._layouts[digest] = layout
        return digest

    def _layout(self, digest: str) -> Layout | None:
        """None for one that a later release has written."""
        if digest not in self._layouts:
            with self._control.transaction() as connection:
                text = connection.execute(
                    sa.select(LAYOUTS.c.text).where(LAYOUTS.c.layout == digest)
                ).scalar_one()
            layout = read_layout(text)
            if layout is None:
                return None
            self._layouts[digest] = layout
        return self._layouts[digest]


def project_looks(control: Control, project: Project) -> Looks:
    """Of whom the project's watch has the counts."""
    source: Source = "servers" if project.monitor.prometheus is None else "prometheus"
    return Looks(control, project.project.name, source=source)


def _told(totals: Totals) -> Iterator[tuple[Layout, Numbers]]:
    """Each layout, and what was counted there."""
    for version in totals.versions:
        yield version.layout, np.concatenate([version.counts, version.sums])
    for server in totals.servers:
        numbers = server.rows.sum(axis=0).astype(np.float64)
        for (what, *_), place in server.layout.places.items():
            if what in ServerLayout.OF_A_PROCESS:
                numbers[place] = 0  # these do not count, they name and show
        yield server.layout, numbers


def _totals(found: Iterable[tuple[Layout | None, Numbers]], *, used: datetime) -> Totals:
    versions, servers = [], []
    for layout, numbers in found:
        if isinstance(layout, ServerLayout):
            servers.append(ServerTotals(layout, numbers.astype(np.uint64)[None, :]))
        elif layout is not None:
            counts = numbers[: layout.title.counts].astype(np.uint64)
            sums = numbers[layout.title.counts :]
            versions.append(VersionTotals(layout, counts, sums, used.timestamp()))
    versions.sort(key=lambda version: version.layout.version)
    return Totals(tuple(versions), tuple(servers))


def _carried(before: sa.Row[Any] | None, numbers: Numbers) -> Numbers | None:
    """What is to be added to counts that are in part smaller than they were: the server began anew."""
    if before is None:
        return None
    carried = None if before.carried is None else _unpacked(before.carried)
    raw = _unpacked(before.numbers)
    if (numbers >= raw).all():
        return carried
    return raw if carried is None else raw + carried


def _summed(row: sa.Row[Any]) -> Numbers:
    numbers = _unpacked(row.numbers)
    return numbers if row.carried is None else numbers + _unpacked(row.carried)


def _packed(numbers: Numbers) -> bytes:
    return zlib.compress(numbers.tobytes(), level=1)


def _unpacked(blob: bytes) -> Numbers:
    return np.frombuffer(zlib.decompress(blob), dtype=np.float64)
