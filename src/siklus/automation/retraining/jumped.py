"""Outcomes that jumped: labels whose distribution moved further than any world does in between. Pure.

A model that is a little wrong is why one trains anew. A model that suddenly seems wrong about most rows is
more often a bug of the labels: another unit, classes swapped, a join that gives everybody the same. So the
outcomes are held against what the champion says of the same rows, and that against the same two on its own
test rows, which takes out how it was biased then, and what the features explain now:

- classes: how much the share of any class has moved beyond what was predicted, summed over the classes that
  have grown (total variation); a jump above LEAP_OF_SHARES;
- numbers: how far the median has moved beyond the median of what was predicted, in interquartile ranges of
  the reference's outcomes, above LEAP_OF_MEDIAN; or their interquartile range, beyond that of what was
  predicted, by more than a factor of LEAP_OF_RANGE.

What was seen is lessened by the error of that many labels at ERROR_RATE first, so that chance alone passes a
leap in at most that share of trainings.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from siklus.automation.retraining.guards import ERROR_RATE
from siklus.automation.retraining.retrained import Finding
from siklus.stats.losses import Floats

FEWEST_JUDGED = 100  # labels
LEAP_OF_SHARES = 0.2
LEAP_OF_MEDIAN = 1.0
LEAP_OF_RANGE = 4.0
# Standard errors of a normal sample's quartiles, in interquartile ranges: of the median, of the range's log.
MEDIAN_ERROR = 0.93
LOG_RANGE_ERROR = 1.17


@dataclass(frozen=True)
class Told:
    """Outcomes and what a model says of the same rows.

    Classes: indices, shape (rows,), and probabilities, shape (rows, classes). Numbers: both of shape (rows,).
    """

    truth: NDArray[Any]
    said: Floats

    def __len__(self) -> int:
        return len(self.truth)


def jumped(now: Told, reference: Told, *, classify: bool) -> Finding | None:
    """A finding that blocks, or None. Without at least 100 labels on either side nothing is said."""
    if min(len(now), len(reference)) < FEWEST_JUDGED:
        return None
    return _shares(now, reference) if classify else _numbers(now, reference)


def _shares(now: Told, reference: Told) -> Finding | None:
    moved = _beyond(now) - _beyond(reference)
    grown = float(np.clip(moved, 0, None).sum())
    lessened = grown - _quantile() * float(np.hypot(_share_error(now), _share_error(reference)))
    if lessened <= LEAP_OF_SHARES:
        return None
    return _finding(
        now,
        f"{grown:.0%} of {len(now):,} outcomes are of classes that the features do not speak for",
        value=grown,
        bound=LEAP_OF_SHARES,
    )


def _beyond(told: Told) -> Floats:
    classes = told.said.shape[1]
    shares = np.bincount(told.truth.astype(np.int64), minlength=classes) / len(told)
    beyond: Floats = shares - told.said.mean(axis=0)
    return beyond


def _share_error(told: Told) -> float:
    """Of the sum over any set of classes: at most that of a share of one half."""
    return 0.5 / float(np.sqrt(len(told)))


def _numbers(now: Told, reference: Told) -> Finding | None:
    unit = _range(reference.truth)
    if unit == 0:
        return None  # nothing that could be told from: all reference outcomes are alike
    moved = (_median_gap(now) - _median_gap(reference)) / unit
    error = MEDIAN_ERROR * float(np.hypot(len(now) ** -0.5, len(reference) ** -0.5))
    if abs(moved) - _quantile() * error > LEAP_OF_MEDIAN:
        message = f"the median of {len(now):,} outcomes moved by {moved:+.3g} interquartile ranges"
        told = f"{message} beyond what the features explain"
        return _finding(now, told, value=abs(moved), bound=LEAP_OF_MEDIAN)
    factor = _widened(now, reference)
    reach = LOG_RANGE_ERROR * _quantile() * float(np.hypot(len(now) ** -0.5, len(reference) ** -0.5))
    if abs(np.log(factor)) - reach > np.log(LEAP_OF_RANGE):
        told = f"the spread of {len(now):,} outcomes is {factor:.3g} times what the features explain"
        return _finding(now, told, value=factor, bound=LEAP_OF_RANGE)
    return None


def _widened(now: Told, reference: Told) -> float:
    """By which factor the outcomes spread, beyond what was predicted (which may not spread at all)."""
    smallest = 1e-9 * _range(reference.truth)
    outcomes, before = (max(_range(told.truth), smallest) for told in (now, reference))
    said, said_before = _range(now.said), _range(reference.said)
    explained = said / said_before if min(said, said_before) > smallest else 1.0
    return outcomes / before / explained


def _median_gap(told: Told) -> float:
    return float(np.median(told.truth) - np.median(told.said))


def _range(values: NDArray[Any]) -> float:
    low, high = np.quantile(values, (0.25, 0.75))
    return float(high - low)


def _quantile() -> float:
    return -float(ndtri(ERROR_RATE / 2))


def _finding(now: Told, message: str, *, value: float, bound: float) -> Finding:
    return Finding(guard="label-prior", message=message, rows=len(now), value=value, bound=bound, blocks=True)
