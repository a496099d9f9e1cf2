"""Growth: what processes and directories take, looked at again and again, and by how much that grows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil


@dataclass
class Watch:
    """Looks at a supervisor, at the worker that is there when it begins, and at the files of a directory."""

    supervisor: psutil.Process
    worker: psutil.Process
    directory: Path
    seen: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # (seconds, how much)

    def look(self) -> None:
        now = time.monotonic()
        for name, process in (("supervisor", self.supervisor), ("worker", self.worker)):
            with process.oneshot():
                self._note(f"{name} memory", now, process.memory_info().rss)
                self._note(f"{name} descriptors", now, process.num_fds())
                self._note(f"{name} threads", now, process.num_threads())
        self._note("files", now, sum(1 for _ in self.directory.rglob("*")))

    def most(self, what: str) -> float:
        return max(amount for _, amount in self.seen[what])

    def grown(self, what: str, *, since: float) -> float:
        """From ``since`` (monotonic seconds) to the end, along the straight line that fits best."""
        return along_a_line([point for point in self.seen[what] if point[0] >= since])

    def _note(self, what: str, now: float, amount: float) -> None:
        self.seen.setdefault(what, []).append((now, amount))


def along_a_line(points: Sequence[tuple[float, float]]) -> float:
    """By how much the least-squares line of (x, y) rises from the first x to the last.

    >>> along_a_line([(0, 1), (1, 3), (2, 5)])
    4.0
    """
    x, y = np.array(points, dtype=np.float64).T
    slope = np.polyfit(x - x[0], y, 1)[0]
    return round(float(slope * (x[-1] - x[0])), 6)
