"""The ledger: numbers in a memory-mapped file, a row for each process, added up by whoever reads.

A process adds to its own row only, so no two ever write the same place, and what it has added is in the
file at once: it outlives the process, and the next one with that row goes on from there.

The file: a head of whole pages (`_HEAD`, then the title), then rows of `counts` (uint64) and `sums`
(float64), each beginning on a cache line of its own. The title says what the places mean; another title under
the same name begins a new file. The file is allocated, not sparse, so that a disk that fills up later cannot
take the page away under a writer.
"""

import fcntl
import hashlib
import mmap
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
MAGIC = b"SIKLUS#\x00"
PAGE = 4096
LINE = 64  # bytes that one core owns while it writes
MOST_TITLE_BYTES = 64_000_000  # a foreign file must not fill the memory

_HEAD = struct.Struct("<8sQQQQ32s")  # magic, format, counts, sums, length and SHA-256 of the title


@dataclass(frozen=True, kw_only=True)
class Title:
    """What a ledger's places mean (``text``, for its owner to read), and how many a row has of each sort."""

    text: bytes
    counts: int
    sums: int

    @property
    def head(self) -> bytes:
        digest = hashlib.sha256(self.text).digest()
        whole = _HEAD.pack(MAGIC, FORMAT, self.counts, self.sums, len(self.text), digest) + self.text
        return whole.ljust(-(-len(whole) // PAGE) * PAGE, b"\x00")

    @property
    def row_bytes(self) -> int:
        return max(LINE, -(-8 * (self.counts + self.sums) // LINE) * LINE)


class Row:
    """One process's numbers. ``counts`` and ``sums`` are memory: adding to an item is all there is to do.

    ``counts``: uint64; ``sums``: float64. ``count_array`` is the counts once more, for numpy.
    """

    def __init__(self, memory: mmap.mmap, title: Title, *, start: int) -> None:
        places = memoryview(memory)
        middle = start + 8 * title.counts
        self.counts = places[start:middle].cast("Q")
        self.sums = places[middle : middle + 8 * title.sums].cast("d")
        self.count_array: NDArray[np.uint64] = np.frombuffer(self.counts, dtype=np.uint64)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What a ledger held. ``counts``: uint64, shape (rows, n); ``sums``: float64, shape (rows, m).

    ``name``: that of the ledger. ``used``: when it last was, in Unix time.
    """

    name: str
    text: bytes
    counts: NDArray[np.uint64]
    sums: NDArray[np.float64]
    used: float


def open_row(path: Path, title: Title, *, row: int) -> Row:
    """This row of the ledger at ``path``, which is made, grown or, with another title, begun anew.

    The caller holds the directory's lock (`locked`). OSError when the disk has no room or is closed to us.
    """
    handle = _titled(path, title)
    try:
        size = len(title.head) + (row + 1) * title.row_bytes
        if os.fstat(handle).st_size < size:
            os.posix_fallocate(handle, 0, size)
        os.utime(handle)
        # Shared by all who write here, and held as long as the memory is: mmap keeps a copy of the handle.
        fcntl.flock(handle, fcntl.LOCK_SH)
        memory = mmap.mmap(handle, size)
    finally:
        os.close(handle)
    return Row(memory, title, start=len(title.head) + row * title.row_bytes)


def row_in_memory(title: Title, *, row: int) -> tuple[Row, mmap.mmap]:
    """A row that no other process sees, and the ledger around it, for `read_memory`."""
    memory = mmap.mmap(-1, len(title.head) + (row + 1) * title.row_bytes)
    memory[: len(title.head)] = title.head
    return Row(memory, title, start=len(title.head) + row * title.row_bytes), memory


def read_file(path: Path) -> Sheet | None:
    """What stands in it now; None where there is no ledger, or none that can be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size < PAGE:
            return None
        memory = mmap.mmap(handle, found.st_size, prot=mmap.PROT_READ)
        return read_memory(memory, name=path.stem, used=found.st_mtime)
    except OSError:
        return None
    finally:
        os.close(handle)


def read_memory(memory: mmap.mmap, *, name: str, used: float) -> Sheet | None:
    """A copy of what stands in a mapped ledger; None when it is none."""
    title = _title_of(memory)
    if title is None:
        return None
    start = len(title.head)
    rows = (len(memory) - start) // title.row_bytes
    words = title.row_bytes // 8
    # Adding reads each number as one aligned word; a copy of bytes might take half of an old one.
    found: NDArray[Any] = np.frombuffer(memory, dtype=np.uint64, count=rows * words, offset=start)
    found = found.reshape(rows, words) + np.uint64(0)
    sums = found[:, title.counts : title.counts + title.sums]
    return Sheet(
        name=name,
        text=title.text,
        counts=found[:, : title.counts],
        sums=sums.copy().view(np.float64),
        used=used,
    )


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Alone among all who open, grow or remove ledgers here; takes microseconds, so it waits."""
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_unless_written(path: Path) -> None:
    """Take a ledger away that no process writes any more."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return
    finally:
        os.close(handle)


def _titled(path: Path, title: Title) -> int:
    """A handle of the file with this title, begun anew in the place of any other file."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    try:
        if os.pread(handle, len(title.head), 0) == title.head:
            return os.dup(handle)
        path.unlink()  # who still writes to that one goes on, unseen
    finally:
        os.close(handle)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(handle, 0, len(title.head))
        os.pwrite(handle, title.head, 0)
    except OSError:
        os.close(handle)
        raise
    return handle


def _title_of(memory: mmap.mmap) -> Title | None:
    if len(memory) < _HEAD.size:
        return None
    magic, number, counts, sums, length, digest = _HEAD.unpack_from(memory)
    if magic != MAGIC or number != FORMAT:
        return None
    if length > min(len(memory), MOST_TITLE_BYTES) or counts > len(memory) or sums > len(memory):
        return None
    title = Title(text=memory[_HEAD.size : _HEAD.size + length], counts=counts, sums=sums)
    whole = hashlib.sha256(title.text).digest() == digest and len(title.head) <= len(memory)
    return title if whole else None
