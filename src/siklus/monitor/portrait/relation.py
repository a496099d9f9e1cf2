"""What a column says about the target, by itself: the target in each group of the column's values."""

from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from siklus.contract.columns import Task
from siklus.contract.survey import Series, Survey
from siklus.monitor.portrait.column import value_text
from siklus.monitor.portrait.grouping import Groups, groups_of
from siklus.stats.intervals import LEVEL, wilson

TOLD_CLASSES = 5  # of three and more, the most frequent ones; of two, the second alone says it all

Ints: TypeAlias = NDArray[np.int64]


class TargetInGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The target among some rows: its mean, or the share of a class, 0 to 1; the interval at 95 %.

    All None where there is no row, the bounds None where there are too few.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


class ByClass(msgspec.Struct, frozen=True, kw_only=True):
    """The share of one class, or (``name`` None) the mean of the target, in each group."""

    name: str | None
    in_groups: tuple[TargetInGroup, ...]


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """The target by groups of a column's values, over the rows that have a target.

    ``information``: mutual information of the groups and the target's classes (of a number: its ten quantile
    groups) as a share of the target's entropy, 0 to 1, less what chance alone would give. ``special``: how
    many of the last groups stand apart: all other words, missing cells.
    """

    information: float
    groups: tuple[str, ...]
    rows: tuple[int, ...]
    ordered: bool
    special: int
    told: tuple[ByClass, ...]


def relation(seen: Survey, target: Survey, *, task: Task) -> Relation | None:
    """None where the column's cells cannot be told apart, or no row has a target."""
    groups = groups_of(seen)
    given = ~target.missing
    if groups is None or not given.any():
        return None
    place, answers = groups.place[given], target.series[given]
    classes = (
        np.unique(answers, return_inverse=True)[1] if task == "classification" else _tenths(target, given)
    )
    return Relation(
        information=information(place, classes),
        groups=groups.labels,
        rows=tuple(np.bincount(place, minlength=len(groups.labels)).tolist()),
        ordered=groups.ordered,
        special=groups.special,
        told=_shares(groups, place, target, answers)
        if task == "classification"
        else _means(groups, place, answers),
    )


def information(one: Ints, other: Ints) -> float:
    """Mutual information of two groupings, shape (rows,), as a share of the entropy of ``other``, 0 to 1.

    Miller and Madow's (r − 1)(c − 1) / 2n, which unrelated groupings have on average, is taken off.
    """
    rows, columns = int(one.max()) + 1, int(other.max()) + 1
    table = np.bincount(one * columns + other, minlength=rows * columns).reshape(rows, columns)
    by_one, by_other = table.sum(axis=1), table.sum(axis=0)
    mutual = _entropy(by_one) + _entropy(by_other) - _entropy(table.ravel())
    chance = ((by_one > 0).sum() - 1) * ((by_other > 0).sum() - 1) / (2 * len(one))
    whole = _entropy(by_other)
    return float(np.clip((mutual - chance) / whole, 0.0, 1.0)) if whole > 0 else 0.0


def _entropy(counts: Ints) -> float:
    """In nats."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _tenths(target: Survey, given: NDArray[np.bool_]) -> Ints:
    groups = groups_of(target)
    place = np.zeros(len(given), dtype=np.int64) if groups is None else groups.place
    return place[given]


def _shares(groups: Groups, place: Ints, target: Survey, answers: Series) -> tuple[ByClass, ...]:
    values, counts = np.unique(answers, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:TOLD_CLASSES]
    told = values[1:] if len(values) == 2 else values[np.sort(frequent)]
    rows = np.bincount(place, minlength=len(groups.labels))
    found = []
    for value in told:
        hits = np.bincount(place[answers == value], minlength=len(groups.labels))
        pairs = zip(hits.tolist(), rows.tolist(), strict=True)
        in_groups = tuple(_share(hit, of) for hit, of in pairs)
        found.append(ByClass(name=value_text(target, float(value)), in_groups=in_groups))
    return tuple(found)


def _share(hits: int, rows: int) -> TargetInGroup:
    bounds = wilson(hits, rows, level=LEVEL)
    return (
        TargetInGroup() if bounds is None else TargetInGroup(value=hits / rows, low=bounds[0], high=bounds[1])
    )


def _means(groups: Groups, place: Ints, answers: Series) -> tuple[ByClass, ...]:
    cells = [answers[place == group] for group in range(len(groups.labels))]
    return (ByClass(name=None, in_groups=tuple(_mean(found) for found in cells)),)


def _mean(values: Series) -> TargetInGroup:
    """With Student's interval."""
    if not len(values):
        return TargetInGroup()
    mean = float(values.mean())
    if len(values) == 1:
        return TargetInGroup(value=mean)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    reach = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * error
    return TargetInGroup(value=mean, low=mean - reach, high=mean + reach)
