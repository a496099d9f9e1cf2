"""Segments: files of frames that one process appends to, each sealed by a rename once it is full or old.

`<worker>-<start>-<number>.open` is written and locked by a living process; without its lock it is a dead
one's, and whoever comes next seals it. `….log` never changes again. `….new` is not yet a segment.
"""

import errno
import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from siklus.files import sync_directory
from siklus.records.frames import HEADER_BYTES, frame_of, header_of, new_mark

NEW, OPEN, SEALED = ".new", ".open", ".log"
WRITTEN_SECONDS = 60  # at most, from a record's time to its place in a segment
FORGOTTEN_SECONDS = 3600  # a segment that is still new after that will never be one


@dataclass(frozen=True, order=True)
class SegmentName:
    """``log``: the worker and when it started (Unix µs), which name a run of numbered records for ever."""

    log: str
    number: int

    @classmethod
    def of(cls, path: Path) -> "SegmentName":
        log, _, number = path.stem.rpartition("-")
        return cls(log, int(number))

    def path(self, directory: Path, state: str) -> Path:
        return directory / f"{self.log}-{self.number:06d}{state}"

    @property
    def started_us(self) -> int:
        return int(self.log.rpartition("-")[2])


class OpenSegment:
    """A segment that this process writes, and nobody else."""

    def __init__(self, directory: Path, name: SegmentName, *, opened: float) -> None:
        """Make it; ``opened`` is Unix time. OSError when the disk has no room for it or the name is taken."""
        self.path, self.opened = name.path(directory, OPEN), opened
        self._sealed = name.path(directory, SEALED)
        self._mark = new_mark()
        draft = name.path(directory, NEW)
        # Under another name until it is locked, so that nobody takes it for one whose writer has died.
        self._file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self.end = 0
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._put(header_of(self._mark))
            draft.rename(self.path)
        except OSError:
            os.close(self._file)
            draft.unlink(missing_ok=True)
            raise

    @property
    def is_empty(self) -> bool:
        return self.end <= HEADER_BYTES

    def append(self, *entries: tuple[int, bytes]) -> None:
        """Frames of (sequence, payload), all of them or, with the OSError that prevented it, none."""
        self._put(b"".join(frame_of(self._mark, sequence, payload) for sequence, payload in entries))

    def descriptor(self) -> int:
        """Another descriptor of the file, to sync in another thread; the caller closes it."""
        return os.dup(self._file)

    def seal(self) -> None:
        """Put it on the disk for good under its sealed name; OSError when that is not certain.

        An empty one vanishes. Whatever happens the file is let go, so that another process may seal it.
        """
        try:
            if self.is_empty:
                self.path.unlink()
                return
            with suppress(OSError):  # the trailer is a spare, and the disk may be full
                self._put(header_of(self._mark))
            os.fdatasync(self._file)
            self.path.rename(self._sealed)
            sync_directory(self.path.parent)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Leave it as it is, as a killed process does: whoever comes next may seal it."""
        os.close(self._file)

    def _put(self, content: bytes) -> None:
        rest, at = memoryview(content), self.end
        try:
            while rest:
                count = os.pwrite(self._file, rest, at)
                if count == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                rest, at = rest[count:], at + count
        except OSError:
            # What is left behind if even this fails is written over by the next frame.
            with suppress(OSError):
                os.ftruncate(self._file, self.end)
            raise
        self.end = at


def adopt(directory: Path, *, now: float) -> list[Path]:
    """Seal the segments whose writers have died, and say which they are now; ``now`` is Unix time."""
    adopted = []
    for path in sorted(directory.glob(f"*{OPEN}")):
        with suppress(FileNotFoundError):  # its writer or another process was faster
            if _seal_abandoned(path):
                adopted.append(path.with_suffix(SEALED))
    for draft in directory.glob(f"*{NEW}"):
        with suppress(FileNotFoundError):
            if now - draft.stat().st_mtime > FORGOTTEN_SECONDS:
                draft.unlink()
    return adopted


def sealed_segments(directory: Path) -> list[Path]:
    """By worker, start and number."""
    return sorted(directory.glob(f"*{SEALED}"))


def all_segments(directory: Path) -> list[Path]:
    """The sealed ones and those that are still written, by worker, start and number."""
    # The sealed ones last: one that is renamed meanwhile is then seen twice, not missed.
    found = [*directory.glob(f"*{OPEN}"), *directory.glob(f"*{SEALED}")]
    return sorted({path.stem: path for path in found}.values())


def ended_after(segment: Path, moment: datetime) -> bool:
    """Whether it may hold what was written since this moment; also one that vanished meanwhile."""
    try:
        return segment.suffix == OPEN or segment.stat().st_mtime >= moment.timestamp() - WRITTEN_SECONDS
    except FileNotFoundError:
        return True


def content_of(segment: Path) -> bytes:
    """Its bytes, also when it was sealed meanwhile. FileNotFoundError when it is in a Parquet file by now."""
    try:
        return segment.read_bytes()
    except FileNotFoundError:
        return segment.with_suffix(SEALED).read_bytes()


def _seal_abandoned(path: Path) -> bool:
    """Whether it was a dead writer's. Its torn end stays: readers pass over it."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fdatasync(file)
        path.rename(path.with_suffix(SEALED))
        sync_directory(path.parent)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True
