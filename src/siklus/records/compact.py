"""Compact: sealed segments become Parquet files, small ones are merged, old ones go.

`python -m siklus.records.compact --records DIR [--every SECONDS]`: a process of its own, so that servers
need no DuckDB. It may die between any two steps: a Parquet file names what it was made of, and whatever
it has replaced counts no more and is taken away the next time.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import duckdb
import msgspec

from siklus.data.engine import Engine, open_engine
from siklus.errors import FileError, RecordsError, SiklusError
from siklus.files import disk_errors, lock, sync_directory
from siklus.project.sections import Records
from siklus.records.layout import Layout, day_of, exchanging
from siklus.records.parquet import (
    DAY,
    Compacted,
    compacted_files,
    parquet_rows,
    row_count,
    write_lines,
    write_parquet,
)
from siklus.records.reading import PredictionRecord, is_damage, read_segment
from siklus.records.retention import forget_outcomes, options, remove_outdated
from siklus.records.segments import adopt, sealed_segments

SEGMENT_BYTES_AT_ONCE = 128_000_000  # what goes into one Parquet file, before it is made small
MERGED_BYTES = 256_000_000  # a larger file is never merged
FILES_MERGED = 8  # of about one size: so each record is written again only a few times
NICENESS = 10
UMASK = 0o027  # others read no Parquet file, as they read no segment
MEMORY = "1GB"


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """What one run has done: segments with their rows, files merged, files removed, outcomes forgotten."""

    segments: int
    rows: int
    damaged: int
    merged: int
    removed: int
    forgotten: int


def compact(layout: Layout, settings: Records, *, now: float) -> Compaction:
    """One run; ``now`` is Unix time. FileError FS002 while another one runs, RecordsError RC002 or RC006."""
    with lock(layout.compaction, what="a compaction"), disk_errors(layout.root), _engine(layout) as engine:
        adopt(layout.segments, now=now)
        _finish_former(engine, layout)
        segments, rows, damaged = 0, 0, 0
        for day, some in _by_day(sealed_segments(layout.segments)):
            lines = write_lines(some, engine.scratch / "lines.json")
            target = layout.parquet / f"{DAY}{day}" / f"{_digest(path.stem for path in some)}.parquet"
            names = [path.stem for path in some]
            _publish(
                engine,
                layout,
                lines.relation,
                _Exchange(target, tuple(some), lines.rows, tuple(names), lines.damaged),
            )
            segments, rows, damaged = segments + len(some), rows + lines.rows, damaged + len(lines.damaged)
        merged = _merge(engine, layout, today=day_of(now))
        removed = remove_outdated(layout, settings, now=now)
        return Compaction(
            segments=segments,
            rows=rows,
            damaged=damaged,
            merged=merged,
            removed=removed,
            forgotten=forget_outcomes(layout, settings, now=now),
        )


@dataclass(frozen=True)
class _Exchange:
    """A new file of so many rows, and the paths and names of what it takes the place of.

    ``damaged``: those of the segments that could not be read in full.
    """

    target: Path
    former: tuple[Path, ...]
    rows: int
    segments: tuple[str, ...] = ()
    damaged: tuple[Path, ...] = ()
    replaces: tuple[str, ...] = ()


@contextmanager
def _engine(layout: Layout) -> Iterator[Engine]:
    with open_engine(threads=1) as engine:
        try:
            engine.connection.execute(f"SET memory_limit = '{MEMORY}'")
            yield engine
        except duckdb.Error as exc:
            raise RecordsError(
                "RC006", f"{layout.root}: {exc}", expected="room on the disk, and sound Parquet files"
            ) from exc


def _publish(engine: Engine, layout: Layout, rows: str, change: _Exchange) -> None:
    """Write the file beside its place, put it there, and take away what it replaces."""
    target = change.target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".tmp")
    write_parquet(engine.connection, rows, draft, segments=change.segments, replaces=change.replaces)
    found = row_count(engine.connection, parquet_rows([draft]))
    if found != change.rows:
        # Nothing is deleted unless all of it is there.
        told = f"{draft}: {found} records of {change.rows}"
        raise RecordsError("RC006", told, expected="a file with each of them")
    # So the oldest of a day's files goes first, when they are too much.
    latest = max(path.stat().st_mtime for path in change.former)
    os.utime(draft, (latest, latest))
    _sync(draft)
    with exchanging(layout):
        draft.rename(target)
        sync_directory(target.parent)
        sync_directory(layout.parquet)
        for path in change.former:
            if path in change.damaged:
                _put_aside(path, layout)
            else:
                path.unlink()


def _put_aside(segment: Path, layout: Layout) -> None:
    """With unreadable places it is kept for a person to see."""
    layout.damaged.mkdir(exist_ok=True)
    segment.rename(layout.damaged / segment.name)


def _finish_former(engine: Engine, layout: Layout) -> None:
    """Take away what a run that was killed has replaced already, and its drafts."""
    for draft in layout.parquet.glob(f"{DAY}*/*.tmp"):
        draft.unlink()
    files = list(compacted_files(engine.connection, layout))
    replaced = {name for file in files for name in file.replaces}
    covered = {name for file in files for name in file.segments}
    with exchanging(layout):
        for file in files:
            if file.path.name in replaced:
                file.path.unlink()
        for path in sealed_segments(layout.segments):
            if path.stem not in covered:
                continue
            if any(is_damage(found) for found in read_segment(path)):
                _put_aside(path, layout)
            else:
                path.unlink()


def _by_day(segments: Sequence[Path]) -> Iterator[tuple[str, list[Path]]]:
    """Segments of one day, as many as go into one file; empty ones too, so that they vanish with the rest."""
    dated = sorted((_day(path), path) for path in segments)
    for day, group in groupby(dated, key=lambda pair: pair[0]):
        some: list[Path] = []
        size = 0
        for _, path in group:
            some.append(path)
            size += path.stat().st_size
            if size >= SEGMENT_BYTES_AT_ONCE:
                yield day, some
                some, size = [], 0
        if some:
            yield day, some


def _day(segment: Path) -> str:
    """Of its first record."""
    records = (found for found in read_segment(segment) if isinstance(found, PredictionRecord))
    first = next(records, None)
    return day_of(segment.stat().st_mtime if first is None else first.time_us / 1e6)


def _merge(engine: Engine, layout: Layout, *, today: str) -> int:
    """How many files have become fewer."""
    merged = 0
    files = list(compacted_files(engine.connection, layout))
    for day, group in groupby(files, key=lambda file: file.day):
        for some in _mergeable(list(group), is_over=day < today):
            names = [file.path.name for file in some]
            target = some[0].path.with_name(f"{_digest(names)}.parquet")
            former = tuple(file.path for file in some)
            rows = parquet_rows(former)
            change = _Exchange(target, former, row_count(engine.connection, rows), replaces=tuple(names))
            _publish(engine, layout, rows, change)
            merged += len(some)
    return merged


def _mergeable(files: Sequence[Compacted], *, is_over: bool) -> Iterator[list[Compacted]]:
    """Files of one day that should be one: several of about one size, or all when the day is over."""
    sizes = {file.path: file.path.stat().st_size for file in files}
    small = [file for file in files if sizes[file.path] < MERGED_BYTES]
    if is_over and len(small) > 1 and sum(sizes[file.path] for file in small) <= MERGED_BYTES:
        yield small
        return
    tiers: dict[int, list[Compacted]] = {}
    for file in small:
        # A tier is a factor of eight.
        tiers.setdefault((sizes[file.path].bit_length() - 1) // 3, []).append(file)
    for tier in tiers.values():
        for start in range(0, len(tier) - FILES_MERGED + 1, FILES_MERGED):
            yield tier[start : start + FILES_MERGED]


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def main(arguments: Sequence[str]) -> int:
    """Compact once, or again and again until whoever started it is gone."""
    parser = options(prog="python -m siklus.records.compact", description=__doc__)
    parser.add_argument("--every", type=float, help="seconds from one run to the next; once without it")
    given = parser.parse_args(arguments)
    settings = Records(keep_days=given.keep_days, keep_bytes=given.keep_bytes)
    os.nice(NICENESS)
    os.umask(UMASK)
    if given.every is None:
        return _run(Layout(given.records), settings)
    parent = os.getppid()
    while os.getppid() == parent:
        _run(Layout(given.records), settings)
        time.sleep(given.every)
    return 0


def _run(layout: Layout, settings: Records) -> int:
    try:
        done = compact(layout, settings, now=time.time())
    except SiklusError as error:
        if isinstance(error, FileError) and error.code == "FS002":
            return 0  # another server's compaction does the same work
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if any(asdict(done).values()):
        sys.stdout.write(f"{msgspec.json.encode(done).decode()}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
