"""Durations as people and Prometheus write them: `90s`, `10m`, `1h`, `30d`."""

import re
from typing import Annotated, TypeAlias

from msgspec import Meta

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MONTH_SECONDS = 30 * UNITS["d"]  # in which the stated rate of false alarms holds
# Below two centuries, so that no calendar ends before now and a duration does.
WRITTEN = r"[1-9][0-9]{0,5}[smh]|[1-9][0-9]{0,3}[dw]"

Duration: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^({WRITTEN})$",
        extra_json_schema={"description": "a duration such as 90s, 10m, 1h or 30d"},
    ),
]

NEVER = "never"
DurationOrNever: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^(never|{WRITTEN})$",
        extra_json_schema={"description": "a duration such as 4h or 7d, or 'never'"},
    ),
]


DurationOrZero: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^(0[smhdw]?|{WRITTEN})$",
        extra_json_schema={"description": "a duration such as 1m or 1h, or 0s"},
    ),
]


def seconds_of(duration: str) -> int:
    """Seconds of a duration; ValueError for a text that is none, and for centuries.

    >>> seconds_of("10m")
    600
    """
    if not re.fullmatch(WRITTEN, duration):
        raise ValueError(f"{duration!r} is no duration such as 90s, 10m, 1h or 30d")
    return int(duration[:-1]) * UNITS[duration[-1]]


def seconds_or_zero(duration: str) -> int:
    """The same, where `0s` is a duration too."""
    return 0 if re.fullmatch("0[smhdw]?", duration) else seconds_of(duration)


def duration_of(seconds: int) -> str:
    """In the largest unit that gives a whole number.

    >>> duration_of(5400)
    '90m'
    """
    unit = max((unit for unit, size in UNITS.items() if seconds % size == 0), key=lambda unit: UNITS[unit])
    return f"{seconds // UNITS[unit]}{unit}"
