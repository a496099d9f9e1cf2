"""Retention: which files of records go, by age and by size. Needs no DuckDB."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from siklus.records.layout import Layout
from siklus.records.segments import SEALED

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, order=True)
class Kept:
    """A file that never changes again. ``until``: Unix time at which its last record can have been made."""

    until: float
    size: int
    path: Path


def outdated(kept: Iterable[Kept], *, now: float, keep_days: float, keep_bytes: int) -> list[Path]:
    """What is too old, and then the oldest of what is too much."""
    files = sorted(kept)
    left = sum(file.size for file in files)
    gone = []
    for file in files:
        if file.until >= now - keep_days * _DAY_SECONDS and left <= keep_bytes:
            break
        gone.append(file.path)
        left -= file.size
    return gone


def kept_files(layout: Layout) -> list[Kept]:
    """Sealed segments, damaged ones and Parquet files."""
    sealed = [*layout.segments.glob(f"*{SEALED}"), *layout.damaged.glob("*")]
    found = [Kept(path.stat().st_mtime, path.stat().st_size, path) for path in sealed]
    for path in layout.parquet.glob("day=*/*.parquet"):
        day = datetime.strptime(path.parent.name, "day=%Y-%m-%d").replace(tzinfo=UTC)
        found.append(Kept((day + timedelta(days=1)).timestamp(), path.stat().st_size, path))
    return found
