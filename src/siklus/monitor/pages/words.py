"""Numbers and other people's words as a page shows them: short, and unable to do anything."""

import math

from siklus.monitor import amounts

LONGEST = 60  # characters of a value; a page holds thousands of them
LONGEST_LABEL = 22  # along an axis
SET_OFF_FROM = 10_000  # thousands by commas
PLAIN_BELOW = 1e6  # larger numbers are written with an exponent


def printable(text: object, most: int = LONGEST) -> str:
    """The text in one line; what cannot be seen is written out, such as marks that turn a line round.

    >>> printable("a\\u202eb\\n")
    'a\\\\u202eb\\\\n'
    """
    seen = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in str(text)
    )
    return seen if len(seen) <= most else seen[: most - 1] + "…"


def label(text: object) -> str:
    """The text along an axis."""
    return printable(text, LONGEST_LABEL)


def count(number: int) -> str:
    """
    >>> count(12345)
    '12,345'
    """
    return f"{number:,}"


def percent(share: float | None) -> str:
    return "–" if share is None or math.isnan(share) else amounts.percent(share)


def number(value: float | None, digits: int = 4) -> str:
    """To so many digits, without an exponent below a million; years keep their look.

    >>> number(1013.2), number(25123.4), number(0.000123456), number(2.5e9), number(None)
    ('1013', '25,123', '0.0001235', '2.5e+09', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    if 10 ** (digits - 1) <= abs(value) < PLAIN_BELOW:
        return f"{value:,.0f}" if abs(value) >= SET_OFF_FROM else f"{value:.0f}"
    return f"{value:.{digits}g}"


def seconds(duration: float | None) -> str:
    """A length of time in the unit that fits it."""
    return "–" if duration is None or math.isnan(duration) else amounts.length_of_time(duration)
