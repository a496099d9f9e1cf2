"""Values of signals as a person reads them: in mails, pictures, tables and files for other tools."""

from siklus.monitor.signals import YES

DAY, HOUR, MINUTE = 86_400, 3600, 60
BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def amount(value: float, unit: str) -> str:
    """``unit`` is that of a `SignalKind`.

    >>> amount(4000, "rows"), amount(0.0521, "share"), amount(5400, "seconds"), amount(2.1e9, "bytes")
    ('4,000', '5.21 %', '1.5 h', '2.1 GB')
    """
    match unit:
        case "share":
            return f"{_short(100 * value)} %"
        case "seconds":
            return length_of_time(value)
        case "bytes":
            return _bytes(value)
        case "yes/no":
            return "yes" if value > YES else "no"
        case "days":
            return counted(value, "day")
        case "rows/s":
            return f"{_short(value)} per second"
        case "cores":
            return counted(value, "core")
        case "rows":
            return f"{value:,.0f}"
        case _:
            return _short(value)


def percent(share: float) -> str:
    """A share, 0 to 1, to two digits; never 0 or 100 where it is not quite that.

    >>> percent(0.12345), percent(0.00001), percent(0.9912), percent(0.9999999), percent(1.0)
    ('12 %', '<0.01 %', '99.12 %', '>99.99 %', '100 %')
    """
    points = 100 * share
    if 0 < points < 0.01:
        return "<0.01 %"
    if 99.99 < points < 100:
        return ">99.99 %"
    return f"{points:.2g} %" if points < 99 else f"{points:.4g} %"


def length_of_time(seconds: float) -> str:
    """In the unit that fits it.

    >>> length_of_time(0.0042), length_of_time(90), length_of_time(86_400), length_of_time(200_000)
    ('4.2 ms', '1.5 min', '1 day', '2.31 days')
    """
    if abs(seconds) >= DAY:
        return counted(round(seconds / DAY, 2), "day")
    for size, unit in ((HOUR, "h"), (MINUTE, "min"), (1, "s")):
        if abs(seconds) >= size:
            return f"{_short(round(seconds / size, 2))} {unit}"
    return f"{_short(1000 * seconds)} ms"


def counted(count: float, unit: str) -> str:
    """
    >>> counted(1, "row"), counted(4000, "row"), counted(0, "attempt")
    ('1 row', '4,000 rows', '0 attempts')
    """
    return f"{_short(count)} {unit}" if count == 1 else f"{_short(count)} {unit}s"


def _short(value: float) -> str:
    """Three significant digits, and all of a whole number's.

    >>> _short(12345.6), _short(0.01234), _short(3.0)
    ('12,346', '0.0123', '3')
    """
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _bytes(count: float) -> str:
    for size, unit in BYTES:
        if abs(count) >= size:
            return f"{_short(count / size)} {unit}"
    return f"{_short(count)} B"
