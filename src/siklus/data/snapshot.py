"""The very rows that a version was trained on, kept by the digest of their content.

A snapshot is a Parquet file that any tool reads. What Parquet cannot say of a column (that whole
numbers were floats, that a list is a list) stands in the file's own metadata, under a format number.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from siklus.data.digest import digest
from siklus.data.engine import identifier, open_engine, quoted
from siklus.errors import DataError, FileError
from siklus.files import disk_errors, sync_directory
from siklus.table import Cells, Table, is_missing, objects

FORMAT = 1
_WRITERS = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}


@dataclass(frozen=True)
class Snapshot:
    digest: str
    rows: int
    path: Path


def keep(table: Table, *, directory: Path) -> Snapshot:
    """Write the table under its digest, or find it there already. A full disk is FS001 and leaves no part."""
    if not table.names:
        raise DataError("DA009", "a table without columns cannot be kept", expected="at least one column")
    found = digest(table)
    path = directory / f"{found}.parquet"
    if not path.exists():
        forms = {name: _form(table[name]) for name in table}
        columns = [{"name": n, "dtype": table[n].dtype.str, "form": form} for n, form in forms.items()]
        stored = {f"c{i}": _stored(table[n], form) for i, (n, form) in enumerate(forms.items())}
        cells = ", ".join(
            f"CAST(c{i} AS {_sql_type(stored[f'c{i}'])}) AS {identifier(name)}"
            for i, name in enumerate(_file_names(table.names))
        )
        meta = json.dumps({"format": FORMAT, "rows": len(table), "columns": columns})
        with whole(path) as draft, open_engine() as engine:
            engine.connection.register("kept", stored)
            written = f"{_WRITERS['.parquet']}, KV_METADATA {{siklus: {quoted(meta)}}}"
            engine.connection.execute(f"COPY (SELECT {cells} FROM kept) TO {quoted(str(draft))} ({written})")
    return Snapshot(found, len(table), path)


def open_snapshot(digest_: str, directory: Path) -> Table:
    """The table as it was kept, cell by cell; DA022 when there is none, DA023 for a file that changed."""
    path = _kept(digest_, directory)
    try:
        with open_engine() as engine:
            meta = _metadata(engine.connection, path)
            names = [f"c{i}" for i in range(len(meta["columns"]))]
            engine.connection.execute(
                f"CREATE TEMP VIEW kept ({', '.join(names)}) AS FROM read_parquet({quoted(str(path))})"
            )
            found = engine.connection.execute("FROM kept").fetchnumpy()
        table = Table(
            {
                c["name"]: _restored(found[f"c{i}"], c["dtype"], c["form"])
                for i, c in enumerate(meta["columns"])
            }
        )
    except (duckdb.Error, ValueError, KeyError, TypeError) as exc:
        raise _damaged(path, str(exc).partition("\n")[0]) from exc
    if digest(table) != digest_:
        raise _damaged(path, "its rows have another digest")
    return table


def check_out(digest_: str, directory: Path, *, to: Path) -> int:
    """Write the snapshot's rows to a .parquet or .csv file and return how many. DA006 for another suffix.

    In CSV, lists are JSON text and a missing cell is empty.
    """
    if to.suffix.lower() not in _WRITERS:
        raise DataError("DA006", f"{to}: unknown format {to.suffix!r}", expected=" or ".join(_WRITERS))
    rows = len(open_snapshot(digest_, directory))
    source = quoted(str(_kept(digest_, directory)))
    with whole(to) as draft, open_engine() as engine:
        engine.connection.execute(
            f"COPY (FROM read_parquet({source})) TO {quoted(str(draft))} ({_WRITERS[to.suffix.lower()]})"
        )
    return rows


def _kept(digest_: str, directory: Path) -> Path:
    path = directory / f"{digest_}.parquet"
    if not path.is_file():
        raise DataError(
            "DA022", f"{directory}: no snapshot {digest_}", expected="the digest of rows that were kept here"
        )
    return path


def _metadata(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, list[dict[str, str]]]:
    rows = connection.execute(
        f"SELECT value FROM parquet_kv_metadata({quoted(str(path))}) WHERE key = 'siklus'::BLOB"
    ).fetchall()
    if not rows:
        raise _damaged(path, "no metadata of ours")
    meta = json.loads(rows[0][0])
    if meta["format"] != FORMAT:
        raise _damaged(path, f"snapshot format {meta['format']}")
    found: dict[str, list[dict[str, str]]] = meta
    return found


def _form(cells: Cells) -> str:
    """`plain` for what Parquet has, `text` for strings, `json` for other objects."""
    if cells.dtype.kind != "O":
        return "plain"
    values = [value for value in cells.tolist() if value is not None]
    if all(type(value) is str for value in values) and all(
        value.isascii() or _encodable(value) for value in values
    ):
        return "text"
    return "json"


def _encodable(text: str) -> bool:
    return not any(
        "\ud800" <= letter <= "\udfff" for letter in text
    )  # half of a pair: JSON can escape it, UTF-8 cannot


def _stored(cells: Cells, form: str) -> Cells:
    if form != "json":
        return cells
    gone = is_missing(cells)
    return objects(
        None if missing else json.dumps(cell) for cell, missing in zip(cells.tolist(), gone, strict=True)
    )


def _restored(found: Cells, dtype: str, form: str) -> Cells:
    wanted = np.dtype(dtype)
    missing = (
        np.ma.getmaskarray(found)
        if isinstance(found, np.ma.MaskedArray)
        else np.zeros(len(found), dtype=bool)
    )
    if form != "plain":
        values = np.ma.asarray(found).tolist()
        return objects(
            values if form == "text" else (None if cell is None else json.loads(cell) for cell in values)
        )
    cells = np.asarray(np.ma.getdata(found)).astype(wanted)
    if missing.any():
        cells[missing] = np.datetime64("NaT", "us") if wanted.kind == "M" else np.nan
    return cells


def _sql_type(cells: Cells) -> str:
    return {"b": "BOOLEAN", "i": "BIGINT", "u": "UBIGINT", "f": "DOUBLE", "M": "TIMESTAMP"}.get(
        cells.dtype.kind, "VARCHAR"
    )


def _file_names(names: Sequence[str]) -> list[str]:
    """Names for the file, which DuckDB tells apart: none empty, none that differ by case only."""
    taken: set[str] = set()
    found = []
    for i, name in enumerate(names):
        free = name if name and name.casefold() not in taken else f"{name}_{i}"
        taken.add(free.casefold())
        found.append(free)
    return found


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A path to write to that becomes ``target``, synced, when the block ends well; FS001 for a full disk."""
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.")) / target.name
    try:
        with disk_errors(target):
            yield draft
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(target)
            sync_directory(target.parent)
    except duckdb.IOException as exc:
        told = str(exc).partition("\n")[0]
        raise FileError(
            "FS001", f"{target}: cannot be written: {told}", expected="a writable disk with room left"
        ) from exc
    finally:
        draft.unlink(missing_ok=True)
        draft.parent.rmdir()


def _damaged(path: Path, why: str) -> DataError:
    return DataError("DA023", f"{path}: {why}", expected="the file as it was kept; read the source anew")
