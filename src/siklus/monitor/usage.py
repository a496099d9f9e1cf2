"""Usage: the processors and the memory that the processes of this machine's server take."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from siklus.ledgers.totals import Totals
from siklus.ledgers.workers import living
from siklus.monitor.signals import RATE_WINDOW, Signal
from siklus.project.durations import seconds_of

Processes = dict[tuple[int, int], float]  # CPU seconds by number and start


@dataclass
class UsageMeter:
    """Remembers some minutes of CPU times, since a rate needs two of them."""

    _past: deque[tuple[float, Processes]] = field(default_factory=deque)

    def read(self, totals: Totals, *, now: float) -> Iterator[Signal]:
        """``now``: seconds of a clock that never jumps. No rate comes from the first reading."""
        processes = list(living(totals.servers))
        if processes:
            memory = sum(process.usage.resident_bytes for process in processes)
            yield Signal(name="memory", value=float(memory))
        spent = {(process.pid, process.started): process.usage.cpu_seconds for process in processes}
        self._past.append((now, spent))
        while now - self._past[0][0] > seconds_of(RATE_WINDOW):
            self._past.popleft()
        then, before = self._past[0]
        if now > then and processes:
            # What a process had spent before it was first seen was spent in this stretch too, or nearly.
            grown = sum(seconds - before.get(process, 0.0) for process, seconds in spent.items())
            yield Signal(name="cpu", value=grown / (now - then))
