"""The picture in a mail: the evidence of a notification as PNG, with words for whoever sees no pictures."""

import io
import math
import textwrap
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from siklus.extras import need
from siklus.monitor.alerts.events import Bars, Beside, Evidence, Series
from siklus.monitor.amounts import amount
from siklus.monitor.notify.wording import moment, one_line
from siklus.palette import ACCENT, DRAWN, INK, PALE, QUIET, SECOND

Axes: TypeAlias = Any  # matplotlib's own, which is only imported at use

DOTS_PER_INCH = 200  # phones show twice as many dots as they say
WIDTH, LINE_HEIGHT, BAR_HEIGHT = 4.6, 2.2, 0.28  # inches: letters are to be read on a phone
BESIDE_HEIGHT = 2.6
SHOWN_BARS = 15
SHOWN_NAMES = 14  # along an axis
TOLD_BINS = 4
TITLE_CHARACTERS = 52  # of a line
LABEL_CHARACTERS = 24
STYLE = {
    **DRAWN,
    "axes.edgecolor": QUIET,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "grid.color": PALE,
    "grid.linewidth": 0.6,
}
# matplotlib's settings are the whole process's, and mails are made in several threads.
_DRAWING = threading.Lock()


class Picture(Struct, frozen=True, kw_only=True):
    """``about``: what it shows, in words."""

    png: bytes
    about: str


def picture(evidence: Evidence) -> Picture | None:
    """None where there is nothing to see: a line needs two moments, bars need one."""
    match evidence:
        case Series():
            points = [
                (time, value)
                for time, value in zip(evidence.times, evidence.values, strict=False)
                if math.isfinite(value)
            ]
            if len(points) < 2:
                return None
            return Picture(
                png=_png(lambda axes: _line(axes, evidence, points), height=LINE_HEIGHT),
                about=_line_in_words(evidence, points),
            )
        case Bars():
            named = [
                (one_line(name, longest=LABEL_CHARACTERS), value)
                for name, value in zip(evidence.names, evidence.values, strict=False)
                if math.isfinite(value)
            ][:SHOWN_BARS]
            if not named:
                return None
            return Picture(
                png=_png(lambda axes: _bars(axes, evidence, named), height=0.8 + BAR_HEIGHT * len(named)),
                about=_bars_in_words(evidence, named),
            )
        case Beside():
            if not evidence.names:
                return None
            return Picture(
                png=_png(lambda axes: _beside(axes, evidence), height=BESIDE_HEIGHT),
                about=_beside_in_words(evidence),
            )


def _png(draw: Callable[[Axes], None], *, height: float) -> bytes:
    matplotlib = need("matplotlib")
    figure_of = need("matplotlib.figure").Figure
    file = io.BytesIO()
    with _DRAWING, matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the picture is still worth having.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = figure_of(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, layout="constrained")
        draw(figure.subplots())
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _line(axes: Axes, series: Series, points: list[tuple[Any, float]]) -> None:
    dates = need("matplotlib.dates")
    times, values = zip(*points, strict=True)
    axes.plot(times, values, color=ACCENT, linewidth=1.8)
    axes.plot(times[-1:], values[-1:], color=ACCENT, marker="o", markersize=5)
    if series.threshold is not None:
        _limit(axes.axhline, series)
        axes.annotate(
            f"limit {amount(series.threshold, series.unit)}",
            (0.005, series.threshold),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            color=SECOND,
            fontsize=9,
        )
    axes.set_title(f"{one_line(series.title, longest=TITLE_CHARACTERS - 10)} (UTC)")
    axes.grid(axis="y")
    locator = dates.AutoDateLocator(minticks=3, maxticks=5)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    axes.yaxis.set_major_formatter(lambda value, _place: amount(value, series.unit))
    axes.margins(x=0.02, y=0.15)


def _bars(axes: Axes, bars: Bars, named: list[tuple[str, float]]) -> None:
    places = range(len(named))
    values = [value for _, value in named]
    beyond = bars.threshold
    colors = [SECOND if beyond is not None and value > beyond else ACCENT for value in values]
    drawn = axes.barh(places, values, color=colors, height=0.7)
    axes.bar_label(drawn, [amount(value, bars.unit) for value in values], padding=3, fontsize=9)
    axes.set_yticks(places, [name for name, _ in named])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.12)
    title = one_line(bars.title)
    if beyond is not None:
        _limit(axes.axvline, bars)
        title += f" (limit {amount(beyond, bars.unit)})"
    # As wide as the picture: the names of columns may leave the bars little room.
    axes.figure.suptitle(
        textwrap.fill(title, TITLE_CHARACTERS), x=0.01, ha="left", fontsize=10, fontweight="bold"
    )


def _beside(axes: Axes, found: Beside) -> None:
    places = list(range(len(found.names)))
    bins = len(places) - found.apart
    axes.bar(places[:bins], found.now[:bins], width=0.8, color=ACCENT, label="now")
    axes.bar(places[bins:], found.now[bins:], width=0.8, color=SECOND)
    edges = [place - 0.5 for place in (*places, len(places))]
    axes.stairs(found.training, edges, color=INK, linewidth=1.5, baseline=None, label="in training")
    shown = [*places[: bins : max(1, math.ceil(bins / SHOWN_NAMES))], *places[bins:]]
    names = [one_line(found.names[place], longest=LABEL_CHARACTERS) for place in shown]
    axes.set_xticks(shown, names, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_formatter(lambda value, _place: amount(value, "share"))
    axes.grid(axis="y")
    axes.set_title(one_line(found.title, longest=LABEL_CHARACTERS))
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.1, fontsize=8, frameon=False
    )
    axes.margins(x=0.02, y=0.1)


def _limit(line: Callable[..., object], evidence: Series | Bars) -> None:
    line(evidence.threshold, color=SECOND, linewidth=1.2, linestyle=(0, (5, 3)))


def _line_in_words(series: Series, points: list[tuple[Any, float]]) -> str:
    (start, first), (end, last) = points[0], points[-1]
    limit = "" if series.threshold is None else f" The limit is {amount(series.threshold, series.unit)}."
    return (
        f"{one_line(series.title)}: from {amount(first, series.unit)} ({moment(start)}) "
        f"to {amount(last, series.unit)} ({moment(end)}).{limit}"
    )


def _beside_in_words(found: Beside) -> str:
    """The bins that differ most."""
    rows = sorted(
        zip(found.names, found.now, found.training, strict=True), key=lambda row: -abs(row[1] - row[2])
    )
    told = "; ".join(
        f"{one_line(name, longest=LABEL_CHARACTERS)}: {amount(now, 'share')} now, "
        f"{amount(training, 'share')} in training"
        for name, now, training in rows[:TOLD_BINS]
    )
    return f"{one_line(found.title)}, where it differs most: {told}."


def _bars_in_words(bars: Bars, named: list[tuple[str, float]]) -> str:
    values = ", ".join(f"{name} {amount(value, bars.unit)}" for name, value in named)
    limit = "" if bars.threshold is None else f" The limit is {amount(bars.threshold, bars.unit)}."
    return f"{one_line(bars.title)}: {values}.{limit}"
