"""The study as a page: what was said of each month, in Markdown."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from benchmarks.months.looks import Look
from siklus.demo.flights import JOINED
from siklus.monitor.quality.report import QualityFloor
from siklus.stats.intervals import Estimate

HEADINGS = (
    "month", "flights", "weather columns", "other columns", "farthest other number",
    "drift alarm", "MAE, minutes (95 %)", "floor", "quality alarm", "KS at 5 %", "Evidently",
)  # fmt: skip
CONTROL_HEADINGS = (
    "windows",
    "rows each",
    "drift",
    "drift alarm",
    "quality",
    "quality alarm",
    "KS",
    "Evidently",
)


class Study(Struct, frozen=True, kw_only=True):
    """January's model over the months, and models of random rows over random rows."""

    evaluated: Estimate
    floor: QualityFloor
    months: tuple[Look, ...]
    control: tuple[Look, ...]


def markdown(study: Study) -> str:
    """Both tables."""
    sizes = sorted({look.rows for look in study.control}, reverse=True)
    random = [_control([look for look in study.control if look.rows == rows]) for rows in sizes]
    months = [_month(look) for look in study.months]
    return "\n".join([*_table(HEADINGS, months), "", *_table(CONTROL_HEADINGS, random)])


def _month(look: Look) -> Sequence[str]:
    weather = [column for column in look.alarming if column.name in JOINED]
    others = [column for column in look.alarming if column.name not in JOINED]
    far = look.farthest_number
    return (
        look.name,
        f"{look.rows:,}",
        f"{len(weather)} of {len(JOINED)}",
        f"{len(others)} of {look.columns - len(JOINED)}",
        f"`{far.name}`, PSI {far.psi or 0:.2f}",
        _day(look.drift_day),
        _interval(look.mae),
        look.verdict,
        _day(look.quality_day),
        f"{look.others.ks} of {look.others.columns}",
        f"{look.others.evidently} of {look.others.columns}",
    )


def _control(looks: Sequence[Look]) -> Sequence[str]:
    def share(count: int) -> str:
        return f"{count} of {len(looks)}"

    return (
        f"{len(looks)}",
        f"{looks[0].rows:,}",
        share(sum(look.drift for look in looks)),
        share(sum(look.drift_day is not None for look in looks)),
        share(sum(look.verdict == "beyond" for look in looks)),
        share(sum(look.quality_day is not None for look in looks)),
        share(sum(look.others.ks > 0 for look in looks)),
        share(sum(look.others.evidently > 0 for look in looks)),
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _day(day: int | None) -> str:
    return "" if day is None else f"day {day}"


def _interval(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "undefined"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
