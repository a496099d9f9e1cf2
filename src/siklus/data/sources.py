"""Sources: the files, the DuckDB query or the database that [data] names."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from siklus.data.database import DatabaseSource
from siklus.data.engine import Engine, identifier, open_engine, quoted, read_rows
from siklus.data.query import Query, parse_query
from siklus.data.reading import Reading, Source, usable
from siklus.data.refusals import refusals
from siklus.data.scan import GLOB_MARKS, files_of, local, named, scan_files
from siklus.errors import DataError
from siklus.files import sha256
from siklus.project.sections import Data, refuse_unclear_source

__all__ = ["FileSource", "QuerySource", "Reading", "Source", "open_source"]


def open_source(data: Data, *, directory: Path) -> Source:
    """The source that [data] names, its paths relative to ``directory``. Nothing is read yet."""
    refuse_unclear_source(data, where="siklus.toml")
    if data.path is not None:
        return FileSource(data, directory.absolute())
    if data.url is None:
        return QuerySource(data, directory.absolute())
    return DatabaseSource(data, directory.absolute())


@dataclass(frozen=True)
class FileSource:
    """One CSV, TSV, Parquet or JSON file (also gz or zip), or several that a glob names."""

    data: Data
    directory: Path

    def read(self) -> Reading:
        paths = files_of(self._pattern, directory=self.directory)
        with open_engine() as engine, refusals(engine, where=self.describe()):
            scan = scan_files(engine, paths)
            reading = read_rows(
                engine, scan.select, scan.names, max_rows=self.data.max_rows, key=self.data.key
            )
        return usable(reading, where=self.describe(), time=self.data.time)

    def fingerprint(self) -> str:
        paths = files_of(self._pattern, directory=self.directory)
        return _fingerprint(self.data, {self._pattern: [sha256(path) for path in paths]})

    def describe(self) -> str:
        return str(self.directory / self._pattern)

    @property
    def _pattern(self) -> str:
        return self.data.path or ""


@dataclass(frozen=True)
class QuerySource:
    """A DuckDB SELECT over files; FROM 'a.csv.zip' and read_csv('a.csv', …) both find them from the project.

    It runs on one thread: the order of a parallel join, and the last bits of a parallel sum, differ
    from run to run.
    """

    data: Data
    directory: Path

    def read(self) -> Reading:
        query = self._parsed()
        with open_engine(threads=1) as engine, refusals(engine, where=self.describe()):
            self._open_tables(engine, query)
            text = query.with_paths([self._literal(engine, word.path) for word in query.words])
            names = [str(row[0]) for row in engine.connection.execute(f"DESCRIBE {text}").fetchall()]
            _refuse_doubled(names, where=self.describe())
            reading = read_rows(engine, text, names, max_rows=self.data.max_rows, key=self.data.key)
        return usable(reading, where=self.describe(), time=self.data.time)

    def fingerprint(self) -> str:
        files = {
            p: [sha256(path) for path in files_of(p, directory=self.directory)] for p in self._parsed().files
        }
        return _fingerprint(self.data, files)

    def describe(self) -> str:
        return f"the query in {self.directory}"

    def _parsed(self) -> Query:
        return parse_query(self.data.query or "", where=self.describe())

    def _open_tables(self, engine: Engine, query: Query) -> None:
        """A view for each file named as a table: a query sees the names and types that a path would give."""
        spelled: dict[str, str] = {}
        for name in query.tables:
            if spelled.setdefault(name.casefold(), name) != name:
                raise DataError(
                    "DA012",
                    f"{self.describe()}: {name!r} and {spelled[name.casefold()]!r}",
                    expected="file names that differ by more than case",
                )
            paths = files_of(name, directory=self.directory)
            select = named(scan_files(engine, paths), str(self.directory / name))
            engine.connection.execute(f"CREATE TEMP VIEW {identifier(name)} AS {select}")

    def _literal(self, engine: Engine, pattern: str) -> str:
        if any(mark in pattern for mark in GLOB_MARKS):
            return quoted(str(self.directory / pattern))
        return quoted(str(local(engine, files_of(pattern, directory=self.directory)[0])))


def _refuse_doubled(names: list[str], *, where: str) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(
            "DA003",
            f"{where}: gives more than once: {', '.join(map(repr, doubled))}",
            expected="each column once: name it, or leave it out by w.* EXCLUDE (…)",
        )


def _fingerprint(data: Data, files: dict[str, list[str]]) -> str:
    """Of what was asked and of what the files hold; not of where the project lies."""
    asked = (data.path, data.query, data.time, data.key, data.max_rows)
    return hashlib.sha256(repr((asked, sorted(files.items()))).encode()).hexdigest()
