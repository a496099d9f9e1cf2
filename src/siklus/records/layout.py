"""Layout: what lies where below the records' directory, and the lock that keeps its files in step."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from siklus.files import disk_errors


@dataclass(frozen=True)
class Layout:
    """Of ``root``, `<state>/records`."""

    root: Path

    @property
    def segments(self) -> Path:
        """What the servers write."""
        return self.root / "predictions"

    @property
    def parquet(self) -> Path:
        """The same once it is compacted: `day=2026-01-31/….parquet`."""
        return self.root / "parquet"

    @property
    def outcomes(self) -> Path:
        return self.root / "outcomes.db"

    @property
    def damaged(self) -> Path:
        """Sealed segments that held unreadable places, kept for a person to look at."""
        return self.root / "damaged"

    @property
    def compaction(self) -> Path:
        """Locked by the one compaction that runs at a time."""
        return self.root / "compact.lock"

    @property
    def exchange(self) -> Path:
        """Locked while files replace one another, and shared by those who read them."""
        return self.root / "exchange.lock"


@contextmanager
def steady(layout: Layout) -> Iterator[None]:
    """No segment and no Parquet file is replaced meanwhile. FileError FS001 as for any file."""
    if not layout.root.is_dir():  # there is nothing to read, and to look is no reason to make it
        yield
        return
    with _locked(layout.exchange, fcntl.LOCK_SH):
        yield


@contextmanager
def exchanging(layout: Layout) -> Iterator[None]:
    """Nobody reads meanwhile; waits until those who do have finished."""
    with _locked(layout.exchange, fcntl.LOCK_EX):
        yield


def day_of(seconds: float) -> str:
    """The UTC day of a Unix time, `2026-01-31`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    file = _opened(path)
    try:
        fcntl.flock(file, how)
        yield
    finally:
        os.close(file)


def _opened(path: Path) -> int:
    """For a lock it is enough to read the file, which is all that another user than the server's may."""
    with disk_errors(path):
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
