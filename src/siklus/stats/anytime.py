"""Quality that may be looked at after every label: intervals and alarms that hold at all times together.

An interval at 95 % that is drawn anew with every label excludes the truth sooner or later. Two remedies:

*Bounds.* A confidence sequence covers the truth at every number of rows at once. For accuracy (and precision
and recall of two classes) it is exact: the shares p that a mixture of bets cannot refute, those with
ln B(h + ½, n − h + ½) − ln B(½, ½) − h ln p − (n − h) ln(1 − p) < ln(1/α) (Robbins, Annals of Mathematical
Statistics 41, 1970). For all other metrics it is asymptotic: the interval of `siklus.stats.intervals`, taken
at the level that a normal mixture's boundary asks for at n rows (Waudby-Smith et al., arXiv 2103.06476).

*Alarms.* From each of the last steps as the start s of a possible fall, an e-value against "the metric is at
least as good as its floor": bets of the same two kinds, on the worse side only. As long as that is so, their
sum over the starts grows by at most 1 a step on average, whence in T steps it reaches A with a chance of at
most T/A (Shiryaev and Roberts; as e-detectors: Shin, Ramdas & Rinaldo, arXiv 2203.03532).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.special import betainc, betaln, log_ndtr, logit, logsumexp, ndtr, ndtri, xlog1py, xlogy

from siklus.stats.confusion import confusion_matrix
from siklus.stats.intervals import LEVEL, Bounds, Estimate, estimate
from siklus.stats.losses import Floats, Truth
from siklus.stats.scores import AREAS, METRICS, RATES, score

STARTS = 60  # the latest steps from which quality may have fallen
BURN_IN = 100  # rows: an asymptotic interval says nothing on fewer
TUNED_FOR = 1000  # rows at which bounds and alarms lose least against those of a single look
PRIOR = 0.5  # of the mixture of bets on a proportion, to either side
EXACT = frozenset({"accuracy", "precision", "recall"})  # the latter two where there are two classes
SIMULATED = frozenset({"calibration_error"})  # its interval is drawn, and not finely enough for these levels
NEAREST_TO_AN_END = 1e-12  # of a score between 0 and 1, so that its logit is finite
SMALLEST_LOSS = 1e-300


class FloorEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """ln of the evidence that the metric is beyond its floor, over the last starts.

    ``since``: the start that speaks most, in steps ago (1: the last); None where no start has enough rows.
    """

    log_evidence: float
    log_threshold: float
    since: int | None

    @property
    def alarm(self) -> bool:
        return self.log_evidence >= self.log_threshold


class Proportion(NamedTuple):
    """``hits`` of ``rows``."""

    hits: int
    rows: int


def anytime_estimate(
    name: str, y: Truth, predictions: Floats, *, seed: int, level: float = LEVEL
) -> Estimate:
    """The metric with bounds that hold at every number of rows at once; arguments as `intervals.estimate`.

    Bounds None: fewer than BURN_IN rows where they are asymptotic, or a metric of SIMULATED.
    """
    counted = _proportion(name, y, predictions)
    if counted is not None:
        low, high = proportion_sequence(counted.hits, counted.rows, level=level)
        return Estimate(value=score(name, y, predictions), low=low, high=high)
    if len(y) < BURN_IN or name in SIMULATED:
        return Estimate(value=score(name, y, predictions))
    return estimate(name, y, predictions, seed=seed, level=anytime_level(len(y), level=level))


def anytime_level(rows: int, *, level: float = LEVEL, tuned_for: int = TUNED_FOR) -> float:
    """At which level to take an interval of ``rows`` ≥ 1 rows, so that all looks together hold ``level``.

    >>> round(anytime_level(1000), 4)
    0.9976
    """
    alpha = 1 - level
    scale = rows * (1 - 2 * np.log(alpha) + np.log(-2 * np.log(alpha))) / tuned_for
    z = np.sqrt(2 * (scale + 1) / scale * np.log(np.sqrt(scale + 1) / alpha))
    return float(1 - 2 * ndtr(-z))


def proportion_sequence(hits: int, rows: int, *, level: float = LEVEL) -> Bounds:
    """Of the chance of a hit, holding at every number of rows at once; exact; (0, 1) for no rows."""
    if rows == 0:
        return 0.0, 1.0
    reach = betaln(hits + PRIOR, rows - hits + PRIOR) - betaln(PRIOR, PRIOR) + np.log(1 - level)

    def refuted(share: float) -> bool:
        return bool(xlogy(hits, share) + xlog1py(rows - hits, -share) < reach)

    low, high = 0.0, 1.0
    if hits > 0:
        low = _edge(inside=hits / rows, outside=0.0, refuted=refuted)
    if hits < rows:
        high = _edge(inside=hits / rows, outside=1.0, refuted=refuted)
    return low, high


def floor_evidence(
    name: str,
    y: Truth,
    predictions: Floats,
    *,
    starts: Sequence[int],
    floor: float,
    threshold: float,
) -> FloorEvidence:
    """Is the metric ``name`` worse than ``floor``? Rows in the order in which their outcomes came.

    ``starts``: the row at which each step begins, ascending; steps without rows and those before the last
    60 are left out. ``threshold``: steps in a month ÷ false alarms allowed in a month, such as 4320 / 0.05.
    """
    latest = [start for start in sorted(set(starts)) if start < len(y)][-STARTS:]
    each = [log_floor_evidence(name, y[start:], predictions[start:], floor=floor) for start in latest]
    told = np.array([0.0 if found is None else found for found in each])  # e = 1 where nothing can be said
    silent = all(found is None for found in each)
    return FloorEvidence(
        log_evidence=float(logsumexp(told)) if latest else -np.inf,
        log_threshold=float(np.log(threshold)),
        since=None if silent else len(latest) - int(told.argmax()),
    )


def log_floor_evidence(name: str, y: Truth, predictions: Floats, *, floor: float) -> float | None:
    """ln of the e-value of these rows against "the metric is at least as good as ``floor``".

    None, where they say nothing: as in `anytime_estimate`, or the metric is undefined on them.
    """
    counted = _proportion(name, y, predictions)
    if counted is not None:
        return log_shortfall(counted, floor) if counted.rows else None
    if len(y) < BURN_IN or name in SIMULATED:
        return None
    found = estimate(name, y, predictions, seed=0, level=LEVEL)
    errors = _errors_beyond(name, found, floor)
    return None if errors is None else _log_mixture(errors, len(y))


def log_shortfall(counted: Proportion, floor: float) -> float:
    """ln e that a hit's chance is below ``floor``: bets on all such, in Jeffreys' proportions. Exact.

    −inf where it is too small for a float, which it is only long after it has stopped to matter.
    """
    if floor <= 0:
        return 0.0  # nothing is worse
    hits, misses, floor = counted.hits, counted.rows - counted.hits, min(floor, 1.0)
    with np.errstate(divide="ignore"):
        below = np.log(betainc(hits + PRIOR, misses + PRIOR, floor) / betainc(PRIOR, PRIOR, floor))
    bets = betaln(hits + PRIOR, misses + PRIOR) - betaln(PRIOR, PRIOR) + below
    return float(bets - xlogy(hits, floor) - xlog1py(misses, -floor))


def _proportion(name: str, y: Truth, predictions: Floats) -> Proportion | None:
    """The metric as hits of rows, where it is one."""
    if name not in EXACT or (name != "accuracy" and predictions.shape[1] != 2):
        return None
    if not len(y) or not np.isfinite(predictions).all():
        return Proportion(0, 0)
    matrix = confusion_matrix(y, predictions)
    if name == "accuracy":
        return Proportion(int(matrix.trace()), len(y))
    return Proportion(int(matrix[1, 1]), int((matrix[:, 1] if name == "precision" else matrix[1]).sum()))


def _edge(*, inside: float, outside: float, refuted: Callable[[float], bool]) -> float:
    """The end of the shares that are not refuted, between one that is not and the end of all."""
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if refuted(middle) else (middle, outside)
    return outside


def _errors_beyond(name: str, found: Estimate, floor: float) -> float | None:
    """By how many standard errors the metric is worse than ``floor``, on the scale of its interval."""
    better_end = found.high if METRICS[name].greater_is_better else found.low
    if found.value is None or better_end is None:
        return None
    error = (_badness(name, found.value) - _badness(name, better_end)) / ndtri((1 + LEVEL) / 2)
    return (_badness(name, found.value) - _badness(name, floor)) / error if error > 0 else None


def _badness(name: str, value: float) -> float:
    """On this scale intervals are symmetric, and greater is worse."""
    if name == "r2":
        return float(np.log(max(1 - value, SMALLEST_LOSS)))
    if name in RATES or name in AREAS:
        return -float(logit(np.clip(value, NEAREST_TO_AN_END, 1 - NEAREST_TO_AN_END)))
    return float(np.log(max(value, SMALLEST_LOSS)))


def _log_mixture(errors: float, rows: int) -> float:
    """Bets on all shifts to the worse side, in the proportions of half a normal law."""
    told = rows / (rows + TUNED_FOR)
    tail = log_ndtr(errors * np.sqrt(told))
    return float(np.log(2) + np.log(1 - told) / 2 + errors**2 / 2 * told + tail)
