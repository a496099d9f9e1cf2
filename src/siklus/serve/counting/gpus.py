"""GPUs: how busy they are, where there are any. Asked of `nvidia-smi` in a thread, never at a request."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

FRESH_SECONDS = 10.0  # between two questions: nvidia-smi itself takes up to a second
STALE_SECONDS = 60.0  # older answers are not shown: better no series than one that stands still
ANSWER_SECONDS = 20.0

_QUESTION = (
    "--query-gpu=index,utilization.gpu,memory.used,memory.total",
    "--format=csv,noheader,nounits",
)
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """``busy``: share of the time, 0 to 1. What the card does not tell is None."""

    index: int
    busy: float | None
    used_bytes: float | None
    total_bytes: float | None


class Gpus:
    """The last answer. Without `nvidia-smi` on the path there is never one, and nothing is ever started."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._command = shutil.which("nvidia-smi", path=environ.get("PATH"))
        self._found: list[Gpu] = []
        self._asked = self._answered = float("-inf")
        self.read()

    def read(self) -> list[Gpu]:
        """What was last heard, at most a minute ago; asks anew, for the next time, when that was long ago."""
        if self._command is None:
            return []
        now = time.monotonic()
        if now - self._asked > FRESH_SECONDS:
            self._asked = now
            threading.Thread(target=self._ask, args=(self._command,), name="gpus", daemon=True).start()
        return self._found if now - self._answered < STALE_SECONDS else []

    def _ask(self, command: str) -> None:
        try:
            done = subprocess.run(
                [command, *_QUESTION], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return  # a driver that is being replaced, or a card that has hung: the last answer grows stale
        self._found = [gpu for line in done.stdout.splitlines() if (gpu := _gpu_of(line)) is not None]
        self._answered = time.monotonic()


def _gpu_of(line: str) -> Gpu | None:
    cells = line.split(",")
    if len(cells) != 4 or not cells[0].strip().isdecimal():
        return None
    busy, used, total = map(_number, cells[1:])
    return Gpu(
        index=int(cells[0]),
        busy=None if busy is None else busy / 100,
        used_bytes=None if used is None else used * _MIB,
        total_bytes=None if total is None else total * _MIB,
    )


def _number(cell: str) -> float | None:
    """None for `[N/A]`, `[Not Supported]` and whatever else a driver says."""
    try:
        return float(cell)
    except ValueError:
        return None
