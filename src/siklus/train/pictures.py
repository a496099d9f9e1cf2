"""Pictures of an evaluation, as PNG files: what a person looks at before believing a figure."""

import io
import math
import warnings
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.extras import need
from siklus.palette import ACCENT, DRAWN, INK, LINES, PALE, QUIET, SECOND
from siklus.stats.losses import Floats, Truth
from siklus.train.evaluate import CalibrationBins, Evaluation, Importance, Roc

Axes: TypeAlias = Any  # matplotlib's own, which is only imported at use

STYLE = {
    **DRAWN,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": QUIET,
    "axes.grid": True,
    "grid.color": "#e6ebef",
    "legend.frameon": False,
}
DOTS_PER_INCH = 120

LABEL_CHARACTERS = 22
NAMED_CLASSES = 12  # more names do not fit along a matrix, nor more curves into a legend
WRITTEN_CLASSES = 20  # more numbers do not fit into a matrix
NAMED_COLUMNS = 20  # of the importance
SHOWN_QUANTILES = (0.001, 0.999)  # of the plotted range: one absurd row must not squeeze all others


def pictures(evaluation: Evaluation, y: Truth, predictions: NDArray[Any]) -> dict[str, bytes]:
    """PNG files by name: those that the evaluation has something for, the same bytes for the same input.

    ``y`` and ``predictions`` are those that `evaluate` judged; only regression draws them.
    """
    drawn: dict[str, bytes] = {}
    if evaluation.confusion is not None and evaluation.classes is not None:
        drawn["confusion.png"] = _png(_confusion(evaluation), side=_matrix_side(len(evaluation.classes)))
    if evaluation.roc:
        drawn["roc.png"] = _png(lambda axes: _roc(axes, evaluation))
    if evaluation.calibration is not None:
        bins = evaluation.calibration
        drawn["calibration.png"] = _png(lambda axes: _calibration(axes, bins, evaluation))
    if evaluation.residuals is not None:
        truth, said = y.astype(np.float64), predictions.astype(np.float64)
        drawn["predicted.png"] = _png(lambda axes: _predicted(axes, truth, said))
        drawn["residuals.png"] = _png(lambda axes: _residuals(axes, truth - said, evaluation))
    if evaluation.importance:
        drawn["importance.png"] = _png(lambda axes: _importance(axes, evaluation.importance))
    return drawn


def _png(draw: Callable[[Axes], None], *, side: float = 5.2) -> bytes:
    # Importing matplotlib writes a cache of fonts into the home directory, so it is imported at use. Only its
    # objects are used, never pyplot: that would keep every figure, and look for a display.
    matplotlib = need("matplotlib")
    figure_of = need("matplotlib.figure").Figure
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A class name in a script that the font lacks is drawn as boxes; the picture is still worth having.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = figure_of(figsize=(side * 1.25, side), dpi=DOTS_PER_INCH, layout="constrained")
        draw(figure.subplots())
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _matrix_side(classes: int) -> float:
    """In inches."""
    return min(4.0 + 0.32 * classes, 9.0)


def _confusion(evaluation: Evaluation) -> Callable[[Axes], None]:
    counts = np.array(evaluation.confusion)
    names = [_short(label) for label in evaluation.classes or ()]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def draw(axes: Axes) -> None:
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set(title="Confusion: rows by true and predicted class", xlabel="predicted", ylabel="true")
        every = max(1, math.ceil(len(names) / 40))
        ticks = range(0, len(names), every)
        axes.set_xticks(ticks, names[::every], rotation=45 if len(names) > 4 else 0, ha=_turned(names))
        axes.set_yticks(ticks, names[::every])
        if len(names) > WRITTEN_CLASSES:
            return
        for (i, j), count in np.ndenumerate(counts):
            color = "white" if share[i, j] > 0.55 else INK
            text = f"{count:,}\n{share[i, j]:.0%}" if len(names) <= 6 else (f"{count:,}" if count else "")
            axes.text(j, i, text, ha="center", va="center", color=color)

    return draw


def _turned(names: list[str]) -> str:
    return "right" if len(names) > 4 else "center"


def _roc(axes: Axes, evaluation: Evaluation) -> None:
    area, curves = evaluation.metrics["roc_auc"], evaluation.roc
    if len(curves) == 1:
        _one_roc(axes, curves[0], color=ACCENT)
        rates = curves[0].false_positive_rate, curves[0].true_positive_rate
        axes.fill_between(*rates, color=ACCENT, alpha=0.06, linewidth=0)
    for color, curve in zip(cycle(LINES), curves if len(curves) > 1 else (), strict=False):
        _one_roc(axes, curve, color=color)
    axes.plot([0, 1], [0, 1], color=QUIET, linestyle="--", linewidth=1)
    kind = f"class {_short(curves[0].label)}" if len(curves) == 1 else "each class against the rest"
    axes.set(title=f"ROC, {kind}", xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    if area.value is not None and area.low is not None:
        text = f"area {area.value:.3f}\n{100 * evaluation.level:g} %: {area.low:.3f} to {area.high:.3f}"
        axes.text(0.98, 0.04, text, ha="right", va="bottom", transform=axes.transAxes)
    if 1 < len(curves) <= NAMED_CLASSES:
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)


def _one_roc(axes: Axes, curve: Roc, *, color: str) -> None:
    # matplotlib leaves names that begin with "_" out of a legend, so the word before is needed.
    name = f"class {_short(curve.label)}"
    axes.plot(curve.false_positive_rate, curve.true_positive_rate, color=color, linewidth=1.8, label=name)


def _calibration(axes: Axes, bins: CalibrationBins, evaluation: Evaluation) -> None:
    error = evaluation.metrics["calibration_error"]
    rows = np.array(bins.rows)
    observed = np.array(bins.observed)
    reach = 1.96 * np.sqrt((observed * (1 - observed) + 1 / rows) / rows)
    axes.plot([0, 1], [0, 1], color=QUIET, linestyle="--", linewidth=1, label="as said")
    bars = [np.minimum(reach, observed), np.minimum(reach, 1 - observed)]
    axes.errorbar(
        bins.predicted,
        observed,
        yerr=bars,
        color=ACCENT,
        ecolor=PALE,
        marker="o",
        markersize=5,
        label="as it came",
    )
    classes = evaluation.classes or ()
    of_two = len(classes) == 2
    said = f"probability said of {_short(classes[1])}" if of_two else "highest probability said"
    came = f"share that were {_short(classes[1])}" if of_two else "share that were right"
    title = "Calibration"
    if error.value is not None:
        title += f": off by {100 * error.value:.2g} points on average"
    axes.set(title=title, xlabel=said, ylabel=came, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.legend(loc="upper left")


def _predicted(axes: Axes, y: Floats, predictions: Floats) -> None:
    low, high = _shown_range(np.concatenate([y, predictions]))
    extent = (low, high, low, high)
    if len(y) > 2_000:
        cells = axes.hexbin(
            y, predictions, gridsize=60, bins="log", cmap="Blues", mincnt=1, extent=extent, linewidths=0.1
        )
        axes.figure.colorbar(cells, ax=axes, label="rows", shrink=0.8, format="{x:,.0f}")
    else:
        axes.scatter(y, predictions, s=14, color=ACCENT, alpha=0.45, linewidths=0)
    axes.plot(extent[:2], extent[:2], color=SECOND, linewidth=1.2, linestyle="--")
    title = "Predicted against true"
    axes.set(title=title, xlabel="true", ylabel="predicted", xlim=extent[:2], ylim=extent[2:], aspect="equal")


def _shown_range(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, SHOWN_QUANTILES).tolist()
    largest = max(abs(low), abs(high))
    margin = 0.03 * (high - low)
    if margin < 1e-6 * largest or largest == 0:  # bins and ticks need room that floats can tell apart
        margin = 0.5 * largest or 1.0
    return low - margin, high + margin


def _residuals(axes: Axes, residuals: Floats, evaluation: Evaluation) -> None:
    low, high = _shown_range(residuals)
    bins = int(np.clip(2 * np.sqrt(len(residuals)), 10, 60))
    axes.hist(residuals, bins=bins, range=(low, high), color=ACCENT, alpha=0.85)
    axes.axvline(0, color=INK, linewidth=1)
    quantiles = evaluation.residuals or {}
    names = {"0.05": "5 %", "0.5": "median", "0.95": "95 %"}
    for share in names:
        axes.axvline(quantiles[share], color=SECOND, linewidth=1, linestyle="--")
    said = "\n".join(f"{name}: {quantiles[share]:.3g}" for share, name in names.items())
    axes.text(0.99, 0.98, said, ha="right", va="top", color=SECOND, transform=axes.transAxes)
    outside = int(((residuals < low) | (residuals > high)).sum())
    more = f" ({outside:,} rows lie beyond)" if outside else ""
    axes.set(title="Residuals: true minus predicted", xlabel=f"residual{more}", ylabel="rows")


def _importance(axes: Axes, worth: Mapping[str, Importance]) -> None:
    largest = sorted(worth.items(), key=lambda item: (-item[1].mean, item[0]))[:NAMED_COLUMNS]
    names = [_short(name) for name, _ in largest]
    means, spreads = [found.mean for _, found in largest], [found.std for _, found in largest]
    place = range(len(largest))
    axes.barh(place, means, xerr=spreads, color=ACCENT, ecolor=INK, error_kw={"linewidth": 1})
    axes.set_yticks(place, names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    cost = "how much worse the metric gets when the column is shuffled"
    axes.set(title="What each column is worth", xlabel=cost)


def _short(label: object) -> str:
    text = str(label)
    return text if len(text) <= LABEL_CHARACTERS else text[: LABEL_CHARACTERS - 1] + "…"
