"""The control database: what people and programs decided. SQLite beside the project, or a server's by URL."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from siklus.errors import FileError, RegistryError, SiklusError
from siklus.extras import need
from siklus.files import disk_errors
from siklus.tracking.boundary import SQLITE_DISK_ERRORS, WRITABLE, shown

SCHEMES = ("sqlite", "postgresql")
BUSY_SECONDS = 10  # that a writer waits for another one; each of them needs milliseconds
# A server that is gone without a word is noticed within half a minute.
NETWORK = {
    "connect_timeout": 8,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
CREATION_LOCK = 0x51C1  # PostgreSQL's advisory lock under which tables are made: any number of our own

METADATA = sa.MetaData()


class Control:
    """An open control database. Rows are read and written within `transaction`.

    ``file``: of a SQLite database. Where it is moved away, nothing is written to it any more; where another
    one comes into its place, such as a backup, that one is used.
    """

    def __init__(self, engine: sa.Engine, *, file: Path | None = None) -> None:
        self._engine = engine
        self._file, self._first = file, None if file is None else _identity(file)
        self._where = shown(engine.url.render_as_string(hide_password=True))

    def __repr__(self) -> str:
        return f"Control({self._where!r})"

    @property
    def replaced(self) -> bool:
        """Whether there is another file by now, of whose tables `ensure` has not made sure."""
        found = None if self._file is None else _identity(self._file)
        return found is not None and found != self._first

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All statements of the block, or none. RegistryError RG010 when the database fails, FileError
        FS001 when its disk does; an IntegrityError is the caller's to explain."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.IntegrityError:
            raise
        except sa.exc.SQLAlchemyError as exc:
            raise self._translated(exc) from exc

    def ensure(self, *tables: sa.Table) -> None:
        """Make the tables that are not there yet; any number of processes may do so at once."""
        with self.transaction() as connection:
            if connection.dialect.name == "postgresql":
                # CREATE TABLE IF NOT EXISTS alone fails there for one of two that come at the same moment.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATION_LOCK)))
            for table in tables:
                connection.execute(CreateTable(table, if_not_exists=True))

    def has(self, table: sa.Table) -> bool:
        """Whether the table is there: who only looks makes none."""
        with self.transaction() as connection:
            return sa.inspect(connection).has_table(table.name)

    def close(self) -> None:
        self._engine.dispose()

    def _translated(self, exc: sa.exc.SQLAlchemyError) -> SiklusError:
        cause: Any = getattr(exc, "orig", None) or exc
        told = f"control database {self._where}: {' '.join(str(cause).split())[:500]}"
        if getattr(cause, "sqlite_errorname", "").startswith(SQLITE_DISK_ERRORS):
            return FileError("FS001", told, expected=WRITABLE)
        return RegistryError("RG010", told, expected="a database that answers")


@contextmanager
def open_control(url: str | None, *, file: Path) -> Iterator[Control]:
    """The control database at ``url``, else at ``file`` (made when it is new); closed after the block.

    RegistryError RG010 when it does not answer, RG013 when the URL is none of ours.
    """
    control = _sqlite(file) if url is None else _by_url(url)
    try:
        yield control
    finally:
        control.close()


def control_uri(url: str | None, root: Path) -> str | None:
    """The URL, with a relative SQLite path counted from ``root`` instead of the working directory."""
    prefix = "sqlite:///"
    if url is None or not url.startswith(prefix):
        return url
    return f"{prefix}{(root / url.removeprefix(prefix)).absolute()}"


def control_file(url: str | None, *, root: Path, file: Path) -> Path | None:
    """The SQLite file that `open_control` would open, and make if it is not there: ``file`` without a URL;
    None for a server, and for a URL that is none of ours."""
    if url is None:
        return file
    try:
        parsed = sa.make_url(control_uri(url, root) or "")
    except sa.exc.ArgumentError:
        return None
    named = parsed.database if parsed.get_backend_name() == "sqlite" else None
    return Path(named) if named and named != ":memory:" else None


def _by_url(url: str) -> Control:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as exc:
        raise _foreign(url) from exc
    kind = parsed.get_backend_name()
    if kind not in SCHEMES:
        raise _foreign(url)
    if kind == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise _foreign(url)
        return _sqlite(Path(parsed.database))
    need("psycopg", extra="postgres")
    engine = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        connect_args={name: value for name, value in NETWORK.items() if name not in parsed.query},
        pool_size=1,
        pool_pre_ping=True,
    )
    sa.event.listen(engine, "connect", _impatient)
    return Control(engine)


def _impatient(connection: Any, _record: Any) -> None:
    """Whoever locks a table for long keeps a PostgreSQL writer waiting no longer than a SQLite one."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.commit()


def _sqlite(file: Path) -> Control:
    if not file.exists():
        _create(file)
    return Control(_sqlite_engine(file), file=file)


def _sqlite_engine(file: Path) -> sa.Engine:
    def connected() -> sqlite3.Connection:
        # Never made here: one that is gone for a minute would come back as an empty one.
        uri = f"file:{quote(str(file.absolute()))}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    def note(_connection: Any, record: Any) -> None:
        record.info["file"] = _identity(file)

    def refuse_another(_connection: Any, record: Any, _proxy: Any) -> None:
        # A connection keeps the file that it has opened, also where nobody else finds that any more.
        if record.info["file"] != _identity(file):
            raise sa.exc.DisconnectionError(f"{file} is another file by now")

    # Not by a URL's text: a path may hold any character.
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(file)), creator=connected, pool_size=1)
    sa.event.listen(engine, "connect", note)
    sa.event.listen(engine, "checkout", refuse_another)
    return engine


def _identity(file: Path) -> tuple[int, int] | None:
    """By which a file is itself, whatever is written to it; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create(file: Path) -> None:
    """An empty database in WAL mode: made beside its place and linked there, so it is never seen half-made.

    The mode is kept in the file; switching it on later would need the file for oneself.
    """
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        os.close(handle)
    draft = Path(name)
    try:
        engine = _sqlite_engine(draft)
        with Control(engine).transaction() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        engine.dispose()
        with disk_errors(file):
            draft.chmod(0o644)
            try:
                file.hardlink_to(draft)
            except FileExistsError:
                return  # another process was quicker, and its database is as good
    finally:
        for leftover in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm")):
            leftover.unlink(missing_ok=True)


def _foreign(url: str) -> RegistryError:
    return RegistryError(
        "RG013", f"[state] control = {shown(url)!r}", expected="postgresql://… or sqlite:///…"
    )
