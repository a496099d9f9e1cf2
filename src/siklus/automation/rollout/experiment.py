"""An experiment: two arms answer different requests for as long as somebody likes. Which does better? Pure.

The result may be looked at after every outcome: its interval holds at all looks together, so an experiment
may be stopped as soon as it says something, and an error of 5 % stays one.
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct

from siklus.stats.allocation import AllocationEvidence
from siklus.stats.intervals import LEVEL
from siklus.stats.losses import Floats, Truth
from siklus.stats.paired import loss_of, row_losses
from siklus.stats.unpaired import separate_means

Verdict: TypeAlias = Literal["better", "worse", "unclear"]
Wanted: TypeAlias = Literal["more", "less"]

OUTCOME = "outcome"  # in place of a metric: what came true itself, such as a sale


class ArmRows(NamedTuple):
    """Answered rows of one arm whose outcome is known: ``outcomes`` of shape (rows,), ``predictions`` as
    `siklus.stats.scores.Metric` says."""

    outcomes: Truth
    predictions: Floats


class ExperimentResult(Struct, frozen=True, kw_only=True):
    """What is known of (challenger, champion); ``estimate`` is the challenger's mean less the champion's.

    ``measured``: what was averaged, the name of a loss or `outcome`; ``wanted``: is more of it better?
    ``low`` and ``high`` bound the difference at ``level``, at all looks together; None: too few rows.
    ``allocation``: whether requests were dealt as meant, None where that is not known.
    """

    measured: str
    wanted: Wanted
    rows: tuple[int, int]
    means: tuple[float | None, float | None]
    estimate: float | None
    low: float | None
    high: float | None
    level: float
    allocation: AllocationEvidence | None = None

    @property
    def mismatch(self) -> bool:
        """Requests did not fall to the arms as they should: then nothing can be said of either."""
        return self.allocation is not None and self.allocation.mismatch

    @property
    def verdict(self) -> Verdict:
        """Of the challenger."""
        if self.mismatch or self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "unclear"
        return "better" if (self.low > 0) == (self.wanted == "more") else "worse"


def experiment_result(
    metric: str,
    *,
    challenger: ArmRows,
    champion: ArmRows,
    allocation: AllocationEvidence | None = None,
    wanted: Wanted | None = None,
    level: float = LEVEL,
) -> ExperimentResult:
    """Compare both arms on the loss that stands for ``metric`` (`paired.loss_of`), or on the mean outcome.

    ``wanted`` is for the outcome: more of it (the default), or less. ValueError: the outcome of more than two
    classes, which has no mean.
    """
    measured = OUTCOME if metric == OUTCOME else loss_of(metric)
    found = separate_means(_values(metric, challenger), _values(metric, champion), level=level)
    return ExperimentResult(
        measured=measured,
        wanted=(wanted or "more") if metric == OUTCOME else "less",
        rows=found.rows,
        means=found.means,
        estimate=found.difference,
        low=found.low,
        high=found.high,
        level=level,
        allocation=allocation,
    )


def _values(metric: str, rows: ArmRows) -> Floats:
    if metric != OUTCOME:
        return row_losses(metric, rows.outcomes, rows.predictions)
    if np.issubdtype(rows.outcomes.dtype, np.integer) and len(rows.outcomes) and rows.outcomes.max() > 1:
        raise ValueError("the outcome of more than two classes has no mean")
    return np.asarray(rows.outcomes, dtype=np.float64)
