"""The charts of the data's page."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np

from siklus.extras import need
from siklus.monitor.pages.axes import dates, few_ticks, gaps, legend, moments_of, shares, upright
from siklus.monitor.pages.svg import Axes, Drawing, chart
from siklus.monitor.pages.words import count, label, printable
from siklus.monitor.portrait.column import ColumnPortrait
from siklus.monitor.portrait.data import DataColumn
from siklus.monitor.portrait.relation import ByClass
from siklus.monitor.portrait.together import Together
from siklus.monitor.portrait.trend import Spans, Trend
from siklus.palette import ACCENT, LINES, QUIET, SECOND

BAR_HEIGHT, BARS_MARGIN = 15, 34  # points; of charts whose bars lie, with a word at each
HEAT_COLUMNS = 30  # more are no picture any more
LEAST_HEAT_COLUMNS = 3  # two columns are one number
WRITTEN_CELLS = 14  # columns up to which each cell of the heat map says its number
HEAT_COLOURS = (SECOND, "#f4f6f8", ACCENT)


def distribution(column: ColumnPortrait) -> Drawing | None:
    """A histogram, or bars of the most frequent words; None for what has neither, and for texts that are all
    equally long."""
    if column.of_lengths and column.histogram is not None and len(column.histogram.counts) == 1:
        return None
    few = column.nature == "integer" and column.distinct <= len(column.frequent)
    if column.histogram is not None and not few:
        return _histogram(column)
    return _frequent(column) if column.frequent else None


def _histogram(column: ColumnPortrait) -> Drawing:
    bars = column.histogram
    assert bars is not None  # noqa: S101 - `distribution` has looked
    edges: Sequence[object] | None = bars.edges
    as_dates = moments_of(bars.edges) if column.nature == "moment" else None

    def draw(axes: Axes) -> None:
        axes.stairs(bars.counts, as_dates or edges, fill=True, color=ACCENT)
        upright(axes)
        few_ticks(axes.yaxis, whole=True)
        if as_dates:
            dates(axes.xaxis, as_dates)
        else:
            few_ticks(axes.xaxis)
        axes.set_ylabel("rows")
        if column.of_lengths:
            axes.set_xlabel("length of the text, in characters")
        elif beyond := bars.below + bars.above:
            axes.set_xlabel(f"{count(beyond)} rows lie beyond")

    what = "lengths of the texts" if column.of_lengths else "values"
    return chart(draw, about=f"Histogram of the {what} of column {printable(column.name)}")


def _frequent(column: ColumnPortrait) -> Drawing:
    told = column.frequent
    if column.nature == "integer":
        told = tuple(sorted(told, key=lambda value: float(value.value)))
    rest = column.rows - column.missing - sum(value.rows for value in told)
    names = [label(value.value) for value in told]
    rows = [value.rows for value in told]
    colours = [ACCENT] * len(told)
    if column.missing:
        names, rows, colours = [*names, "missing"], [*rows, column.missing], [*colours, QUIET]
    # As a bar of their own the others would squeeze these.
    others = f"; {count(column.distinct - len(told))} other values have {count(rest)}" if rest else ""

    def draw(axes: Axes) -> None:
        axes.barh(range(len(rows)), rows, color=colours, height=0.75)
        axes.set_yticks(range(len(rows)), names)
        axes.invert_yaxis()
        axes.grid(axis="x")
        few_ticks(axes.xaxis, whole=True)
        axes.set_xlabel(f"rows{others}")

    about = f"The most frequent values of column {printable(column.name)}, as bars"
    return chart(draw, about=about, height=BARS_MARGIN + BAR_HEIGHT * len(rows))


def by_target(column: DataColumn, *, target: str) -> Drawing | None:
    """The target in each group of the column's values, with intervals."""
    found = column.relation
    if found is None:
        return None
    name = printable(column.portrait.name)
    means = found.told[0].name is None
    what = f"mean of {label(target)}" if means else f"share of {label(target)}"

    def draw(axes: Axes) -> None:
        plain = len(found.groups) - found.special
        places = np.arange(len(found.groups), dtype=np.float64)
        places[plain:] += 0.5  # what stands apart stands apart
        for colour, told in zip(cycle(LINES), found.told, strict=False):
            _with_intervals(axes, places, told, colour=colour, joined=plain if found.ordered else 0)
        axes.set_xticks(places, [_group_label(text) for text in found.groups], rotation=35, ha="right")
        upright(axes)
        few_ticks(axes.yaxis) if means else shares(axes.yaxis)
        axes.set_ylabel(what if len(found.told) != 1 or means else f"{what} = {label(found.told[0].name)}")
        legend(axes)

    about = f"{printable(what)} by values of column {name}, with intervals at 95 %"
    return chart(draw, about=about, height=225)


def _group_label(text: str) -> str:
    low, between, high = text.partition(" to ")
    short = printable(text, 16)
    return f"≤ {high}" if between and len(text) > 16 and len(high) < 15 and low else short


def _with_intervals(axes: Axes, places: object, told: ByClass, *, colour: str, joined: int) -> None:
    values = np.array(gaps([found.value for found in told.in_groups]))
    low = np.array(gaps([found.low for found in told.in_groups]))
    high = np.array(gaps([found.high for found in told.in_groups]))
    reach = np.nan_to_num(np.stack([values - low, high - values]).clip(min=0))
    x = np.asarray(places)
    # matplotlib leaves names that begin with "_" out of a legend.
    name = None if told.name is None else label(told.name).lstrip("_") or "…"
    axes.errorbar(x, values, yerr=reach, fmt="o", markersize=4, color=colour, elinewidth=1.4, label=name)
    if joined:
        axes.plot(x[:joined], values[:joined], color=colour, linewidth=1, alpha=0.5)


def over_time(column: DataColumn, spans: Spans) -> Drawing | None:
    """Median and quartiles, or the share of words, over time; and the share that is missing."""
    found = column.trend
    if found is None or not (any(found.quartiles) or found.words or any(found.missing)):
        return None
    middles = [(low + high) / 2 for low, high in zip(spans.edges[:-1], spans.edges[1:], strict=True)]
    as_dates = moments_of(middles) if spans.moments else None
    x: Sequence[object] = as_dates or middles

    def draw(axes: Axes) -> None:
        if any(found.quartiles):
            _quartiles(axes, x, found)
        else:
            _shares(axes, x, found)
        upright(axes)
        dates(axes.xaxis, as_dates) if as_dates else few_ticks(axes.xaxis)
        legend(axes)

    return chart(draw, about=f"Column {printable(column.portrait.name)} over time")


def _quartiles(axes: Axes, x: Sequence[object], found: Trend) -> None:
    low, median, high = (
        gaps([None if quarter is None else getattr(quarter, which) for quarter in found.quartiles])
        for which in ("low", "median", "high")
    )
    axes.fill_between(x, low, high, color=ACCENT, alpha=0.25, linewidth=0, label="middle half")
    axes.plot(x, median, color=ACCENT, linewidth=1.6, label="median")
    few_ticks(axes.yaxis)
    if any(found.missing):
        beside = axes.twinx()
        beside.spines["right"].set_visible(False)
        beside.plot(x, gaps(found.missing), color=SECOND, linewidth=1.2, linestyle="--")
        beside.set_ylim(0, max(0.01, 1.05 * max(share or 0.0 for share in found.missing)))
        shares(beside.yaxis)
        axes.plot([], [], color=SECOND, linewidth=1.2, linestyle="--", label="missing (right)")


def _shares(axes: Axes, x: Sequence[object], found: Trend) -> None:
    for colour, word in zip(LINES, found.words, strict=False):
        axes.plot(
            x, gaps(word.shares), color=colour, linewidth=1.6, label=label(word.word).lstrip("_") or "…"
        )
    if any(found.missing) or not found.words:
        axes.plot(x, gaps(found.missing), color=SECOND, linewidth=1.2, linestyle="--", label="missing")
    axes.set_ylim(bottom=0)
    shares(axes.yaxis)


def heat_map(found: Together) -> Drawing | None:
    """All pairs of at most thirty columns: those that have the strongest pairs."""
    names = _most_connected(found)
    if len(names) < LEAST_HEAT_COLUMNS:
        return None
    place = {name: i for i, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    for pair in found.pairs:
        if pair.one in place and pair.other in place:
            i, j = place[pair.one], place[pair.other]
            values[i, j] = values[j, i] = pair.value
    side = 150 + 26 * len(names)
    about = (
        f"Heat map of how strongly {len(names)} columns go together, pair by pair; the table says the same"
    )
    return chart(lambda axes: _heat(axes, values, names), about=about, width=side + 40, height=side)


def _most_connected(found: Together) -> list[str]:
    strongest: dict[str, float] = {}
    for pair in found.pairs:
        for name in (pair.one, pair.other):
            strongest[name] = max(strongest.get(name, 0.0), abs(pair.value))
    kept = set(sorted(strongest, key=lambda name: -strongest[name])[:HEAT_COLUMNS])
    return [name for name in found.columns if name in kept]


def _heat(axes: Axes, values: object, names: Sequence[str]) -> None:
    grid = np.asarray(values)
    colours = _colours()
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(
        edges, edges, np.ma.masked_invalid(grid), cmap=colours, vmin=-1, vmax=1, edgecolors="face"
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    labels = [label(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), labels)
    for side in axes.spines.values():
        side.set_visible(False)
    if len(names) <= WRITTEN_CELLS:
        for (i, j), value in np.ndenumerate(grid):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.6 else "#222"
                text = f"{value:.1f}".replace("0.", ".").replace("-.0", ".0")
                axes.text(j, i, text, ha="center", va="center", fontsize=9, color=colour)


def _colours() -> object:
    colors = need("matplotlib.colors")
    return colors.LinearSegmentedColormap.from_list("siklus", HEAT_COLOURS)
