"""Joined: what was answered in a stretch of time, with what came true, as columns of numbers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import duckdb
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from siklus.contract.columns import Label, label_text
from siklus.data.engine import quoted
from siklus.errors import RecordsError
from siklus.records.layout import Layout
from siklus.records.outcomes import any_received
from siklus.records.query import open_views
from siklus.stats.ranges import Ranges
from siklus.table import Cells

MOST_WORDS = 20  # values of a column that are told one by one, the most frequent first
OTHER_WORDS = "(other values)"
NO_WORD = "(missing)"
NEVER = np.iinfo(np.int64).min  # where a moment would stand

Rows: TypeAlias = NDArray[np.int64] | NDArray[np.bool_]  # positions, or a mask
Moments: TypeAlias = NDArray[np.int64]  # Unix time in µs, NEVER without one
Answers: TypeAlias = NDArray[np.float64]  # indices of classes, or numbers; NaN for none


@dataclass(frozen=True)
class Words:
    """A column of text: the index of each row's word in ``names``, shape (rows,).

    The last two names are those of all words that have none of their own, and of rows without a word.
    ``ordered``: the names follow one another, as ranges of numbers do.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    ordered: bool = False

    @property
    def missing(self) -> NDArray[np.bool_]:
        return np.asarray(self.codes == len(self.names) - 1)

    def take(self, rows: Rows) -> "Words":
        return replace(self, codes=self.codes[rows])


@dataclass(frozen=True)
class Featured:
    """Features as they were received, JSON objects by column name, of the rows at ``places``."""

    places: NDArray[np.int64]
    texts: Cells


NO_FEATURES = Featured(np.empty(0, dtype=np.int64), np.empty(0, dtype=object))


@dataclass(frozen=True, kw_only=True)
class JoinedRows:
    """Answered rows, each once, with their outcome where it is known; all arrays of shape (rows,).

    ``predicted``, ``outcome``: indices into ``classes``, or numbers (``classes`` None). ``probability``: that
    of the predicted class, as it was answered. ``client``: who sent the outcome, by the name of an API key.
    ``columns``: of the features, by name. ``featured``: whole rows, where they were asked for; `take` loses
    them.
    """

    classes: tuple[Label, ...] | None
    made: Moments
    received: Moments
    observed: Moments
    predicted: Answers
    outcome: Answers
    probability: NDArray[np.float64]
    version: Words
    arm: Words
    client: Words
    columns: Mapping[str, Words]
    featured: Featured = NO_FEATURES

    def __len__(self) -> int:
        return len(self.made)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Where an outcome is known that can be held against the prediction."""
        return ~np.isnan(self.outcome) & ~np.isnan(self.predicted)

    def take(self, rows: Rows) -> "JoinedRows":
        return JoinedRows(
            classes=self.classes,
            made=self.made[rows],
            received=self.received[rows],
            observed=self.observed[rows],
            predicted=self.predicted[rows],
            outcome=self.outcome[rows],
            probability=self.probability[rows],
            version=self.version.take(rows),
            arm=self.arm.take(rows),
            client=self.client.take(rows),
            columns={name: words.take(rows) for name, words in self.columns.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Which predictions: those made from ``since`` (None: the first) until before ``until``.

    ``received_us``: of these only those whose outcome was received from this Unix time in µs on.
    """

    since: datetime | None
    until: datetime
    version: str | None = None
    received_us: int | None = None


def read_joined(
    layout: Layout,
    stretch: Stretch,
    *,
    classes: tuple[Label, ...] | None,
    columns: Mapping[str, Ranges | None] = MappingProxyType({}),
    featured: int = 0,
) -> JoinedRows:
    """The predictions of a stretch, by time; no shadows.

    ``columns``: by name, with the ranges of its numbers; without any the 20 most frequent values keep their
    name. ``featured``: of so many rows with outcomes, the newest, the features are read too. RecordsError
    RC003, RC006.
    """
    views = open_views(
        layout, for_query="joined", made_from=stretch.since, received_from_us=stretch.received_us or 0
    )
    with views as connection, _read_errors(layout):
        _ask(connection, stretch, columns, featured=featured > 0)
        return _columns(connection, classes, columns, featured)


def count_labelled(layout: Layout, version: str, *, until_us: int) -> int:
    """The version's predictions whose outcome was received until this Unix time in µs. RC003, RC006."""
    if not any_received(layout.outcomes, until_us=until_us):
        return 0
    with open_views(layout, for_query="joined") as connection, _read_errors(layout):
        [(count,)] = connection.execute(
            "SELECT count(*) FROM joined WHERE version = ? AND received <= make_timestamp(?)",
            [version, until_us],
        ).fetchall()
        return int(count)


def _ask(connection: DuckDBPyConnection, stretch: Stretch, columns: Iterable[str], *, featured: bool) -> None:
    """Make siklus_asked, the rows of the stretch by time."""
    cells = "".join(f", {cell_of(name)} AS c{i}" for i, name in enumerate(columns))
    begin = datetime(1, 1, 1, tzinfo=UTC) if stretch.since is None else stretch.since
    wanted, given = ["time >= ?", "time < ?"], [plain(begin), plain(stretch.until)]
    if stretch.version is not None:
        wanted.append(f"version = {quoted(stretch.version)}")
    if stretch.received_us is not None:
        wanted.append("outcome IS NOT NULL")
    connection.execute(
        "CREATE TEMP TABLE siklus_asked AS SELECT epoch_us(time) AS made, epoch_us(received) AS received, "
        "epoch_us(observed) AS observed, version, arm, client, prediction, outcome, predicted_number, "
        f"outcome_number, probability{', features' if featured else ''}{cells} FROM joined "
        f"WHERE {' AND '.join(wanted)} ORDER BY made",
        given,
    )


def _columns(
    connection: DuckDBPyConnection,
    classes: tuple[Label, ...] | None,
    columns: Mapping[str, Ranges | None],
    featured: int,
) -> JoinedRows:
    texts = {name: words_in(connection, name) for name in ("version", "arm", "client")}
    sliced = {
        name: words_in(connection, f"c{i}", most=MOST_WORDS)
        if ranges is None
        else _ranged(connection, f"c{i}", ranges)
        for i, (name, ranges) in enumerate(columns.items())
    }
    answer, truth = "predicted_number", "outcome_number"
    if classes is not None:
        connection.execute(f"CREATE TYPE siklus_classes AS ENUM ({_listed(classes)})")
        answer, truth = (
            f"enum_code(TRY_CAST({name} AS siklus_classes))" for name in ("prediction", "outcome")
        )
    found = connection.execute(
        f"SELECT made, received, observed, {answer} AS predicted, {truth} AS outcome, probability "
        "FROM siklus_asked"
    ).fetchnumpy()
    return JoinedRows(
        classes=classes,
        made=_moments(found["made"]),
        received=_moments(found["received"]),
        observed=_moments(found["observed"]),
        predicted=_numbers(found["predicted"]),
        outcome=_numbers(found["outcome"]),
        probability=_numbers(found["probability"]),
        columns=sliced,
        featured=_featured(connection, featured) if featured else NO_FEATURES,
        **texts,
    )


def _featured(connection: DuckDBPyConnection, most: int) -> Featured:
    found = connection.execute(
        "SELECT rowid AS place, CAST(features AS VARCHAR) AS features FROM siklus_asked "
        f"WHERE outcome IS NOT NULL ORDER BY made DESC LIMIT {most}"
    ).fetchnumpy()
    return Featured(_moments(found["place"]), np.ma.filled(found["features"], "{}"))


def words_in(connection: DuckDBPyConnection, column: str, *, most: int | None = None) -> Words:
    """A column of siklus_asked. Beyond ``most`` words the others are one; a missing one is the last."""
    limit = "" if most is None else f"LIMIT {most + 1}"
    found = connection.execute(
        f"SELECT {column} FROM siklus_asked WHERE {column} IS NOT NULL "
        f"GROUP BY {column} ORDER BY count(*) DESC, {column} {limit}"
    ).fetchall()
    names = tuple(str(name) for (name,) in found[:most])
    connection.execute(f"CREATE TYPE siklus_{column} AS ENUM ({_listed(names)})")
    own = f"enum_code(TRY_CAST({column} AS siklus_{column}))::BIGINT"
    code = f"CASE WHEN {column} IS NULL THEN {len(names) + 1} ELSE coalesce({own}, {len(names)}) END"
    codes = connection.execute(f"SELECT {code} AS code FROM siklus_asked").fetchnumpy()["code"]
    return Words((*names, OTHER_WORDS, NO_WORD), np.ma.filled(codes, 0).astype(np.int64))


def _ranged(connection: DuckDBPyConnection, column: str, ranges: Ranges) -> Words:
    """A column of siklus_asked by ranges; text that is no number is one of the other words."""
    cells = f"SELECT {column} IS NULL AS missing, TRY_CAST({column} AS DOUBLE) AS number FROM siklus_asked"
    found = connection.execute(cells).fetchnumpy()
    numbers = _numbers(found["number"])
    codes = np.where(np.isfinite(numbers), ranges.places(numbers), len(ranges.names))
    codes[found["missing"]] = len(ranges.names) + 1
    return Words((*ranges.names, OTHER_WORDS, NO_WORD), codes, ordered=True)


def cell_of(name: str) -> str:
    """SQL of a feature's text; a name is taken as it is, whatever characters it has."""
    if name.startswith(("$", "/")):  # DuckDB would read a path
        name = '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"CAST(features ->> {quoted(name)} AS VARCHAR)"


def plain(moment: datetime) -> datetime:
    """The same in UTC, without its time zone, as DuckDB's views have it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


@contextmanager
def _read_errors(layout: Layout) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as exc:
        raise RecordsError(
            "RC006", f"{layout.root}: {exc}", expected="room on the disk, and sound Parquet files"
        ) from exc


def _listed(words: Sequence[Label]) -> str:
    return ", ".join(quoted(label_text(word)) for word in words)


def _moments(found: NDArray[Any]) -> Moments:
    return np.ma.filled(found.astype(np.int64), NEVER)


def _numbers(found: NDArray[Any]) -> NDArray[np.float64]:
    return np.ma.filled(found.astype(np.float64), np.nan)
