"""Numbers and other people's words as a page shows them: short, and unable to do anything."""

import math

from siklus.monitor.amounts import length_of_time

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
    """A share, 0 to 1, to two digits; never 0 or 100 where it is not.

    >>> percent(0.123), percent(0.00001), percent(0.9999999), percent(1.0), percent(None)
    ('12 %', '<0.01 %', '>99.99 %', '100 %', '–')
    """
    if share is None or math.isnan(share):
        return "–"
    points = 100 * share
    if 0 < points < 0.01:
        return "<0.01 %"
    if 99.99 < points < 100:
        return ">99.99 %"
    return f"{points:.2g} %" if points < 99.5 else f"{points:.4g} %"


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
    """A length of time in the unit that fits it.

    >>> seconds(7200), seconds(None)
    ('2 h', '–')
    """
    return "–" if duration is None or math.isnan(duration) else length_of_time(duration)
