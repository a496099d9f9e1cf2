"""The charts of a window's page: requests, quality, and bins now against training."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from siklus.monitor.beside import OTHER, slot_shares
from siklus.monitor.pages.axes import dates, few_ticks, gaps, legend, shares, upright
from siklus.monitor.pages.requests import Requests, RequestsPart
from siklus.monitor.pages.svg import Axes, Drawing, chart
from siklus.monitor.pages.words import label, number, printable
from siklus.monitor.quality.report import QualityPart, QualityReport
from siklus.palette import ACCENT, INK, LINES, QUIET, SECOND
from siklus.stats.profile import CategoryProfile, ColumnProfile, Counts, NumericProfile

WORDS = 12  # told one by one; the others are one bar
BAR_HEIGHT, MARGIN = 17, 56  # points, where bars lie
EDGES_NAMED = 5  # along the axis of a number's bins


def asked(found: Requests) -> Drawing | None:
    """Predictions by stretch of time, by what became of them."""
    if not any(part.answered or part.refused or part.failed for part in found.stretches):
        return None
    middles, width = _times(found.stretches)
    told = (
        ("answered", ACCENT, [part.answered for part in found.stretches]),
        ("refused", LINES[2], [part.refused or 0 for part in found.stretches]),
        ("failed", SECOND, [part.failed or 0 for part in found.stretches]),
    )

    def draw(axes: Axes) -> None:
        below = np.zeros(len(middles))
        for name, colour, counts in told:
            if any(counts):
                axes.bar(middles, counts, bottom=below, width=0.9 * width, color=colour, label=name)
                below = below + np.array(counts)
        upright(axes)
        few_ticks(axes.yaxis, whole=True)
        _whole_time(axes, found.whole.since, found.whole.until)
        axes.set_ylabel("predictions")
        legend(axes)

    return chart(draw, about="Predictions asked for over time, by what became of them")


def latency(found: Requests) -> Drawing | None:
    """Median and 95 % quantile by stretch of time."""
    if found.whole.p50 is None:
        return None
    middles, _ = _times(found.stretches)

    def draw(axes: Axes) -> None:
        for name, colour, which in (("median", ACCENT, "p50"), ("95 %", SECOND, "p95")):
            values = [getattr(part, which) for part in found.stretches]
            scaled = gaps([None if value is None else 1000 * value for value in values])
            axes.plot(middles, scaled, color=colour, linewidth=1.6, marker="o", markersize=3, label=name)
        axes.set_ylim(bottom=0)
        upright(axes)
        few_ticks(axes.yaxis)
        _whole_time(axes, found.whole.since, found.whole.until)
        axes.set_ylabel("milliseconds")
        legend(axes)

    return chart(draw, about="Latency over time: median and 95 % quantile")


def beside_training(name: str, reference: ColumnProfile, window: ColumnProfile) -> Drawing | None:
    """Shares of all cells in each bin, now and in training; None for a window without a cell."""
    if not window.counts.rows or not reference.counts.rows:
        return None
    if isinstance(reference, CategoryProfile):
        return _words_beside(name, reference, window)
    return _numbers_beside(name, reference, window)


def _numbers_beside(name: str, reference: NumericProfile, window: ColumnProfile) -> Drawing:
    now, then = _shares(window.counts), _shares(reference.counts)
    slots = slot_shares(window.counts, reference.counts)
    bins = len(now)

    def draw(axes: Axes) -> None:
        place = np.arange(bins)
        axes.bar(place, now, width=0.86, color=ACCENT, label="now")
        axes.stairs(
            then, np.arange(bins + 1) - 0.5, color=INK, linewidth=1.5, label="in training", baseline=None
        )
        apart = bins + 1.0 + 2.6 * np.arange(len(slots))
        for x, (_, share_now, share_then) in zip(apart, slots, strict=True):
            axes.bar([x], [share_now], width=1.4, color=SECOND)
            axes.plot([x - 0.7, x + 0.7], [share_then] * 2, color=INK, linewidth=1.5)
        named = np.unique(
            np.linspace(0, len(reference.cuts) - 1, min(EDGES_NAMED, len(reference.cuts))).astype(int)
        )
        ticks = [*(named + 0.5), *apart]
        texts = [number(reference.cuts[i], 3) for i in named] + [slot for slot, _, _ in slots]
        axes.set_xticks(ticks, texts, rotation=30 if slots else 0, ha="right" if slots else "center")
        upright(axes)
        shares(axes.yaxis)
        axes.set_ylim(bottom=0)
        legend(axes)

    return chart(draw, about=f"Shares of {printable(name)} by bin, now and in training")


def _words_beside(name: str, reference: CategoryProfile, window: ColumnProfile) -> Drawing:
    now, then = _shares(window.counts), _shares(reference.counts)
    words = [*reference.words, OTHER]
    order = np.argsort(-np.maximum(now, then), kind="stable")
    kept, rest = order[:WORDS], order[WORDS:]
    bars = [(label(words[i]), float(now[i]), float(then[i])) for i in kept if now[i] or then[i]]
    if len(rest) and (now[rest].sum() or then[rest].sum()):
        bars.append((f"{len(rest)} more", float(now[rest].sum()), float(then[rest].sum())))
    slots = slot_shares(window.counts, reference.counts)
    colours = [ACCENT] * len(bars) + [SECOND] * len(slots)
    bars = [*bars, *slots]

    def draw(axes: Axes) -> None:
        place = np.arange(len(bars))
        axes.barh(place, [bar[1] for bar in bars], height=0.7, color=colours)
        for y, bar in zip(place, bars, strict=True):
            axes.plot([bar[2]] * 2, [y - 0.42, y + 0.42], color=INK, linewidth=2.2)
        axes.barh([], [], color=ACCENT, label="now")
        axes.plot([], [], color=INK, linewidth=2.2, label="in training")
        axes.set_yticks(place, [bar[0] for bar in bars])
        axes.invert_yaxis()
        axes.grid(axis="x")
        shares(axes.xaxis)
        axes.set_xlim(left=0)
        legend(axes)

    about = f"Shares of the words of {printable(name)}, now and in training"
    return chart(draw, about=about, height=MARGIN + BAR_HEIGHT * len(bars))


def quality_over_time(found: QualityReport) -> Drawing | None:
    """The watched metric by window of time with its interval, and the floor."""
    told = [part for part in found.windows if _value(found, part) is not None]
    if not told:
        return None

    def draw(axes: Axes) -> None:
        middles = [part.since + (part.until - part.since) / 2 for part in told]
        values = np.array([_value(found, part) for part in told], dtype=np.float64)
        reach = np.zeros((2, len(told)))
        for i, part in enumerate(told):
            bounds = part.metrics[found.metric]
            if bounds.low is not None and bounds.high is not None:
                reach[:, i] = max(values[i] - bounds.low, 0), max(bounds.high - values[i], 0)
        axes.errorbar(
            middles, values, yerr=reach, fmt="o-", markersize=4, color=ACCENT, linewidth=1, elinewidth=1.4
        )
        if found.floor is not None:
            axes.axhline(found.floor.limit, color=SECOND, linewidth=1.4, linestyle="--")
            axes.plot(
                [],
                [],
                color=SECOND,
                linewidth=1.4,
                linestyle="--",
                label=f"floor {number(found.floor.limit)}",
            )
            legend(axes, least=1)
        upright(axes)
        few_ticks(axes.yaxis)
        _whole_time(axes, found.since, found.until)
        axes.set_ylabel(label(found.metric))

    return chart(draw, about=f"{printable(found.metric)} over time, with intervals, beside its floor")


def coverage_over_time(found: QualityReport) -> Drawing | None:
    """The share of predictions that have their outcome, by window of time."""
    told = [part for part in found.windows if part.labels.coverage is not None]
    if len(told) < 2:
        return None

    def draw(axes: Axes) -> None:
        middles = [part.since + (part.until - part.since) / 2 for part in told]
        axes.plot(
            middles,
            gaps([part.labels.coverage for part in told]),
            color=QUIET,
            linewidth=1.8,
            marker="o",
            markersize=3,
        )
        axes.set_ylim(0, 1.05)
        upright(axes)
        shares(axes.yaxis)
        _whole_time(axes, found.since, found.until)
        axes.set_ylabel("with outcome")

    return chart(draw, about="Share of the predictions whose outcome is known, over time")


def _value(found: QualityReport, part: QualityPart) -> float | None:
    estimate = part.metrics.get(found.metric)
    return None if estimate is None else estimate.value


def _times(stretches: Sequence[RequestsPart]) -> tuple[list[datetime], timedelta]:
    """The middle of each stretch, and its length: bars over dates take a length of time."""
    length = stretches[0].until - stretches[0].since
    return [part.since + length / 2 for part in stretches], length


def _shares(counts: Counts) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(counts.bins, dtype=np.float64) / counts.rows


def _whole_time(axes: Axes, since: datetime, until: datetime) -> None:
    axes.set_xlim(since, until)
    dates(axes.xaxis, [since, until])
