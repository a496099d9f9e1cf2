"""Quality that may be looked at after every label: intervals and alarms that hold at all times together."""

from collections.abc import Sequence

import msgspec

from siklus.stats.intervals import LEVEL, Bounds, Estimate
from siklus.stats.losses import Floats, Truth

STARTS = 60  # the latest steps from which quality may have fallen
BURN_IN = 100  # rows below which nothing is said: an asymptotic interval is not to be believed earlier
TUNED_FOR = 1000  # rows at which the bounds are nearest to those of a single look


class FloorEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """ln of the evidence that the metric is beyond its floor, over the last starts; alarm from the threshold on.

    ``since``: the start that speaks most, in steps ago (1: the last); None where no start has enough rows.
    """

    log_evidence: float
    log_threshold: float
    since: int | None

    @property
    def alarm(self) -> bool:
        return self.log_evidence >= self.log_threshold


def anytime_level(rows: int, *, level: float = LEVEL, tuned_for: int = TUNED_FOR) -> float:
    """The level at which an interval of ``rows`` rows must be taken, so that all looks together hold ``level``."""
    raise NotImplementedError


def anytime_estimate(
    name: str, y: Truth, predictions: Floats, *, seed: int, level: float = LEVEL
) -> Estimate:
    """The metric with bounds that hold at every number of rows at once; arguments as `intervals.estimate`.

    Bounds None: below BURN_IN rows, or a metric whose interval is simulated (calibration_error).
    """
    raise NotImplementedError


def proportion_sequence(hits: int, rows: int, *, level: float) -> Bounds:
    """Of a proportion, at every number of rows at once; exact."""
    raise NotImplementedError


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

    ``starts``: the row at which each of the last steps begins, ascending. ``threshold``: (steps in a month) ÷
    (false alarms allowed in a month), such as 4320 / 0.05.
    """
    raise NotImplementedError
