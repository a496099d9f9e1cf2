"""Locks: which process holds the lock on a file, without touching it. By Linux's /proc; elsewhere unknown."""

from collections.abc import Iterator, Mapping
from pathlib import Path

LOCKS = Path("/proc/locks")


def held_locks(*, table: str | None = None) -> Mapping[int, int]:
    """By the file's inode, who holds an exclusive flock on it; 0 for a process of another container.

    The device is not compared: file systems over others name another one there than `stat` does.

    >>> held_locks(table="1: FLOCK  ADVISORY  WRITE 16385 fe:00:2146725 0 EOF")
    {2146725: 16385}
    """
    return dict(_held(_table() if table is None else table))


def holder(path: Path, held: Mapping[int, int]) -> int | None:
    """Who holds the lock on ``path``; None for nobody, and where there is no such file."""
    try:
        return held.get(path.stat().st_ino)
    except OSError:
        return None


def _held(table: str) -> Iterator[tuple[int, int]]:
    for line in table.splitlines():
        words = line.split()
        if words[1:2] == ["FLOCK"] and words[3] == "WRITE":
            yield int(words[5].rpartition(":")[2]), int(words[4])


def _table() -> str:
    try:
        return LOCKS.read_text()
    except OSError:
        return ""
