"""Retention: which files of records go, by age and by size.

`python -m siklus.records.retention --records DIR` is for servers without DuckDB, whose segments nobody
compacts; a compaction does the same at its end.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from siklus.errors import FileError, SiklusError
from siklus.files import disk_errors, lock
from siklus.project.sections import Records
from siklus.records.layout import Layout, exchanging
from siklus.records.outcomes import Outcomes
from siklus.records.segments import SEALED, adopt

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
    """Sealed segments, damaged ones and Parquet files.

    A Parquet file was last changed, by its own account, when the segments in it were; whatever a copy has
    made of that, its records are of its day.
    """
    sealed = [*layout.segments.glob(f"*{SEALED}"), *layout.damaged.glob("*")]
    found = [Kept(path.stat().st_mtime, path.stat().st_size, path) for path in sealed]
    for path in layout.parquet.glob("day=*/*.parquet"):
        day = datetime.strptime(path.parent.name, "day=%Y-%m-%d").replace(tzinfo=UTC)
        began, ended = day.timestamp(), (day + timedelta(days=1)).timestamp()
        about = path.stat()
        found.append(Kept(min(max(about.st_mtime, began), ended), about.st_size, path))
    return found


def remove_outdated(layout: Layout, settings: Records, *, now: float) -> int:
    """Delete what is too old or too much; how many files that were. ``now`` is Unix time."""
    with exchanging(layout):
        gone = outdated(
            kept_files(layout), now=now, keep_days=settings.keep_days, keep_bytes=settings.keep_bytes
        )
        for path in gone:
            path.unlink()
    for folder in layout.parquet.glob("day=*"):
        if not any(folder.iterdir()):
            shutil.rmtree(folder)
    return len(gone)


def forget_outcomes(layout: Layout, settings: Records, *, now: float) -> int:
    """Delete the outcomes of predictions that are too old; how many those were."""
    if not layout.outcomes.exists():
        return 0
    outcomes = Outcomes(layout.outcomes, settings=settings)
    try:
        return outcomes.forget(before_us=int((now - settings.keep_days * _DAY_SECONDS) * 1e6))
    finally:
        outcomes.close()


def options(*, prog: str, description: str | None) -> argparse.ArgumentParser:
    """Where the records are, and what of them is kept."""
    defaults = Records()
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--records", type=Path, required=True, help="the records' directory")
    parser.add_argument("--keep-days", type=float, default=defaults.keep_days)
    parser.add_argument("--keep-bytes", type=int, default=defaults.keep_bytes)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Once: 0; 2 where that cannot be done."""
    given = options(prog="python -m siklus.records.retention", description=__doc__).parse_args(arguments)
    settings = Records(keep_days=given.keep_days, keep_bytes=given.keep_bytes)
    layout, now = Layout(given.records), time.time()
    try:
        with lock(layout.compaction, what="a compaction"), disk_errors(layout.root):
            adopt(layout.segments, now=now)
            remove_outdated(layout, settings, now=now)
            forget_outcomes(layout, settings, now=now)
    except SiklusError as error:
        if isinstance(error, FileError) and error.code == "FS002":
            return 0  # another server does the same work
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
