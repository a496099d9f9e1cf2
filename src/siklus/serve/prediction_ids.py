"""Prediction ids: 128 bits that sort by time, as text (UUID version 7, RFC 9562)."""

import os

RANDOM_BITS = (
    62  # of the last field; its highest bit starts as 0, so that counting up a batch never overflows
)
_VERSION = 7 << 76
_VARIANT = 0b10 << 62


def prediction_ids(count: int, *, now_ms: int) -> list[str]:
    """``count`` ids of one request, in ascending order; ``now_ms`` is Unix time in milliseconds.

    The ids of a batch follow one another; those of different requests share no more than the time.
    """
    chance = int.from_bytes(os.urandom(10))
    last = chance & ((1 << (RANDOM_BITS - 1)) - 1)
    first = (now_ms << 80) | _VERSION | ((chance >> RANDOM_BITS & 0xFFF) << 64) | _VARIANT | last
    return [_text(f"{first + i:032x}") for i in range(count)]


def _text(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
