"""What several charts need of matplotlib's axes: few ticks, dates, bands."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from siklus.extras import need
from siklus.monitor.microseconds import moment_of
from siklus.monitor.pages.svg import Axes
from siklus.monitor.pages.words import number

TICKS = 5
DATES = 3  # stretches between the dates of an axis
A_DAY = timedelta(days=1)
A_FEW_DAYS = timedelta(days=4)
DATES_BEFORE = datetime(9000, 1, 1, tzinfo=UTC)  # matplotlib's calendar ends with the year 9999
GAP = float("nan")  # a line breaks off here


def few_ticks(axis: Axes, *, whole: bool = False) -> None:
    """About five, with thousands set off and as few digits as there can be."""
    ticker = need("matplotlib.ticker")
    axis.set_major_locator(ticker.MaxNLocator(TICKS, integer=whole))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: number(round(value, 12))))


def shares(axis: Axes) -> None:
    """As percent; the values are 0 to 1."""
    ticker = need("matplotlib.ticker")
    axis.set_major_locator(ticker.MaxNLocator(TICKS))
    axis.set_major_formatter(ticker.PercentFormatter(1.0, symbol=" %"))


def dates(axis: Axes, moments: Sequence[datetime]) -> None:
    """Four dates along the axis; within a few days with the time of day."""
    first, last = min(moments), max(moments)
    days = last - first >= A_FEW_DAYS
    ticks = [first + (last - first) * place / DATES for place in range(DATES + 1)]
    if days:
        ticks = [tick.replace(hour=0, minute=0, second=0, microsecond=0) for tick in ticks]
        ticks = [tick for tick in dict.fromkeys(ticks) if tick >= first - timedelta(days=1)]
    form = "%Y-%m-%d" if days else ("%H:%M" if last - first <= A_DAY else "%b %d %H:%M")
    axis.set_ticks(ticks, [f"{tick:{form}}" for tick in ticks])


def moments_of(microseconds: Sequence[float]) -> list[datetime] | None:
    """Datetimes in UTC; None where the calendar does not reach."""
    try:
        found = [moment_of(value) for value in microseconds]
    except OverflowError:
        return None
    return found if max(found) < DATES_BEFORE else None


def gaps(values: Sequence[float | None]) -> list[float]:
    return [GAP if value is None else value for value in values]


def legend(axes: Axes, *, least: int = 2) -> None:
    """Above the chart, where at least so many things have a name."""
    if len(axes.get_legend_handles_labels()[0]) >= least:
        axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)


def upright(axes: Axes) -> None:
    """A quiet grid for reading heights off."""
    axes.grid(axis="y")
    axes.margins(x=0.01)
