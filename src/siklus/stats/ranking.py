"""Areas under ranking curves, each with what every row contributes to its error.

The contributions are the infinitesimal jackknife: the sum of their squares is the variance of the area.
For the ROC area that is DeLong's variance (Biometrics 44, 1988, by ranks as in Sun & Xu, IEEE SPL 2014).
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.stats.losses import Classes, Floats

Flags: TypeAlias = NDArray[np.bool_]


class Area(NamedTuple):
    """``value``, between 0 and 1; ``parts``, shape (rows,): the sum of their squares is its variance.

    ``fewest``: rows in the smallest of the groups that were told apart.
    """

    value: float
    parts: Floats
    fewest: int


class Curve(NamedTuple):
    """Corners of a ROC curve, from (0, 0) to (1, 1); both shape (points,)."""

    false_positive_rate: Floats
    true_positive_rate: Floats


AreaOf: TypeAlias = Callable[[Flags, Floats], Area]


def roc_area(positive: Flags, scores: Floats) -> Area:
    """The chance that a positive row outscores a negative one, ties counting half. Both kinds must occur."""
    hits, misses = int(positive.sum()), int((~positive).sum())
    everywhere = ranks(scores)
    # Of each row: the share of the other kind that it stands right to.
    above = (everywhere[positive] - ranks(scores[positive])) / misses
    below = 1.0 - (everywhere[~positive] - ranks(scores[~positive])) / hits
    value = float(above.mean())
    parts = np.empty(len(scores))
    parts[positive] = (above - value) / np.sqrt(hits * max(hits - 1, 1))
    parts[~positive] = (below - value) / np.sqrt(misses * max(misses - 1, 1))
    return Area(value, parts, min(hits, misses))


def precision_area(positive: Flags, scores: Floats) -> Area:
    """Average precision: the mean, over positive rows, of the precision at that row's score.

    ``parts`` differentiate it by the weight of each row. Both kinds must occur.
    """
    levels, place = np.unique(-scores, return_inverse=True)  # ascending: the highest score first
    gained = np.bincount(place[positive], minlength=len(levels)).astype(np.float64)
    taken = np.cumsum(np.bincount(place, minlength=len(levels))).astype(np.float64)
    found = np.cumsum(gained)
    precision = found / taken
    hits = found[-1]
    value = float((gained * precision).sum() / hits)
    # A row counts in the precision at its own score and at every lower one.
    as_found = _from_here_down(gained / taken)
    as_taken = _from_here_down(gained * found / taken**2)
    own = np.where(positive, precision[place] - value + as_found[place], 0.0)
    parts = (own - as_taken[place]) / hits
    return Area(value, parts, int(min(hits, len(scores) - hits)))


def over_classes(area_of: AreaOf, y: Classes, probabilities: Floats) -> Area | None:
    """Two classes: class 1's area. More: the mean over the classes in ``y`` of each against the rest.

    None when ``y`` holds a single class.
    """
    present = np.unique(y)
    if len(present) < 2:
        return None
    judged = np.array([1]) if probabilities.shape[1] == 2 else present
    areas = [area_of(y == c, probabilities[:, c]) for c in judged]
    value = sum(area.value for area in areas) / len(areas)
    parts = np.sum([area.parts for area in areas], axis=0) / len(areas)
    return Area(value, parts, min(area.fewest for area in areas))


def roc_curve(positive: Flags, scores: Floats, *, most: int) -> Curve:
    """The ROC curve at no more than ``most`` (≥ 2) points, evenly spread along it. Both kinds must occur."""
    levels, place = np.unique(-scores, return_inverse=True)
    hits = np.cumsum(np.bincount(place[positive], minlength=len(levels))) / positive.sum()
    false_alarms = np.cumsum(np.bincount(place[~positive], minlength=len(levels))) / (~positive).sum()
    x, y = np.concatenate([[0.0], false_alarms]), np.concatenate([[0.0], hits])
    if len(x) > most:
        kept = np.unique(np.searchsorted(x + y, np.linspace(0.0, 2.0, most)).clip(max=len(x) - 1))
        x, y = x[kept], y[kept]
    return Curve(x, y)


def ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])


def _from_here_down(values: Floats) -> Floats:
    return np.cumsum(values[::-1])[::-1]
