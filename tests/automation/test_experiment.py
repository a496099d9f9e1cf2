"""Two arms on different requests: who does better, at any look, and nothing is said of a broken split."""

import numpy as np
import pytest
from scipy import stats

from siklus.automation.rollout.experiment import OUTCOME, ArmRows, experiment_result
from siklus.stats.allocation import Stage, allocation_evidence


def sold(hits: int, rows: int) -> ArmRows:
    """Sales among answered rows, in two classes; what was foretold does not matter for them."""
    return ArmRows(np.repeat([1, 0], [hits, rows - hits]), np.full((rows, 2), 0.5))


def minutes(rows: int, *, off: float, seed: int) -> ArmRows:
    """A regression whose mean absolute error is ``off``."""
    rng = np.random.default_rng(seed)
    return ArmRows(np.zeros(rows), rng.normal(scale=off / np.sqrt(2 / np.pi), size=rows))


def test_more_sales_are_better_unless_less_is_wanted() -> None:
    arms = {"challenger": sold(300, 2000), "champion": sold(200, 2000)}
    more = experiment_result(OUTCOME, **arms)
    assert (more.verdict, more.measured, more.rows) == ("better", "outcome", (2000, 2000))
    assert more.estimate == pytest.approx(0.05)
    assert experiment_result(OUTCOME, **arms, wanted="less").verdict == "worse"


def test_little_evidence_says_nothing() -> None:
    result = experiment_result(OUTCOME, challenger=sold(12, 100), champion=sold(10, 100))
    assert result.verdict == "unclear"
    assert result.low < 0 < result.high


def test_a_smaller_error_is_better_whatever_the_metric_is_called() -> None:
    good, bad = minutes(3000, off=8, seed=0), minutes(3000, off=10, seed=1)
    for metric, measured in (
        ("mae", "mae"),
        ("median_absolute_error", "mae"),
        ("rmse", "rmse"),
        ("r2", "rmse"),
    ):
        result = experiment_result(metric, challenger=good, champion=bad)
        assert (result.verdict, result.measured) == ("better", measured)
        assert experiment_result(metric, challenger=bad, champion=good).verdict == "worse"


def test_classes_are_compared_by_right_answers() -> None:
    truth = np.tile([0, 1, 2, 1], 1000)
    right = np.eye(3)[truth]
    half = right.copy()
    half[::2] = np.roll(half[::2], 1, axis=1)
    result = experiment_result(
        "accuracy", challenger=ArmRows(truth, half), champion=ArmRows(truth[:300], right[:300])
    )
    assert (result.means, result.estimate, result.verdict) == ((0.5, 0.0), 0.5, "worse")


def test_the_outcome_of_three_classes_has_no_mean() -> None:
    with pytest.raises(ValueError, match="more than two classes"):
        experiment_result(OUTCOME, challenger=ArmRows(np.array([2]), np.eye(3)[:1]), champion=sold(1, 2))


def test_a_split_that_is_off_leaves_every_verdict_open() -> None:
    off = allocation_evidence([Stage(counts=(2000, 3000), shares=(0.5, 0.5))])
    result = experiment_result(OUTCOME, challenger=sold(300, 2000), champion=sold(200, 2000), allocation=off)
    assert result.mismatch
    assert result.verdict == "unclear"


def test_nothing_is_said_before_there_are_rows() -> None:
    nothing = ArmRows(np.array([]), np.array([]))
    result = experiment_result("mae", challenger=nothing, champion=nothing)
    assert (result.estimate, result.means, result.verdict) == (None, (None, None), "unclear")


def test_experiments_between_equals_hardly_ever_end_in_a_verdict() -> None:
    rng = np.random.default_rng(3)
    decided = repeated = 0
    for _ in range(100):
        sales = rng.random((2, 3000)) < 0.1
        looks = range(150, 3001, 150)
        found = [
            experiment_result(
                OUTCOME,
                challenger=ArmRows(sales[0, :n].astype(np.int64), np.empty((n, 2))),
                champion=ArmRows(sales[1, : 3 * n].astype(np.int64), np.empty((3 * n, 2))),
            )
            for n in looks
        ]
        decided += any(result.verdict != "unclear" for result in found)
        repeated += any(
            stats.ttest_ind(sales[0, :n], sales[1, : 3 * n], equal_var=False).pvalue < 0.05 for n in looks
        )
    assert decided <= 5
    assert repeated >= 10
