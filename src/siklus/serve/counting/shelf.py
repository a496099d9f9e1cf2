"""The shelf: where the ledgers of one server stand, and which row of them is this process's."""

import fcntl
import logging
import mmap
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from siklus.ledgers.ledger import (
    Row,
    Sheet,
    Title,
    locked,
    open_row,
    read_file,
    read_memory,
    remove_unless_written,
    row_in_memory,
)
from siklus.ledgers.totals import COUNTERS, SUFFIX

SUPERVISOR_ROW = 0  # worker i has row i + 1, or the next one that is free
MOST_ROWS = 1024  # of processes that live at the same time
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory with a name by chance is made in it
PREFIX = "siklus-counters-"
YOUNG_SECONDS = 60.0  # a server that begins has its directory a moment before its row

_LOG = logging.getLogger("siklus.serve")


class Shelf:
    """Ledgers in a directory that all processes of a server share; without one, in this process's memory.

    A process keeps its row as long as it lives, and nobody else can have it meanwhile. Where the disk is
    full or closed to us, counting goes on in memory and the log says so: it must never stop a server.
    """

    def __init__(self, directory: Path | None, *, row: int) -> None:
        self._directory = directory
        self._in_memory: dict[str, mmap.mmap] = {}
        self._seat: IO[bytes] | None = None
        self.row = row
        if directory is not None:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                self.row, self._seat = _take_seat(directory, first=row)
            except OSError as exc:
                self._directory = None
                _say_in_memory(directory, exc)

    def open(self, name: str, title: Title) -> Row:
        """This process's row of the ledger with this name and title."""
        if self._directory is not None:
            path = self._directory / f"{name}{SUFFIX}"
            try:
                with locked(self._directory):
                    return open_row(path, title, row=self.row)
            except OSError as exc:
                _say_in_memory(path, exc)
        row, self._in_memory[name] = row_in_memory(title, row=self.row)
        return row

    def sheets(self) -> list[Sheet]:
        """All that can be read, of this and of all other processes."""
        paths = [] if self._directory is None else sorted(self._directory.glob(f"*{SUFFIX}"))
        found = [read_file(path) for path in paths]
        now = time.time()
        found += [read_memory(memory, name=name, used=now) for name, memory in self._in_memory.items()]
        return [sheet for sheet in found if sheet is not None]

    def clear_free_rows(self, name: str, title: Title, *, place: int) -> None:
        """Set one count to 0 in the rows that no living process has."""
        if self._directory is None:
            return
        path = self._directory / f"{name}{SUFFIX}"
        sheet = read_file(path)
        for row in range(0 if sheet is None else len(sheet.counts)):
            seat = _sit_down(self._directory, row)
            if seat is not None:
                with seat, locked(self._directory):
                    open_row(path, title, row=row).counts[place] = 0

    def mark_used(self, name: str) -> None:
        """Let a ledger's time be that of its last use: what is written to memory does not show there."""
        if self._directory is not None:
            with suppress(OSError):  # it may have been taken away meanwhile, or be in memory
                os.utime(self._directory / f"{name}{SUFFIX}")

    def keep_newest(self, prefix: str, *, most: int) -> None:
        """Take away what has not been used for the longest time, but nothing that a process has open."""
        if self._directory is None:
            return
        # Too many are better than a version that cannot be opened because somebody cleared the directory.
        with suppress(OSError), locked(self._directory):
            paths = [path for path in self._directory.glob(f"{prefix}*{SUFFIX}") if path.is_file()]
            for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns)[:-most]:
                remove_unless_written(path)

    def close(self) -> None:
        """Leave the row to whoever comes next; what was counted stays."""
        if self._seat is not None:
            self._seat.close()


@contextmanager
def shared_counters(run: Path | None) -> Iterator[Path]:
    """Where the workers of one server count: in its run directory, or in one that ends with the server."""
    if run is not None:
        yield run / COUNTERS
        return
    memory = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _sweep(memory)
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=memory))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _sweep(memory: Path) -> None:
    """Remove what servers left behind that were killed: nobody has their supervisor's row any more."""
    for left in memory.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another server removes it just now
            found = left.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            if not ours or time.time() - found.st_mtime < YOUNG_SECONDS:
                continue
            seat = _sit_down(left, SUPERVISOR_ROW)
            if seat is not None:
                seat.close()
                shutil.rmtree(left)


def _take_seat(directory: Path, *, first: int) -> tuple[int, IO[bytes]]:
    """The first free row from ``first`` on; a server that shares our directory may have others."""
    for row in range(first, first + MOST_ROWS):
        seat = _sit_down(directory, row)
        if seat is not None:
            return row, seat
    raise OSError(f"{directory}: {MOST_ROWS} processes count here already")


def _sit_down(directory: Path, row: int) -> IO[bytes] | None:
    """The row's lock, which the kernel takes back when the process dies; None while another has it."""
    seat = (directory / f"row-{row}.lock").open("wb")
    try:
        fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        seat.close()
        return None
    return seat


def _say_in_memory(path: Path, exc: OSError) -> None:
    _LOG.error("%s: %s; this process counts in its memory", path, exc.strerror or exc)
