"""Columns together: how strongly each pair goes hand in hand, by the measure that fits its two kinds.

| pair | measure | range |
| --- | --- | --- |
| number and number | Spearman's rank correlation; Pearson's beside it | −1 to 1 |
| word and word | Cramér's V, corrected for chance (Bergsma, J. Korean Stat. Soc. 42, 2013) | 0 to 1 |
| number and word | correlation ratio, corrected for chance (Kelley's ε, PNAS 21, 1935) | 0 to 1 |

Each pair over the rows in which neither is missing; ranks are taken within a column. Booleans and moments are
numbers here.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.contract.cells import FLOAT32_MAX
from siklus.contract.survey import Series, Survey
from siklus.monitor.portrait.column import usable, value_text
from siklus.stats.ranking import ranks

MOST_COLUMNS = 60  # pairs grow with the square
MOST_WORDS = 100  # a column with more has too few rows of each pair to say anything
LEAST_ROWS = 10  # in fewer, any two columns look related

Measure: TypeAlias = Literal["spearman", "cramers_v", "correlation_ratio"]
Ints: TypeAlias = NDArray[np.int64]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """How two columns go together. ``pearson``: of two numbers, None where one does not vary."""

    one: str
    other: str
    measure: Measure
    value: float
    pearson: float | None = None


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """All pairs of ``columns`` that have a value, the strongest first; ``left_out``: all other columns."""

    columns: tuple[str, ...]
    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]


def together(surveys: Sequence[Survey]) -> Together:
    """Of the first 60 columns that vary and are no names of rows."""
    fit = [seen for seen in surveys if _is_number(seen) or _is_word(seen)]
    told = fit[:MOST_COLUMNS]
    numbers = [seen for seen in told if _is_number(seen)]
    words = [seen for seen in told if not _is_number(seen)]
    pairs = [
        *_number_pairs(numbers),
        *(pair for one, other in combinations(words, 2) if (pair := _word_pair(one, other))),
        *(pair for one in numbers for other in words if (pair := _mixed_pair(one, other))),
    ]
    names = {seen.name for seen in told}
    return Together(
        columns=tuple(seen.name for seen in told),
        pairs=tuple(sorted(pairs, key=lambda pair: -abs(pair.value))),
        left_out=tuple(seen.name for seen in surveys if seen.name not in names),
    )


def as_classes(seen: Survey) -> Survey:
    """Whole numbers that name three classes or more are words; of two, which is the larger says enough."""
    if seen.nature != "integer" or not 2 < seen.distinct <= MOST_WORDS:
        return seen
    values, codes = np.unique(seen.present, return_inverse=True)
    series = np.full(len(seen.series), np.nan)
    series[~seen.missing] = codes
    words = tuple(value_text(seen, float(value)) for value in values)
    return replace(seen, nature="string", series=series, words=words)


def cramers_v(table: Ints) -> float:
    """Of a table of counts, 0 to 1: Bergsma's correction, so that unrelated columns come out near 0."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    rows, columns = table.shape
    total = int(table.sum())
    if min(rows, columns) < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    phi2 = float(((table - expected) ** 2 / expected).sum()) / total
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (total - 1))
    rows_left = rows - (rows - 1) ** 2 / (total - 1)
    columns_left = columns - (columns - 1) ** 2 / (total - 1)
    most = min(rows_left, columns_left) - 1
    return min(1.0, float(np.sqrt(phi2 / most))) if most > 0 else 0.0


def correlation_ratio(values: Series, groups: Ints) -> float:
    """Of numbers in groups, 0 to 1: ε = √(1 − (SS within / (n − k)) / (SS total / (n − 1)))."""
    counts = np.bincount(groups)
    kept = counts > 0
    rows, number = len(values), int(kept.sum())
    total = float(((values - values.mean()) ** 2).sum())
    if total == 0 or rows <= number:
        return 0.0
    means = np.bincount(groups, weights=values)[kept] / counts[kept]
    between = float((counts[kept] * (means - values.mean()) ** 2).sum())
    share = 1 - ((total - between) / (rows - number)) / (total / (rows - 1))
    return float(np.sqrt(np.clip(share, 0.0, 1.0)))


def _is_number(seen: Survey) -> bool:
    return (
        seen.nature in ("boolean", "integer", "number", "moment") and len(np.unique(usable(seen.present))) > 1
    )


def _is_word(seen: Survey) -> bool:
    return seen.nature == "string" and 1 < seen.distinct <= MOST_WORDS


def _number_pairs(numbers: Sequence[Survey]) -> list[Pair]:
    if not numbers:
        return []
    plain = [np.where(np.abs(seen.series) <= FLOAT32_MAX, seen.series, np.nan) for seen in numbers]
    spearman, rows = pairwise_pearson(np.column_stack([_ranked(series) for series in plain]))
    pearson, _ = pairwise_pearson(np.column_stack(plain))
    return [
        Pair(
            one=numbers[i].name,
            other=numbers[j].name,
            measure="spearman",
            value=float(spearman[i, j]),
            pearson=float(pearson[i, j]) if np.isfinite(pearson[i, j]) else None,
        )
        for i, j in combinations(range(len(numbers)), 2)
        if rows[i, j] >= LEAST_ROWS and np.isfinite(spearman[i, j])
    ]


def pairwise_pearson(matrix: Series) -> tuple[Series, Series]:
    """Pearson's r of all columns of (rows, columns), over the rows that both have, and how many those are.

    NaN where one of them does not vary there.
    """
    with np.errstate(all="ignore"):
        spread = np.nanstd(matrix, axis=0)
        centred = (matrix - np.nanmean(matrix, axis=0)) / np.where(spread > 0, spread, 1.0)
    there = (~np.isnan(centred)).astype(np.float64)
    filled = np.nan_to_num(centred, posinf=0.0, neginf=0.0)
    rows = there.T @ there
    sums, squares = filled.T @ there, (filled**2).T @ there
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = filled.T @ filled - sums * sums.T / rows
        variance = squares - sums**2 / rows
        # What rounding leaves of no variance is none.
        variance = np.where(variance > 1e-12 * np.maximum(squares, 1e-300), variance, np.nan)
        found = covariance / np.sqrt(variance * variance.T)
    return np.clip(found, -1.0, 1.0), rows


def _ranked(series: Series) -> Series:
    found = np.full(len(series), np.nan)
    there = ~np.isnan(series)
    found[there] = ranks(series[there])
    return found


def _word_pair(one: Survey, other: Survey) -> Pair | None:
    both = ~one.missing & ~other.missing
    if both.sum() < LEAST_ROWS:
        return None
    first, second = _codes(one.series[both]), _codes(other.series[both])
    shape = int(first.max()) + 1, int(second.max()) + 1
    table = np.bincount(first * shape[1] + second, minlength=shape[0] * shape[1]).reshape(shape)
    return Pair(one=one.name, other=other.name, measure="cramers_v", value=cramers_v(table))


def _mixed_pair(number: Survey, word: Survey) -> Pair | None:
    both = ~word.missing & (np.abs(number.series) <= FLOAT32_MAX)
    if both.sum() < LEAST_ROWS:
        return None
    value = correlation_ratio(number.series[both], _codes(word.series[both]))
    return Pair(one=number.name, other=word.name, measure="correlation_ratio", value=value)


def _codes(series: Series) -> Ints:
    """Equal values as equal numbers, from 0 on without gaps."""
    return np.unique(series, return_inverse=True)[1].astype(np.int64)
