"""Parquet: compacted records; each file names what it was made of, so that nothing counts twice."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from duckdb import DuckDBPyConnection

from siklus.data.engine import quoted
from siklus.errors import RecordsError
from siklus.records.entries import json_text
from siklus.records.frames import Damage
from siklus.records.layout import Layout
from siklus.records.reading import PredictionRecord, is_damage, read_segment
from siklus.records.segments import all_segments

FORMAT = "1"
ROWS_PER_GROUP = 50_000
DAY = "day="

# A record as a line of JSON, and the columns that it becomes.
_LINE = {
    "prediction_id": "VARCHAR", "time_us": "BIGINT", "version": "VARCHAR", "arm": "VARCHAR",
    "shadow": "BOOLEAN", "features": "JSON", "prediction": "JSON", "probability": "DOUBLE",
    "latency_ms": "DOUBLE", "log": "VARCHAR", "sequence": "BIGINT",
}  # fmt: skip
COLUMNS = (
    "prediction_id, make_timestamp(time_us) AS time, version, arm, shadow, features, prediction, "
    "probability, latency_ms, log, sequence"
)
SMALLEST_OBJECT = 1 << 20  # bytes that DuckDB must be able to hold of one line


@dataclass(frozen=True)
class Compacted:
    """One Parquet file. ``segments``: by their names without suffix. ``replaces``: Parquet files by name."""

    path: Path
    segments: frozenset[str]
    replaces: frozenset[str]

    @property
    def day(self) -> str:
        return self.path.parent.name.removeprefix(DAY)


@dataclass(frozen=True)
class Holdings:
    """All records that there are, each once: Parquet files, and segments that are in none of them."""

    files: tuple[Compacted, ...]
    segments: tuple[Path, ...]


def holdings(connection: DuckDBPyConnection, layout: Layout) -> Holdings:
    """What is there now; nothing may be replaced meanwhile (`layout.steady`). RecordsError RC002."""
    files = list(compacted_files(connection, layout))
    replaced = {name for file in files for name in file.replaces}
    covered = {name for file in files for name in file.segments}
    return Holdings(
        tuple(file for file in files if file.path.name not in replaced),
        tuple(path for path in all_segments(layout.segments) if path.stem not in covered),
    )


def compacted_files(connection: DuckDBPyConnection, layout: Layout) -> Iterator[Compacted]:
    """Every Parquet file, also one that was replaced and is still there, by day and name."""
    for path in sorted(layout.parquet.glob(f"{DAY}*/*.parquet")):
        found = dict(
            connection.execute(
                "SELECT decode(key), decode(value) FROM parquet_kv_metadata(?)", [str(path)]
            ).fetchall()
        )
        if found.get("siklus_format") != FORMAT:
            raise RecordsError("RC002", f"{path}: no Parquet file of records", expected=f"format {FORMAT}")
        segments, replaces = (
            msgspec.json.decode(found[key], type=frozenset[str]) for key in ("segments", "replaces")
        )
        yield Compacted(path, segments, replaces)


def write_parquet(
    connection: DuckDBPyConnection, rows: str, to: Path, *, segments: Iterable[str], replaces: Iterable[str]
) -> None:
    """Write a relation of records, given as SQL, by time."""
    names = {
        "siklus_format": FORMAT,
        "segments": msgspec.json.encode(sorted(segments)).decode(),
        "replaces": msgspec.json.encode(sorted(replaces)).decode(),
    }
    told = ", ".join(f"{key}: {quoted(value)}" for key, value in names.items())
    connection.execute(
        f"COPY (SELECT * FROM {rows} ORDER BY time) TO {quoted(str(to))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_PER_GROUP}, KV_METADATA {{{told}}})"
    )


def parquet_rows(files: Sequence[Path]) -> str:
    """Their records as a relation in SQL."""
    listed = ", ".join(quoted(str(path)) for path in files)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def row_count(connection: DuckDBPyConnection, rows: str) -> int:
    """Of a relation in SQL."""
    [(count,)] = connection.execute(f"SELECT count(*) FROM {rows}").fetchall()
    return int(count)


@dataclass(frozen=True)
class Lines:
    """Records as lines of JSON in a file. ``damaged``: the segments that held unreadable places."""

    path: Path
    rows: int
    longest: int
    damaged: tuple[Path, ...]

    @property
    def relation(self) -> str:
        """The records as a relation in SQL, in the columns of the Parquet files."""
        kinds = ", ".join(f"{name}: {quoted(kind)}" for name, kind in _LINE.items())
        most = max(SMALLEST_OBJECT, 2 * self.longest)
        return (
            f"(SELECT {COLUMNS} FROM read_json({quoted(str(self.path))}, format = 'newline_delimited', "
            f"columns = {{{kinds}}}, maximum_object_size = {most}))"
        )


def write_lines(segments: Iterable[Path], to: Path) -> Lines:
    """The records of these segments; one that vanished is in a Parquet file by now, and is passed over."""
    rows, longest, damaged = 0, 0, []
    with to.open("wb") as file:
        for segment in segments:
            sound = True
            for found in read_segment(segment):
                if isinstance(found, Damage):
                    sound = sound and not is_damage(found)
                    continue
                line = _line(found)
                if line is None:
                    sound = False
                    continue
                rows, longest = rows + 1, max(longest, len(line))
                file.write(line)
            if not sound:
                damaged.append(segment)
    return Lines(to, rows, longest, tuple(damaged))


def _line(record: PredictionRecord) -> bytes | None:
    """None for features that are nested too deeply to be written."""
    try:
        return msgspec.json.encode(record) + b"\n"
    except RecursionError:
        return None
    except (UnicodeEncodeError, OverflowError):
        # Half a surrogate pair has no form in Parquet's texts; msgspec writes no integer beyond 64 bits.
        return json_text(_whole(msgspec.to_builtins(record))) + b"\n"


def _whole(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_whole(key): _whole(cell) for key, cell in value.items()}
        case list():
            return [_whole(cell) for cell in value]
        case _:
            return value
