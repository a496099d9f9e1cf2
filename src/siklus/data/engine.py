"""DuckDB as the reading engine: in memory, local files only, one SELECT into a Table with bounded memory."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from siklus.data.cells import cells_of, cells_of_array
from siklus.data.reading import Reading
from siklus.table import Cells, Table, concatenate, objects

# Nothing is fetched from the network, and no Python variable can be read as a table.
_HARDENED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
}

# What DuckDB calls a type, and how its cells leave DuckDB: as one of the kinds that a Table has.
_CASTS = {
    **dict.fromkeys(["tinyint", "smallint", "integer", "bigint"], "CAST({} AS BIGINT)"),
    **dict.fromkeys(["utinyint", "usmallint", "uinteger"], "CAST({} AS BIGINT)"),
    **dict.fromkeys(
        ["ubigint", "hugeint", "uhugeint", "bignum", "decimal", "float", "double"], "CAST({} AS DOUBLE)"
    ),
    **dict.fromkeys(
        ["date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"], "CAST({} AS TIMESTAMP)"
    ),
    "timestamp with time zone": "timezone('UTC', {})",
    "interval": "CAST(epoch({}) AS DOUBLE)",
    "boolean": "{}",
    "list": "{}",
    "array": "{}",
    "struct": "{}",
    "map": "{}",
    "blob": "lower(hex({}))",
}
_TEXT = "CAST({} AS VARCHAR)"
_JSON_TEXT = "{} ->> '$'"

BUCKETS = 1 << 20  # of row hashes, counted when a sample is drawn: each holds a millionth of the rows


@dataclass(frozen=True)
class Engine:
    """An open connection, where it unpacks and spills, and the user's name of each unpacked file."""

    connection: duckdb.DuckDBPyConnection
    scratch: Path
    unpacked: dict[Path, str] = field(default_factory=dict)

    def shown(self, path: Path) -> str:
        return self.unpacked.get(path, str(path))


@contextmanager
def open_engine(*, threads: int | None = None) -> Iterator[Engine]:
    """A DuckDB in memory that leaves nothing behind. ``threads``: 1 makes joins and sums repeat exactly."""
    with tempfile.TemporaryDirectory(prefix="siklus-") as scratch:
        config = _HARDENED | {"temp_directory": str(Path(scratch) / "spill")}
        if threads is not None:
            config["threads"] = threads
        with duckdb.connect(":memory:", config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            try:
                yield Engine(connection, Path(scratch))
            except RuntimeError as exc:
                if str(exc) == "Query interrupted":  # what DuckDB makes of Ctrl-C
                    raise KeyboardInterrupt from exc
                raise


@dataclass(frozen=True)
class Scan:
    """``select`` gives columns c0, c1 … in the file's order; ``names`` are what the file calls them."""

    select: str
    names: tuple[str, ...]


def quoted(text: str) -> str:
    """A string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def read_rows(
    engine: Engine, select: str, names: Sequence[str], *, max_rows: int, key: str | None
) -> Reading:
    """The rows of a SELECT, whose columns are called ``names`` in their order.

    Beyond ``max_rows``: that many rows, those with the smallest hash of their key cell (without a
    key: of the whole row), so that the same rows are drawn again, wherever they stand in the source.
    """
    connection = engine.connection
    columns = [f"c{i}" for i in range(len(names))]
    connection.execute(f"CREATE OR REPLACE TEMP VIEW siklus_rows ({', '.join(columns)}) AS {select}")
    types = connection.execute("FROM siklus_rows LIMIT 0").description or []
    casts = ", ".join(
        f"{_cast(kind).format(c)} AS {c}" for c, (_, kind, *_) in zip(columns, types, strict=True)
    )
    table = _fetch(connection, f"SELECT {casts} FROM siklus_rows LIMIT {max_rows + 1}", names)
    if len(table) <= max_rows:
        return Reading(table)
    del table  # the sample is read anew: two of them need not stand in memory at once
    hashed = (
        columns[list(names).index(key)] if key is not None and key in names else f"row({', '.join(columns)})"
    )
    return _sample(connection, casts, names, bucket=_bucket(hashed), max_rows=max_rows)


def _sample(
    connection: duckdb.DuckDBPyConnection, casts: str, names: Sequence[str], *, bucket: str, max_rows: int
) -> Reading:
    """Count the rows by bucket of their hash, then read the lowest buckets: memory holds the sample only."""
    counted = connection.execute(
        f"SELECT {bucket} AS bucket, count(*) FROM siklus_rows GROUP BY bucket ORDER BY bucket"
    ).fetchnumpy()
    ends = np.cumsum(np.asarray(counted["count_star()"], dtype=np.int64))
    last = int(np.searchsorted(ends, max_rows))
    at = int(counted["bucket"][last])
    rest = max_rows - (int(ends[last - 1]) if last else 0)
    whole = _fetch(connection, f"SELECT {casts} FROM siklus_rows WHERE {bucket} < {at}", names)
    part = _fetch(connection, f"SELECT {casts} FROM siklus_rows WHERE {bucket} = {at} LIMIT {rest}", names)
    return Reading(concatenate([whole, part]), sampled_from=int(ends[-1]))


def _bucket(hashed: str) -> str:
    # MD5, because DuckDB's own hash() may change from version to version, and the sample with it.
    return f"(md5_number_lower(CAST({hashed} AS VARCHAR)) % {BUCKETS})"


def _cast(kind: object) -> str:
    if str(kind) == "JSON":
        return _JSON_TEXT
    return _CASTS.get(getattr(kind, "id", ""), _TEXT)


def _fetch(connection: duckdb.DuckDBPyConnection, select: str, names: Sequence[str]) -> Table:
    found = connection.execute(select).fetchnumpy()
    return Table({name: _cells(cells, name) for name, cells in zip(names, found.values(), strict=True)})


def _cells(array: Cells, name: str) -> Cells:
    if not isinstance(array, np.ma.MaskedArray):
        return cells_of_array(array, where=f"column {name!r}")
    kind, missing = array.dtype.kind, np.ma.getmaskarray(array)
    if kind == "O":
        return cells_of(array.tolist(), where=f"column {name!r}")
    if not missing.any():
        return np.asarray(array.data)
    if kind == "b":
        return objects(array.tolist())
    cells = array.data.astype(np.float64) if kind == "i" else array.data.copy()
    cells[missing] = np.datetime64("NaT", "us") if kind == "M" else np.nan
    return cells
