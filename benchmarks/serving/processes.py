"""Processes: what all of a server's together have used, as Linux tells it."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """This process and everything that it, or a child of it, has started and that still lives."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (fields := _stat(int(path.name))):
            children.setdefault(int(fields[1]), []).append(int(path.name))
    found = [root]
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree; that of ended children too, once their parents have waited."""
    ticks = sum(sum(map(int, fields[11:15])) for pid in tree(root) if (fields := _stat(pid)))
    return ticks / TICKS_PER_SECOND


def memory_bytes(root: int) -> int:
    """Proportional set size: a page that three processes share counts a third for each."""
    return sum(_pss(pid) for pid in tree(root))


def end_tree(root: int, *, grace_seconds: float) -> None:
    """Ask the root to end, and end without asking whatever of its tree is left after the grace."""
    pids = tree(root)
    _send(root, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(_is_running(pid) for pid in pids):
        time.sleep(0.02)
    for pid in pids:
        if _is_running(pid):
            _send(pid, signal.SIGKILL)


def _is_running(pid: int) -> bool:
    fields = _stat(pid)
    return fields is not None and fields[0] != "Z"


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(pid, number)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third one (state) on; None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()  # the name before it may hold spaces and brackets


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
