"""A year that nobody has lived, for what is drawn of one: two months, one promotion, one refusal."""

from datetime import date, timedelta

from siklus.demo.moment import Counted, DayFigures, Event, MonthFigures
from siklus.demo.summary import Summary

FIRST = date(2013, 2, 1)
PROMOTED = date(2013, 3, 10)
EVENTS = (
    Event(number=1, day=date(2013, 2, 20), kind="challenger", text="is refused", verdict="refused"),
    Event(number=2, day=PROMOTED, kind="promotion", text="version 3 <b>takes</b> all requests"),
    Event(number=3, day=date(2013, 3, 20), kind="rollback", text="rollout 2 is rolled back"),
)


def days() -> tuple[DayFigures, ...]:
    """February and March, day by day: version 3 answers from the promotion on."""
    return tuple(
        DayFigures(
            first=day,
            last=day,
            flights=100,
            mae_with_loop=9.0 if day < PROMOTED else 7.0,
            mae_static=9.0 if day.month == FIRST.month else 12.0,
            versions=("1",) if day < PROMOTED else ("3",),
        )
        for day in (FIRST + timedelta(days=n) for n in range(59))
    )


def summary() -> Summary:
    months = (
        MonthFigures(month=2, flights=2_800, mae_with_loop=9.0, mae_static=9.0, versions=(1,)),
        MonthFigures(month=3, flights=3_100, mae_with_loop=8.0, mae_static=12.0, versions=(1, 3)),
    )
    return Summary(
        version=1,
        heldout_mae=8.0,
        parity=True,
        months=months,
        days=days(),
        events=EVENTS,
        counted=Counted(retrainings=3, refused=1, promotions=1, rolled_back=1),
        served_rows=5_900,
        failed_requests=0,
        request_ms=0.6,
    )
