"""Two models on the same rows: the tests are scipy's, the error rates are kept, and stand-ins are said."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from siklus.stats.losses import Floats
from siklus.stats.paired import Difference, compare, loss_of, mcnemar, paired_difference, row_losses
from siklus.stats.scores import METRICS, names_of, score


def test_the_t_test_and_its_interval_are_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.exponential(size=80), rng.exponential(size=80)
    judged = stats.ttest_rel(a, b)
    expected = judged.confidence_interval(0.9)
    found = paired_difference(a, b, level=0.9)
    assert found.p == pytest.approx(judged.pvalue)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.mean, found.rows, found.level) == (pytest.approx((a - b).mean()), 80, 0.9)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 0), (3, 9), (40, 41)])
def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_rows(only_a: int, only_b: int) -> None:
    together = only_a + only_b
    expected = stats.binomtest(only_a, together).pvalue if together else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected)


def wrongs(only_a: int, only_b: int, both: int, neither: int) -> tuple[Floats, Floats]:
    a = np.repeat([1.0, 0.0, 1.0, 0.0], [only_a, only_b, both, neither])
    b = np.repeat([0.0, 1.0, 1.0, 0.0], [only_a, only_b, both, neither])
    return a, b


def test_right_and_wrong_are_compared_by_mcnemar() -> None:
    found = paired_difference(*wrongs(12, 3, 20, 65), level=0.95)
    assert found.p == mcnemar(12, 3)
    assert found.mean == pytest.approx(0.09)
    # Agresti & Min: half a row to each cell, 12.5 against 3.5 of 102.
    spread = np.sqrt(16 - 81 / 102) / 102
    assert (found.low, found.high) == pytest.approx(
        (9 / 102 - 1.959964 * spread, 9 / 102 + 1.959964 * spread)
    )
    assert found.worse


def test_two_models_that_err_alike_do_not_differ() -> None:
    losses = np.array([0.2, 3.0, 1.5])
    found = paired_difference(losses, losses, level=0.95)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert not found.worse
    same = paired_difference(*wrongs(0, 0, 5, 31), level=0.95)
    assert same.low is not None
    assert (
        same.low < same.mean == 0 < same.high
    )  # 36 rows without a difference do not prove that there is none
    assert same.p == 1


def test_one_row_says_nothing() -> None:
    found = paired_difference(np.array([3.0]), np.array([1.5]), level=0.95)
    assert (found.mean, found.low, found.high, found.p) == (1.5, None, None, 1.0)


def test_a_difference_of_the_same_size_in_every_row_is_certain() -> None:
    found = paired_difference(np.array([3.0, 4.0]), np.array([2.0, 3.0]), level=0.95)
    assert (found.low, found.high, found.p) == (1, 1, 0)


@pytest.mark.parametrize("right", [0.7, 0.9])
def test_equal_models_are_called_different_in_no_more_than_1_of_20(right: float) -> None:
    rng = np.random.default_rng(1)
    false_alarms = [
        paired_difference(*(rng.random((2, 300)) > right).astype(float), level=0.95).p < 0.05
        for _ in range(1000)
    ]
    assert np.mean(false_alarms) <= 0.07  # 0.05 and three standard errors


@pytest.mark.parametrize("rate_a", [0.1, 0.3])
def test_95_of_100_intervals_hold_the_true_difference(rate_a: float) -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(1000):
        found = paired_difference(
            (rng.random(150) < rate_a).astype(float), (rng.random(150) < 0.2).astype(float), level=0.95
        )
        assert found.low is not None
        assert found.high is not None
        held += found.low <= rate_a - 0.2 <= found.high
    assert 0.93 <= held / 1000 <= 0.98


def test_worse_means_the_first_and_significantly() -> None:
    rng = np.random.default_rng(3)
    good = np.abs(rng.normal(size=400))
    bad = good + rng.normal(0.3, 1, size=400)
    assert paired_difference(bad, good, level=0.95).worse
    assert not paired_difference(good, bad, level=0.95).worse


@pytest.mark.parametrize("name", ["accuracy", "log_loss", "brier", "mae", "rmse", "mape"])
def test_row_losses_average_to_the_metric(name: str) -> None:
    rng = np.random.default_rng(4)
    if METRICS[name].task == "classification":
        y, predictions = rng.integers(0, 3, size=50), rng.dirichlet(np.ones(3), size=50)
    else:
        y = rng.normal(30, 1, size=50)
        predictions = y + rng.normal(size=50)
    mean = row_losses(name, y, predictions).mean()
    expected = {"accuracy": 1 - mean, "rmse": np.sqrt(mean)}.get(name, mean)
    assert score(name, y, predictions) == pytest.approx(expected)


def test_every_metric_is_compared_on_a_loss_of_its_own_task() -> None:
    for task in ("classification", "regression"):
        for name in names_of(task):
            assert METRICS[loss_of(name)].task == task


def test_what_stands_in_for_an_area_is_said() -> None:
    y = np.array([0, 1, 1, 0])
    a, b = np.full((4, 2), 0.5), np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.7, 0.3]])
    found = compare("roc_auc", y, a, b, level=0.95)
    assert found.loss == "log_loss"
    expected = np.log(2) + np.log([0.9, 0.8, 0.9, 0.7]).mean()
    assert found.mean == pytest.approx(expected)
    assert compare("accuracy", y, a, b, level=0.95).loss == "accuracy"


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=30))
def test_swapping_the_models_turns_the_difference_round(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    one, other = paired_difference(a, b, level=0.95), paired_difference(b, a, level=0.95)
    assert one.mean == -other.mean
    assert one.p == pytest.approx(other.p)
    assert 0 <= one.p <= 1
    if one.low is not None and one.high is not None:
        assert one.low <= one.mean <= one.high
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert msgspec.json.decode(msgspec.json.encode(one), type=Difference) == one
