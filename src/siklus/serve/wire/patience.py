"""Patience: how long a client waits, where it says so, and how many may wait at all.

What nobody waits for any more is not scored: under overload, work for those who have left would crowd out
those who have not.
"""

import math

from siklus.errors import RequestError, ServeError

HEADER = "x-request-timeout-ms"


def patience_of(header: str | None) -> float:
    """Seconds that the client waits from now on, without end where it does not say; RequestError RQ017.

    >>> patience_of("250")
    0.25
    """
    if header is None:
        return math.inf
    if not (header.isascii() and header.isdigit() and len(header) <= 12 and int(header) > 0):
        raise RequestError("RQ017", f"{HEADER}: {header[:40]!r}", expected="whole milliseconds above 0")
    return int(header) / 1000


def too_busy(most: int) -> ServeError:
    return ServeError(
        "SV020",
        f"{most} requests wait for a model already",
        expected="the same request again, a little later",
    )


def too_late() -> ServeError:
    return ServeError(
        "SV022", f"no model was free within {HEADER}", expected="more patience, or another moment"
    )
