"""Rows from a database, by any SQLAlchemy URL and a query: read only, and never a password in a message."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import sqlalchemy
from sqlalchemy.engine import URL, CursorResult, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from siklus.data.cells import cells_of
from siklus.data.digest import digest
from siklus.data.reading import Reading, usable
from siklus.errors import DataError, MissingExtra
from siklus.project.sections import Data
from siklus.table import Table

FETCHED_ROWS = (
    20_000  # at once: the driver's buffer, not the table, bounds the memory while a sample is drawn
)

_SECRET_WORDS = ("password", "passwd", "pwd", "token", "secret", "key")

Row = tuple[object, ...]


@dataclass(frozen=True)
class DatabaseSource:
    """What a query gives, at the URL of any database that SQLAlchemy speaks to.

    The transaction is rolled back, SQLite files are opened read-only, and so are PostgreSQL
    transactions. Rows come in the database's order: name one by ORDER BY where it matters.
    """

    data: Data
    directory: Path

    def read(self) -> Reading:
        names, rows, count = self._rows()
        columns = zip(*rows, strict=True) if rows else ([] for _ in names)
        where = self.describe()
        cells = {n: cells_of(c, where=f"{where}: column {n!r}") for n, c in zip(names, columns, strict=True)}
        reading = Reading(Table(cells), count if count > len(rows) else None)
        return usable(reading, where=where, time=self.data.time)

    def fingerprint(self) -> str:
        """Of the rows that the query gives, which are read for it."""
        asked = repr((self.data.query, self.data.time, self.data.key, self.data.max_rows))
        return hashlib.sha256((asked + digest(self.read().table)).encode()).hexdigest()

    def describe(self) -> str:
        return f"the query at {_shown(self._url())}"

    def _rows(self) -> tuple[list[str], list[Row], int]:
        url = self._url()
        wanted = "a query that this database can run"
        with _connected(url, self.directory) as connection, _database_errors("DA012", url, expected=wanted):
            result = connection.exec_driver_sql(self.data.query or "")
            names = _names(result, where=self.describe())
            return names, *_drawn(result, names, key=self.data.key, max_rows=self.data.max_rows)

    def _url(self) -> URL:
        try:
            return make_url(self.data.url or "")
        except ArgumentError as exc:
            # The URL itself stays out of the message: what does not parse may be a password.
            raise DataError(
                "DA014", "[data] url is no database URL", expected="dialect+driver://user:password@host/name"
            ) from exc


@contextmanager
def _connected(url: URL, directory: Path) -> Iterator[sqlalchemy.Connection]:
    where = _shown(url)
    target = _read_only_sqlite(url, directory) if url.get_backend_name() == "sqlite" else url
    try:
        engine = sqlalchemy.create_engine(target, poolclass=sqlalchemy.NullPool)
    except ModuleNotFoundError as exc:
        raise MissingExtra(
            "XT001", f"{where}: its driver {exc.name} is needed here", expected=f"pip install {exc.name}"
        ) from exc
    except NoSuchModuleError as exc:
        raise DataError(
            "DA014", f"{where}: no dialect {url.drivername!r}", expected="one that SQLAlchemy knows"
        ) from exc
    with _database_errors("DA014", url, expected="a database that can be reached, and leave to read it"):
        connection = engine.connect()
    with connection:
        options: dict[str, object] = {
            "no_parameters": True,
            "stream_results": True,
            "max_row_buffer": FETCHED_ROWS,
        }
        if url.get_backend_name() == "postgresql":
            options["postgresql_readonly"] = True
        yield connection.execution_options(**options)
        connection.rollback()


def _read_only_sqlite(url: URL, directory: Path) -> URL:
    """The file, relative to the project and read-only; DA004 where SQLite would make an empty one."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return url
    path = (directory / url.database).absolute()
    if path.is_dir():
        raise DataError("DA005", f"{path}: a directory", expected="an SQLite file")
    if not path.exists():
        raise DataError("DA004", f"{path}: no such file", expected="a path relative to the project file")
    return url.set(database=path.as_uri()).update_query_dict({"mode": "ro", "uri": "true"})


@contextmanager
def _database_errors(code: str, url: URL, *, expected: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as exc:
        cause = getattr(exc, "orig", None) or exc
        first = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
        raise DataError(code, f"{_shown(url)}: {_without_secrets(first, url)}", expected=expected) from exc


def _names(result: CursorResult[Row], *, where: str) -> list[str]:
    if not result.returns_rows:
        raise DataError("DA013", f"{where}: gives no rows back", expected="one SELECT")
    names = [str(name) for name in result.keys()]  # noqa: SIM118  (a result is no mapping: iterating it gives rows)
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(
            "DA003",
            f"{where}: gives more than once: {', '.join(map(repr, doubled))}",
            expected="each column once",
        )
    return names


def _drawn(
    result: CursorResult[Row], names: Sequence[str], *, key: str | None, max_rows: int
) -> tuple[list[Row], int]:
    """At most ``max_rows`` rows in their order, and how many there were.

    Of more, those with the smallest hash of their key cell (without a key: of the row) stay. Never
    more than twice ``max_rows`` are held.
    """
    at = names.index(key) if key in names else None
    kept: list[Row] = []
    count = 0
    for block in result.partitions(FETCHED_ROWS):
        kept.extend(tuple(row) for row in block)
        count += len(block)
        if len(kept) >= 2 * max_rows + FETCHED_ROWS:
            kept = _smallest(kept, at, max_rows)
    return (_smallest(kept, at, max_rows) if count > max_rows else kept), count


def _smallest(rows: list[Row], at: int | None, count: int) -> list[Row]:
    texts = (repr(row if at is None else row[at]) for row in rows)
    hashes = np.fromiter((_short_hash(text) for text in texts), dtype=np.uint64, count=len(rows))
    chosen = np.sort(np.argsort(hashes, kind="stable")[:count])
    return [rows[i] for i in chosen]


def _short_hash(text: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def _shown(url: URL) -> str:
    hidden = {name: "***" for name in url.query if _is_secret(name)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def _without_secrets(text: str, url: URL) -> str:
    named = (
        [value] if isinstance(value, str) else value for name, value in url.query.items() if _is_secret(name)
    )
    for secret in [url.password, *chain.from_iterable(named)]:
        if secret:
            text = text.replace(str(secret), "***")
    return text


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)
