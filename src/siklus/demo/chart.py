"""The year as pictures: the error with and without the loop, and who answered, as PNG and as an HTML page."""

import io
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from siklus.demo.moment import DayFigures, Event
from siklus.demo.summary import Summary
from siklus.demo.year import YEAR
from siklus.extras import need
from siklus.files import write_atomic
from siklus.monitor.pages.html import rendered
from siklus.monitor.pages.svg import chart
from siklus.palette import ACCENT, DRAWN, LINES, PALE, QUIET, SECOND

Axes: TypeAlias = Any  # matplotlib's own, which is only imported at use

PNG, HTML = "year.png", "year.html"
WEEK = timedelta(days=7)
DOTS_PER_INCH = 160
SIZE = (10.0, 5.6)  # inches
ABOVE = 1.22  # of the highest error: room for the names of what happened
WIDE = 12  # days of a version, from which its name fits into its bar
STYLE = {
    **DRAWN,
    "axes.edgecolor": QUIET,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "grid.color": PALE,
    "grid.linewidth": 0.6,
}
# What became of a challenger: sign, colour, and the word for it.
MARKS = {
    "promotion": ("^", ACCENT, "promoted"),
    "refused": ("x", QUIET, "refused"),
    "rollback": ("v", SECOND, "rolled back"),
}


def write_charts(summary: Summary, folder: Path) -> tuple[Path, Path]:
    """The PNG and the page, in ``folder``. FileError FS001 for a full disk."""
    picture, page = folder / PNG, folder / HTML
    write_atomic(picture, _png(summary))
    write_atomic(page, _page(summary))
    return picture, page


def _png(summary: Summary) -> bytes:
    matplotlib = need("matplotlib")
    figure_of = need("matplotlib.figure").Figure
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = figure_of(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained")
        above, below = figure.subplots(2, sharex=True, height_ratios=(6, 1))
        errors(above, summary)
        answering(below, summary)
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _page(summary: Summary) -> str:
    about = (
        f"On average {summary.mean_mae_with_loop:.1f} minutes off with the loop, "
        f"{summary.mean_mae_static:.1f} without."
    )
    return rendered(
        "year.html.j2",
        found=summary,
        errors=chart(lambda axes: errors(axes, summary), about=about, width=1000, height=380),
        answering=chart(
            lambda axes: answering(axes, summary), about="Which version answered when.", width=1000, height=80
        ),
    )


def errors(axes: Axes, summary: Summary) -> None:
    """Both errors over the year, each point of the week before it, and what became of challengers."""
    days, static = _weekly(summary.days, "mae_static")
    _, with_loop = _weekly(summary.days, "mae_with_loop")
    axes.fill_between(days, static, with_loop, where=static >= with_loop, color=ACCENT, alpha=0.1, lw=0)
    axes.plot(
        days, static, color=SECOND, linewidth=1.6, label=f"January's model, {summary.mean_mae_static:.1f}"
    )
    axes.plot(
        days, with_loop, color=ACCENT, linewidth=2.2, label=f"with the loop, {summary.mean_mae_with_loop:.1f}"
    )
    top = float(max(static.max(initial=1.0), with_loop.max(initial=1.0)))
    for place, (kind, (sign, color, word)) in enumerate(MARKS.items()):
        when = [event.day for event in summary.events if outcome_of(event) == kind]
        if when:
            height = [top * (ABOVE - 0.05 * (place + 1))] * len(when)
            axes.scatter(when, height, marker=sign, color=color, s=42, label=f"{len(when)} {word}", zorder=3)
    for event in summary.events:
        if outcome_of(event) == "promotion":
            axes.axvline(event.day, ymin=0.12, color=ACCENT, linewidth=0.8, linestyle=(0, (2, 3)), alpha=0.6)
    axes.set_ylim(0, top * ABOVE)
    axes.set_title("Minutes off, on average over a week")
    axes.grid(axis="y")
    axes.legend(loc="lower left", ncols=5, fontsize=9, frameon=False, handletextpad=0.4, columnspacing=1.2)
    _months(axes)


def answering(axes: Axes, summary: Summary) -> None:
    """Which version was the champion when."""
    for place, (version, first, last) in enumerate(_champions(summary.days)):
        width = (last - first).days + 1
        axes.barh(0, width, left=first, height=0.8, color=LINES[place % len(LINES)], align="center")
        if width >= WIDE:
            middle = first + timedelta(days=width / 2)
            axes.text(middle, 0, f"v{version}", ha="center", va="center", color="white", fontsize=9)
    axes.set_yticks([])
    axes.set_title("Who answered")
    axes.spines["left"].set_visible(False)
    _months(axes)


def outcome_of(event: Event) -> str:
    """What became of a challenger with this entry: a key of MARKS, or ""."""
    return next((word for word in (event.kind, event.verdict) if word in MARKS), "")


def _weekly(days: Sequence[DayFigures], name: str) -> tuple[list[date], np.ndarray]:
    """Of each day the mean over the flights of the week that ends with it."""
    ends = [day.last for day in days]
    means = []
    for end in ends:
        near = [day for day in days if end - WEEK < day.last <= end]
        flights = [day.flights for day in near]
        means.append(np.average([getattr(day, name) for day in near], weights=flights))
    return ends, np.array(means)


def _champions(days: Sequence[DayFigures]) -> Iterator[tuple[str, date, date]]:
    for version, run in groupby(days, key=lambda day: day.versions[0] if day.versions else ""):
        stretch = list(run)
        if version:
            yield version, stretch[0].first, stretch[-1].last


def _months(axes: Axes) -> None:
    dates = need("matplotlib.dates")
    axes.xaxis.set_major_locator(dates.MonthLocator())
    axes.xaxis.set_major_formatter(dates.DateFormatter("%b"))
    axes.tick_params(axis="x", length=3)
    axes.set_xlim(date(YEAR, 2, 1), date(YEAR + 1, 1, 1))
