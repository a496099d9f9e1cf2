"""Troubles: what goes wrong at each look is said once, now and then again, and when it is over."""

import time
from collections.abc import Callable

from siklus.errors import SiklusError
from siklus.events import tell

AGAIN_SECONDS = 600.0  # while it lasts


class Troubles:
    """Of one program that does the same parts again and again. ``clock``: seconds that only grow."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, tuple[str, float]] = {}  # by part: the code, and when it was said

    def failed(self, event: str, error: SiklusError, *, part: str) -> None:
        """Say it as ``event``, unless the same was said of this part a while ago."""
        now = self._clock()
        code, since = self._told.get(part, ("", 0.0))
        if code != error.code or now - since >= AGAIN_SECONDS:
            self._told[part] = error.code, now
            tell(event, level="error", part=part, code=error.code, reason=str(error))

    def done(self, part: str) -> None:
        """It went well; where it had not before, that is said."""
        if part in self._told:
            code, _ = self._told.pop(part)
            tell("well_again", part=part, code=code)
