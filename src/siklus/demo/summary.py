"""What the year came to: figures for programs, a story for people."""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from siklus.demo.moment import Counted, DayFigures, Event, Moment, MonthFigures
from siklus.train.results import Release

CLEAR = 0.5  # minutes of a month's mean error, by which the loop does clearly better, or worse


class Summary(Struct, frozen=True, kw_only=True):
    """``heldout_mae``: January's model on January's last days. ``request_ms``: the median for one flight."""

    version: int
    heldout_mae: float
    parity: bool
    months: tuple[MonthFigures, ...]
    days: tuple[DayFigures, ...]
    events: tuple[Event, ...]
    counted: Counted
    served_rows: int
    failed_requests: int
    request_ms: float

    @property
    def mean_mae_with_loop(self) -> float:
        """Each month counts alike."""
        return float(np.mean([month.mae_with_loop for month in self.months]))

    @property
    def mean_mae_static(self) -> float:
        return float(np.mean([month.mae_static for month in self.months]))


def summary_of(last: Moment, days: Sequence[DayFigures], *, january: Release, request_ms: float) -> Summary:
    """``last``: the moment at the end; ``january``: the first release, which has a version."""
    heldout = january.metrics.get("mae")
    return Summary(
        version=january.version or 0,
        heldout_mae=float("nan") if heldout is None else heldout,
        parity=january.parity is not None and january.parity.holds,
        months=last.months,
        days=tuple(days),
        events=last.events,
        counted=last.counted,
        served_rows=last.flights,
        failed_requests=last.failed_requests,
        request_ms=request_ms,
    )


def story(summary: Summary) -> Iterator[str]:
    """What happened, in plain words, a line after the other."""
    counted, months = summary.counted, summary.months
    worst = max(months, key=lambda month: month.mae_static - month.mae_with_loop)
    yield (
        f"January's model alone would have been {summary.mean_mae_static:.1f} minutes off on average; "
        f"with the loop it was {summary.mean_mae_with_loop:.1f}."
    )
    yield (
        f"It helped most in {worst.name}: {worst.mae_static:.1f} minutes without it, "
        f"{worst.mae_with_loop:.1f} with it."
    )
    behind = [month for month in months if month.mae_with_loop > month.mae_static + CLEAR]
    if behind:
        named = " and ".join(
            f"{month.name} ({month.mae_with_loop:.1f} against {month.mae_static:.1f})" for month in behind
        )
        yield f"It was behind in {named}: no label tells beforehand that the world turns back to January's."
    yield (
        f"It trained anew {_times(counted.retrainings)}: {counted.promotions} of the new versions were "
        f"promoted, {counted.refused} refused before anybody met them, "
        f"{counted.rolled_back + counted.given_up} rolled back."
    )
    failed = "none failed" if not summary.failed_requests else f"{summary.failed_requests:,} requests failed"
    yield (
        f"{summary.served_rows:,} flights were asked about over HTTP, {failed}; "
        f"a request about one takes {summary.request_ms:.1f} ms."
    )


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")
