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
            return _duration(value)
        case "bytes":
            return _bytes(value)
        case "yes/no":
            return "yes" if value > YES else "no"
        case "days":
            return f"{_short(value)} {'day' if value == 1 else 'days'}"
        case "rows/s":
            return f"{_short(value)} per second"
        case "cores":
            return f"{_short(value)} {'core' if value == 1 else 'cores'}"
        case "rows":
            return f"{value:,.0f}"
        case _:
            return _short(value)


def _short(value: float) -> str:
    """Three significant digits, and all of a whole number's.

    >>> _short(12345.6), _short(0.01234), _short(3.0)
    ('12,346', '0.0123', '3')
    """
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    for size, unit in ((DAY, "days"), (HOUR, "h"), (MINUTE, "min"), (1, "s")):
        if abs(seconds) >= size:
            return f"{_short(round(seconds / size, 2))} {unit}"
    return f"{_short(1000 * seconds)} ms"


def _bytes(count: float) -> str:
    for size, unit in BYTES:
        if abs(count) >= size:
            return f"{_short(count / size)} {unit}"
    return f"{_short(count)} B"
