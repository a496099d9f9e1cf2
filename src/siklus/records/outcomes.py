"""Outcomes: the true value that came later for a prediction id, once and for ever.

One SQLite database in WAL mode for all workers: a list of outcomes is stored as a whole or not at all, the
same outcome again changes nothing, and another one for the same id is refused.
"""

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct

from siklus.errors import RecordsError
from siklus.project.sections import Records
from siklus.records.entries import json_text

Known: TypeAlias = str | int | float | bool
# (prediction id, outcome as JSON, observed, received, client), times in Unix µs.
StoredOutcome: TypeAlias = tuple[str, str, int | None, int, str | None]

BUSY_SECONDS = 10.0  # for the other workers, which write one after the other
FILE_MODE = 0o640
SYNC_SECONDS = 0.05  # from a commit to the beginning of its sync

_TABLE = """
CREATE TABLE IF NOT EXISTS outcomes (
    prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, observed_us INTEGER, received_us INTEGER NOT NULL,
    client TEXT
) WITHOUT ROWID
"""
_INSERT = """
INSERT INTO outcomes (prediction_id, outcome, observed_us, received_us, client) VALUES (?, ?, ?, ?, ?)
"""
_COLUMNS = "SELECT name FROM pragma_table_info('outcomes')"
_CLIENT = "ALTER TABLE outcomes ADD COLUMN client TEXT"  # databases of earlier versions have none
_LAST_BUT = "SELECT received_us FROM outcomes ORDER BY received_us DESC LIMIT 1 OFFSET ?"
_LAST_BEFORE = "SELECT max(received_us) FROM outcomes WHERE received_us < ?"
_SINCE = "FROM outcomes WHERE received_us >= ?"
_BY_TIME = "CREATE INDEX IF NOT EXISTS outcomes_by_time ON outcomes (received_us)"


class Outcome(Struct, frozen=True):
    """``outcome``: a class or a number. ``observed_us``: when it came true, Unix time in µs."""

    prediction_id: str
    outcome: Known
    observed_us: int | None = None


class ConflictError(Exception):
    """Ids that have another outcome already; nothing of the list was stored. ``places`` count from 0."""

    def __init__(self, places: Sequence[int]) -> None:
        super().__init__(f"conflicting outcomes at {list(places)}")
        self.places = tuple(places)


class Outcomes:
    """Opened once in each process, and used from any thread."""

    def __init__(self, path: Path, *, settings: Records) -> None:
        """Nothing is opened before the first outcome comes, so that a broken disk does not keep a server."""
        self._path = path
        self._waits_for_sync = settings.durability == "synced"
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outcomes-disk")
        self._sync_is_due = threading.Event()

    def put(self, outcomes: Sequence[Outcome], *, now_us: int, client: str | None = None) -> int:
        """Store them all, and say how many were new. They survive a killed process when this comes back.

        ``client``: the name of the API key that they came with, kept with the outcomes that are new.
        ConflictError when one differs from what is known; RecordsError RC003 when they cannot be stored.
        With the durability `synced` they survive a power cut too; otherwise a tenth of a second later.
        """
        with self._lock, outcome_errors(self._path):
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                new = _store(connection, outcomes, now_us, client)
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
        if new and not self._waits_for_sync:
            self._sync_soon()
        return new

    def forget(self, *, before_us: int) -> int:
        """Take out what was received before this Unix time in µs; how many."""
        with self._lock, outcome_errors(self._path):
            found = self._opened().execute("DELETE FROM outcomes WHERE received_us < ?", (before_us,))
            return found.rowcount

    def close(self) -> None:
        self._disk.shutdown()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # As the log is readable; SQLite gives the files beside it the same mode.
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
            # Threads take turns by our lock.
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._waits_for_sync else 'NORMAL'}")
            connection.execute(_TABLE)
            _add_client(connection)
            connection.execute(_BY_TIME)
            self._connection = connection
        return self._connection

    def _sync_soon(self) -> None:
        if not self._sync_is_due.is_set():
            self._sync_is_due.set()
            self._disk.submit(self._sync)

    def _sync(self) -> None:
        time.sleep(SYNC_SECONDS)
        self._sync_is_due.clear()
        # Only the log beside the database: closing a descriptor of the database itself would let go of
        # SQLite's locks on it. Without a log all is in the database already, and synced.
        with suppress(OSError):
            log = os.open(f"{self._path}-wal", os.O_RDONLY)
            try:
                os.fdatasync(log)
            finally:
                os.close(log)


def outcome_lines(path: Path, *, since_us: int = 0) -> Iterator[bytes]:
    """The outcomes received from this Unix time in µs on; none without a database.

    Each is a line of its fields between tabs, which none of them holds; no value is empty.

    Made in SQLite: a million take a second, three times as much as Python's values.
    """
    fields = (
        "prediction_id",
        "outcome",
        "coalesce(observed_us, '')",
        "received_us",
        "coalesce({client}, '')",
    )
    line = " || char(9) || ".join(fields)
    for (text,) in _read(path, f"SELECT CAST({line} || char(10) AS BLOB) {_SINCE}", since_us):
        yield text


@dataclass(frozen=True)
class Newest:
    """The newest outcomes: those received from ``from_us`` on; ``first_id`` names the earliest prediction."""

    from_us: int
    first_id: str


def any_received(path: Path, *, until_us: int) -> bool:
    """Whether any was received until this Unix time in µs: soon known, however many there are."""
    return next(_read(path, "SELECT min(received_us) <= ? FROM outcomes", until_us), (None,)) == (1,)


def outcome_stamp(path: Path) -> tuple[int, int]:
    """How many there are, and when the last one was received: another pair tells of something new."""
    return next(_read(path, "SELECT count(*), coalesce(max(received_us), 0) FROM outcomes"), (0, 0))


def newest_outcomes(path: Path, *, step_us: int, steps: int, most: int) -> Newest | None:
    """Those of the last ``steps`` steps (multiples of ``step_us``) in which any came, or the last ``most``.

    None without any.
    """
    before, steps_left, from_us = sys.maxsize, steps, 0
    [capped] = [found for (found,) in _read(path, _LAST_BUT, most)] or [0]
    while steps_left:
        [last] = [found for (found,) in _read(path, _LAST_BEFORE, before)] or [None]
        if last is None:
            break
        before = from_us = last // step_us * step_us
        steps_left -= 1
    from_us = max(from_us, capped)
    [first] = [found for (found,) in _read(path, f"SELECT min(prediction_id) {_SINCE}", from_us)] or [None]
    return None if first is None else Newest(from_us, first)


def _read(path: Path, sql: str, *given: int) -> Iterator[Any]:
    """Rows of a SELECT, in which ``{client}`` stands for that column where the database has it."""
    if not path.exists():
        return
    with outcome_errors(path):
        address = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)
        try:
            client = "client" if _has_client(connection) else "NULL"
            yield from connection.execute(sql.format(client=client), given)
        finally:
            connection.close()


@contextmanager
def outcome_errors(path: Path) -> Iterator[None]:
    """Say what SQLite or the disk refuses as RC003."""
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise RecordsError(
            "RC003", f"{path}: {exc}", expected="a local disk with room left, and a sound database"
        ) from exc


def _add_client(connection: sqlite3.Connection) -> None:
    """Any number of processes may do so at once."""
    if _has_client(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _has_client(connection):
            connection.execute(_CLIENT)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _has_client(connection: sqlite3.Connection) -> bool:
    return ("client",) in connection.execute(_COLUMNS).fetchall()


def _store(
    connection: sqlite3.Connection, outcomes: Sequence[Outcome], now_us: int, client: str | None
) -> int:
    known = _known(connection, [given.prediction_id for given in outcomes])
    new: dict[str, StoredOutcome] = {}
    conflicts = []
    for place, given in enumerate(outcomes):
        text = json_text(_canonical(given.outcome)).decode()
        before = known.get(given.prediction_id)
        if before is None:
            known[given.prediction_id] = text
            new[given.prediction_id] = (given.prediction_id, text, given.observed_us, now_us, client)
        elif before != text:
            conflicts.append(place)
    if conflicts:
        raise ConflictError(conflicts)
    connection.executemany(_INSERT, new.values())
    return len(new)


def _known(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, str]:
    return dict(
        connection.execute(
            "SELECT prediction_id, outcome FROM outcomes "
            "WHERE prediction_id IN (SELECT value FROM json_each(?))",
            [json_text(ids).decode()],
        ).fetchall()
    )


def _canonical(outcome: Known) -> Known:
    """3.0 and 3 are one outcome."""
    return int(outcome) if isinstance(outcome, float) and outcome.is_integer() else outcome
