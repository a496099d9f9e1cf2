"""One file as a SELECT: by its suffix, with its true column names, typed by all of its rows."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb

from siklus.data.csv_scan import SNIFFED_ROWS, scan_csv, scan_tsv
from siklus.data.engine import Engine, Scan, identifier, quoted
from siklus.data.refusals import refusals
from siklus.data.unzip import unpack
from siklus.errors import DataError

GLOB_MARKS = "*?["


def files_of(pattern: str, *, directory: Path) -> list[Path]:
    """The file at this path, or those that match the glob, sorted.

    DA004 when there are none, DA005 for a directory, DA025 for a file that may not be read.
    """
    path = directory / pattern
    try:
        found = _matches(path, pattern)
    except OSError as exc:  # a name that no file can have, a directory that may not be entered
        raise DataError("DA025", f"{path}: {exc.strerror}", expected="a file that may be read") from exc
    if not found:
        raise DataError("DA004", f"{path}: no such file", expected="a path relative to the project file")
    for file in found:
        if not os.access(file, os.R_OK):
            raise DataError("DA025", f"{file}: permission denied", expected="a file that may be read")
    return found


def _matches(path: Path, pattern: str) -> list[Path]:
    if path.is_dir():
        wanted = f"a file, or a glob such as {pattern.rstrip('/')}/*.csv"
        raise DataError("DA005", f"{path}: a directory", expected=wanted)
    if path.exists():
        return [path]
    if not any(mark in pattern for mark in GLOB_MARKS):
        return []
    root = Path(path.anchor)
    return sorted(match for match in root.glob(str(path.relative_to(root))) if match.is_file())


def has_known_suffix(name: str) -> bool:
    return _suffix(Path(name)) in {*_READERS, ".zip"}


def scan_file(engine: Engine, path: Path) -> Scan:
    """DA006 for a suffix that is no format, DA009 for an empty file, DA010 for a zip that cannot be used."""
    suffix = _suffix(path)
    if suffix == ".zip":
        return scan_file(engine, local(engine, path))
    shown = engine.shown(path)
    if suffix not in _READERS:
        raise DataError(
            "DA006",
            f"{shown}: unknown format {suffix!r}",
            expected=f"{', '.join(_READERS)}, .gz or .zip of them",
        )
    if not path.stat().st_size:
        raise DataError("DA009", f"{shown}: the file is empty", expected="a header and rows")
    with refusals(engine, where=shown):
        return _READERS[suffix](engine.connection, path, shown)


def scan_files(engine: Engine, paths: list[Path]) -> Scan:
    """Files one under the other, columns matched by name; a column that a file lacks is missing there."""
    scans = [scan_file(engine, path) for path in paths]
    if len(scans) == 1:
        return scans[0]
    select = " UNION ALL BY NAME ".join(
        f"({named(scan, engine.shown(path))})" for scan, path in zip(scans, paths, strict=True)
    )
    names = tuple(dict.fromkeys(name for scan in scans for name in scan.names))
    columns = ", ".join(f"{identifier(name)} AS c{i}" for i, name in enumerate(names))
    return Scan(f"SELECT {columns} FROM ({select})", names)


def named(scan: Scan, where: str) -> str:
    """The scan with its true names, for a query; DA003 for names that differ by case only: SQL ignores it."""
    folded = [name.casefold() for name in scan.names]
    clash = [name for name in scan.names if folded.count(name.casefold()) > 1]
    if clash:
        raise DataError(
            "DA003",
            f"{where}: differ by case only: {', '.join(clash)}",
            expected="names that SQL can tell apart",
        )
    columns = ", ".join(f"c{i} AS {identifier(name)}" for i, name in enumerate(scan.names))
    return f"SELECT {columns} FROM ({scan.select})"


def local(engine: Engine, path: Path) -> Path:
    """The file itself, or what a zip holds, unpacked for as long as the engine is open."""
    if _suffix(path) != ".zip":
        return path
    directory = engine.scratch / f"zip{len(engine.unpacked)}"
    directory.mkdir()
    member = unpack(path, into=directory)
    engine.unpacked[member] = f"{path} ({member.name})"
    return member


def _suffix(path: Path) -> str:
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _scan_parquet(connection: duckdb.DuckDBPyConnection, path: Path, shown: str) -> Scan:
    read = f"read_parquet({quoted(str(path))})"
    names = [str(row[0]) for row in connection.execute(f"DESCRIBE FROM {read}").fetchall()]
    written = {
        row[0]
        for row in connection.execute(f"SELECT name FROM parquet_schema({quoted(str(path))})").fetchall()
    }
    renamed = [name for name in names if name not in written]
    if renamed:
        raise DataError(
            "DA003",
            f"{shown}: columns that share a name became {', '.join(renamed)}",
            expected="names that differ, not only by case",
        )
    return _positional(read, names)


def _scan_json(connection: duckdb.DuckDBPyConnection, path: Path, shown: str) -> Scan:
    form = "'auto'" if _suffix(path) == ".json" else "'newline_delimited'"
    read = f"read_json({quoted(str(path))}, format = {form}"
    described = connection.execute(f"DESCRIBE FROM {read}, sample_size = {SNIFFED_ROWS})").fetchall()
    names = [str(row[0]) for row in described]
    if names == ["json"]:
        raise DataError(
            "DA011",
            f"{shown}: holds no objects",
            expected="JSON objects, each a row, in lines or in one list",
        )
    typed = ", ".join(f"{quoted(name)}: {quoted(row[1])}" for name, row in zip(names, described, strict=True))
    return _positional(f"{read}, columns = {{{typed}}})", names)


def _positional(read: str, names: list[str]) -> Scan:
    columns = ", ".join(f"{identifier(name)} AS c{i}" for i, name in enumerate(names))
    return Scan(f"SELECT {columns} FROM {read}", tuple(names))


_READERS: Mapping[str, Callable[[duckdb.DuckDBPyConnection, Path, str], Scan]] = {
    ".csv": scan_csv,
    ".tsv": scan_tsv,
    ".parquet": _scan_parquet,
    ".json": _scan_json,
    ".jsonl": _scan_json,
    ".ndjson": _scan_json,
}
