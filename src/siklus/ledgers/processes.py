"""Processes: what the kernel says of one, by its number. Linux's /proc; elsewhere nothing is known."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """``started``: Unix time in seconds. ``open_files``: None where the process is another user's."""

    started: float
    cpu_seconds: float
    resident_bytes: int
    open_files: int | None


def start_ticks(pid: int) -> int | None:
    """When it started, in the kernel's ticks since boot; with the number it names a process for ever."""
    fields = _stat(pid)
    return None if fields is None else int(fields[19])


def usage(pid: int) -> Usage | None:
    """What it has used and holds now; None when there is no such process."""
    fields = _stat(pid)
    if fields is None:
        return None
    try:
        open_files = len(os.listdir(_PROC / str(pid) / "fd"))  # noqa: PTH208 - half the time of iterdir
    except OSError:
        open_files = None
    return Usage(
        started=_boot_time() + int(fields[19]) / _TICKS,
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
        resident_bytes=int(fields[21]) * _PAGE,
        open_files=open_files,
    )


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat after the name, which may hold anything, blanks and brackets too."""
    try:
        return (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None


@cache
def _boot_time() -> float:
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
