"""Rates: how often a key may ask, counted by all workers of a server together.

The generic cell rate algorithm (ITU-T I.371), which is a token bucket that needs one number: the moment at
which the bucket will be full again. It stands in memory that the workers share from their fork on.
"""

import math
import mmap
import re
import time
from collections.abc import Callable

from siklus.errors import RequestError, ServeError

BURST_SECONDS = 1.0  # of its rate may come at once, by a key that was quiet before
SLOTS = 1024  # keys that a server can tell apart
ROUNDING_SECONDS = 1e-7  # forgiven, so that sums of intervals do not refuse the last of a burst

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)/([smh])", re.ASCII)


class RateExceeded(RequestError):
    """RQ041. ``retry_seconds``: whole ones, at least 1, after which the next request is let in."""

    def __init__(self, per_second: float, *, wait_seconds: float) -> None:
        super().__init__("RQ041", "this key asks too often", expected=f"at most {rate_text(per_second)}")
        self.retry_seconds = max(1, math.ceil(wait_seconds))


class RateBoard:
    """A moment for each slot (`time.monotonic`), in memory that processes forked from this one share."""

    def __init__(self) -> None:
        self.full_again = memoryview(mmap.mmap(-1, 8 * SLOTS)).cast("d")


class Rate:
    """At most ``per_second`` requests of the key in this slot, and a second's worth at once.

    Two workers that look in the same microsecond may let in one too many; none is refused wrongly.
    """

    def __init__(
        self,
        board: RateBoard,
        *,
        slot: int,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._full_again = board.full_again
        self._slot = slot
        self._per_second = per_second
        self._interval = 1.0 / per_second
        # How far ahead the bucket may be full again, with room for one more.
        self._most = max(BURST_SECONDS - self._interval, 0.0) + ROUNDING_SECONDS

    def take(self) -> bool:
        """Let one request in, if there is room for it."""
        now, full_again, slot = self._clock(), self._full_again, self._slot
        full = full_again[slot]
        if full < now:
            full = now
        elif full - now > self._most:
            return False
        full_again[slot] = full + self._interval
        return True

    def give_back(self) -> None:
        """Take back the last `take`, because the same request is counted elsewhere."""
        self._full_again[self._slot] -= self._interval

    def exceeded(self) -> RateExceeded:
        """What to say to whom was not let in."""
        ahead = self._full_again[self._slot] - self._clock()
        return RateExceeded(self._per_second, wait_seconds=ahead - self._most)


def rate_of(text: str) -> float:
    """Requests a second; ServeError SV017 for anything but `NUMBER/s`, `/m` or `/h`.

    >>> rate_of("30/m")
    0.5
    """
    found = _RATE.fullmatch(text)
    if found is None or float(found[1]) == 0.0:
        raise ServeError("SV017", f"the rate {text[:40]!r}", expected="such as 100/s, 30/m or 5/h")
    return float(found[1]) / SECONDS[found[2]]


def rate_text(per_second: float) -> str:
    """The rate by the shortest unit in which it is at least 1.

    >>> rate_text(100.0), rate_text(0.5)
    ('100/s', '30/m')
    """
    unit = next((unit for unit, seconds in SECONDS.items() if per_second * seconds >= 1), "h")
    return f"{per_second * SECONDS[unit]:g}/{unit}"
