"""Notices: signals as something to wait for, instead of something that strikes anywhere."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from siklus.serve.lifecycle import DRAIN

NOTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, DRAIN)


class Notices:
    """The signals that have come, in their order."""

    def __init__(self, end: int) -> None:
        self._end = end

    def wait(self, *, seconds: float) -> bytes:
        """The numbers of the signals that came since the last call, after so many seconds at most."""
        ready, _, _ = select.select([self._end], [], [], seconds)
        return os.read(self._end, 4096) if ready else b""


@contextmanager
def noticed() -> Iterator[Notices]:
    """Note signals instead of obeying them, while this lasts. Only in the main thread."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    # Python writes the number of each signal that has a handler to this descriptor.
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, lambda _number, _frame: None) for number in NOTED}
    try:
        yield Notices(reading)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(reading)
        os.close(writing)
