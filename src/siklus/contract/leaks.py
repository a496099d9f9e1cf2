"""Leaks: columns that state the target, most likely because they are known only after it.

A column is suspected by a rule that sees nothing but that column, learned on one half of the rows and
judged on the other, both ways round: classes by a tree of few leaves, numbers by interpolation between
neighbours. Strong but honest columns stay below the bounds (see each of them).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Task
from siklus.contract.findings import Finding, finding
from siklus.contract.survey import NUMERIC, Series, Survey

# Share of the way from guessing to always right (balanced over the classes). The strongest honest columns
# known here: petal width in iris 0.91, worst perimeter in breast_cancer 0.83.
CLASS_BOUND = 0.98
# Share of the variance of the target's ranks. The strongest honest column known here: a flight's distance
# states 0.98 of its air time; the same time in hours and one decimal states 0.999.
AMOUNT_BOUND = 0.99
EXACT_SHARE = 1e-6  # of the target's deviation: what float arithmetic leaves of an exact sum
MIN_ROWS = 50  # in fewer, a column can look all-knowing by chance
MAX_ROWS = 20_000  # a sample is enough to tell 0.98 from 0.95, and keeps the look at a wide table short
MAX_CLASS_CELLS = 800_000  # rows times classes in one look
MAX_SUMMANDS = 4  # columns that add up to the target by design are few
MAX_SUM_COLUMNS = 200

_Ints = NDArray[np.int64]


def suspected_leaks(
    features: Sequence[Survey], target: Survey, *, task: Task, seed: int = 0
) -> list[Finding]:
    """A finding for each column that alone nearly states the target, and one for columns that add up to it.

    ``seed`` draws the sample and the halves: the same table gives the same findings.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(~target.missing))
    most = MAX_ROWS if task == "regression" else min(MAX_ROWS, MAX_CLASS_CELLS // target.distinct)
    rows = rows[:most]
    if len(rows) < MIN_ROWS:
        return []
    if task == "classification":
        return _class_leaks(features, target.series[rows], rows)
    return _amount_leaks(features, target.series[rows], rows)


def _class_leaks(features: Sequence[Survey], answer: Series, rows: _Ints) -> list[Finding]:
    labels = np.unique(answer, return_inverse=True)[1].astype(np.int64)
    halves = _halves_by_class(labels)
    findings = []
    for seen in features:
        skill = _class_skill(seen, rows, labels, halves)
        if skill >= CLASS_BOUND:
            findings.append(
                _suspicion(
                    seen.name, f"gives the right class {skill:.1%} of the way from guessing to always right"
                )
            )
    return findings


def _amount_leaks(features: Sequence[Survey], answer: Series, rows: _Ints) -> list[Finding]:
    ranks = _mean_ranks(answer)
    halves = np.arange(len(rows)) % 2 == 0
    findings = []
    for seen in features:
        share = _amount_share(seen, rows, ranks, halves)
        if share >= AMOUNT_BOUND:
            findings.append(_suspicion(seen.name, f"explains {share:.1%} of how rows rank by the target"))
    return findings + _sum_leaks(features, answer, rows, halves)


def _suspicion(name: str, what: str) -> Finding:
    advice = "if it is not known when a prediction is asked for, leave it out: --drop"
    return finding("leak", name, f"alone, on rows not seen before, it {what}; {advice}")


def _class_skill(seen: Survey, rows: _Ints, labels: _Ints, first: NDArray[np.bool_]) -> float:
    """(balanced accuracy - chance) / (1 - chance), from both halves."""
    cells = _with_gaps(seen, rows)
    said = np.empty(len(rows), dtype=np.int64)
    for learned in (first, ~first):
        rule = _level_rule if seen.nature == "string" else _tree_rule
        said[~learned] = rule(cells[learned], labels[learned], cells[~learned])
    classes = int(labels.max()) + 1
    right = np.bincount(labels[said == labels], minlength=classes) / np.bincount(labels, minlength=classes)
    return float((right.mean() - 1 / classes) / (1 - 1 / classes))


def _amount_share(seen: Survey, rows: _Ints, ranks: Series, first: NDArray[np.bool_]) -> float:
    """R² of the target's ranks, from both halves."""
    cells = seen.series[rows]
    rule = _mean_rule if seen.nature == "string" else _neighbour_rule
    said = np.empty(len(rows))
    for learned in (first, ~first):
        # A gap says what gaps say; until one was seen, nothing.
        gaps = ranks[learned & np.isnan(cells)]
        said[~learned] = gaps.mean() if len(gaps) else ranks[learned].mean()
        given, asked = learned & ~np.isnan(cells), ~learned & ~np.isnan(cells)
        if given.any():
            said[asked] = rule(cells[given], ranks[given], cells[asked])
    return float(1 - np.sum((ranks - said) ** 2) / np.sum((ranks - ranks.mean()) ** 2))


def _sum_leaks(
    features: Sequence[Survey], answer: Series, rows: _Ints, first: NDArray[np.bool_]
) -> list[Finding]:
    """Columns whose weighted sum is the target, exactly: parts of a total, both sides of a difference."""
    parts = [seen for seen in features if seen.nature in NUMERIC and not seen.missing.any()]
    if not 2 <= len(parts) <= min(MAX_SUM_COLUMNS, len(rows) // 4):
        return []
    matrix = np.column_stack([seen.series[rows] for seen in parts])
    spread = matrix.std(axis=0)
    matrix = (matrix - matrix.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    goal = (answer - answer.mean()) / answer.std()
    weights = np.linalg.lstsq(matrix[first], goal[first], rcond=None)[0]
    if np.abs(matrix[~first] @ weights - goal[~first]).max() > EXACT_SHARE:
        return []
    names = [seen.name for seen, weight in zip(parts, weights, strict=True) if abs(weight) > EXACT_SHARE]
    if not 2 <= len(names) <= MAX_SUMMANDS:
        return []
    shown = ", ".join(repr(name) for name in names)
    return [
        finding(
            "leak-together",
            names[0],
            f"{shown} add up to the target exactly (weighted); leave out with --drop",
        )
    ]


def _with_gaps(seen: Survey, rows: _Ints) -> Series:
    """The cells as comparable numbers; a gap is a value of its own, below all others."""
    cells = seen.series[rows]
    lowest = float(seen.present.min())
    return np.where(np.isnan(cells), lowest - 1 - abs(lowest), cells)


def _halves_by_class(labels: _Ints) -> NDArray[np.bool_]:
    """True for every other row of each class, so that a rare class is in both halves."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(labels.max() + 1))
    halves = np.empty(len(labels), dtype=bool)
    halves[order] = (np.arange(len(labels)) - starts[labels[order]]) % 2 == 0
    return halves


def _level_rule(cells: Series, labels: _Ints, asked: Series) -> _Ints:
    """The weightiest class of each level; class 0 for a level not seen."""
    values, place = np.unique(cells, return_inverse=True)
    table = np.zeros((len(values), int(labels.max()) + 1))
    np.add.at(table, (place, labels), _class_weights(labels))
    known = np.searchsorted(values, asked).clip(max=len(values) - 1)
    said: _Ints = np.where(values[known] == asked, table.argmax(axis=1)[known], 0)
    return said


def _tree_rule(cells: Series, labels: _Ints, asked: Series) -> _Ints:
    """A classification tree (Gini, balanced classes) on one column, with at most two leaves a class."""
    order = np.argsort(cells, kind="stable")
    cells, labels = cells[order], labels[order]
    classes = int(labels.max()) + 1
    weights = np.zeros((len(cells) + 1, classes))
    weights[np.arange(len(cells)) + 1, labels] = _class_weights(labels)
    totals = weights.cumsum(axis=0)
    bounds = _leaf_bounds(totals, np.flatnonzero(cells[1:] != cells[:-1]) + 1, leaves=2 * classes)
    leaves = [int((totals[high] - totals[low]).argmax()) for low, high in pairwise(bounds)]
    thresholds = [(cells[cut - 1] + cells[cut]) / 2 for cut in bounds[1:-1]]
    return np.asarray(leaves, dtype=np.int64)[np.searchsorted(thresholds, asked)]


def _leaf_bounds(totals: NDArray[np.float64], edges: _Ints, *, leaves: int) -> list[int]:
    """Where leaves begin and end, cutting where it purifies most first.

    ``totals``, shape (rows + 1, classes): class weights before each row. ``edges``: where a cut may be.
    """
    bounds = [0, len(totals) - 1]
    open_cuts = [_best_cut(totals, edges, bounds[0], bounds[1])]
    while len(bounds) <= leaves:
        gain, cut, low, high = max(open_cuts)
        if gain <= 0:
            break
        open_cuts.remove((gain, cut, low, high))
        open_cuts += [_best_cut(totals, edges, low, cut), _best_cut(totals, edges, cut, high)]
        bounds.append(cut)
    return sorted(bounds)


def _best_cut(totals: NDArray[np.float64], edges: _Ints, low: int, high: int) -> tuple[float, int, int, int]:
    """The gain of purity by the best cut between two rows, the cut, and the rows; gain 0 without one."""
    inside = edges[np.searchsorted(edges, low, side="right") : np.searchsorted(edges, high)]
    if len(inside) == 0:
        return (0.0, low, low, high)
    purity = _purity(totals[inside] - totals[low]) + _purity(totals[high] - totals[inside])
    best = int(purity.argmax())
    gain = float(purity[best] - _purity((totals[high] - totals[low])[None])[0])
    return (gain, int(inside[best]), low, high)


def _purity(weights: NDArray[np.float64]) -> Series:
    """Weight times the sum of squared class shares."""
    squares: Series = (weights**2).sum(axis=1) / weights.sum(axis=1)
    return squares


def _mean_rule(levels: Series, ranks: Series, asked: Series) -> Series:
    """The mean rank of each level; of all, for a level not seen."""
    values, means = _level_means(levels, ranks)
    known = np.searchsorted(values, asked).clip(max=len(values) - 1)
    said: Series = np.where(values[known] == asked, means[known], ranks.mean())
    return said


def _neighbour_rule(cells: Series, ranks: Series, asked: Series) -> Series:
    """The mean ranks of the two nearest cells, interpolated."""
    said: Series = np.interp(asked, *_level_means(cells, ranks))
    return said


def _level_means(cells: Series, ranks: Series) -> tuple[Series, Series]:
    values, place = np.unique(cells, return_inverse=True)
    return values, np.bincount(place, weights=ranks) / np.bincount(place)


def _class_weights(labels: _Ints) -> Series:
    counts = np.bincount(labels)
    weights: Series = 1 / counts[labels]
    return weights


def _mean_ranks(values: Series) -> Series:
    """Ranks from 0, ties sharing their mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    means = counts.cumsum() - (counts + 1) / 2
    return means[place]
