"""Intervals cover the truth as often as they say, agree with independent ones, and hold their own score."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from siklus.stats.intervals import INTERVALS, Estimate, estimate, quantile_interval, wilson
from siklus.stats.ranking import precision_area, roc_area
from siklus.stats.scores import METRICS, names_of, score

Rows = tuple[NDArray[np.generic], NDArray[np.float64]]
Draw = Callable[[np.random.Generator, int], Rows]

SHIFT = 1.2  # between the scores of the two classes, in σ


def two(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([1 - p, p])


def honest(rng: np.random.Generator, rows: int) -> Rows:
    """Probabilities uniform on (0, 1), and classes that follow them."""
    p = rng.random(rows)
    return (rng.random(rows) < p).astype(np.int64), two(p)


def boastful(rng: np.random.Generator, rows: int) -> Rows:
    """Says between 0.3 and 0.9 where the truth is 0.15 less: its calibration error is 0.15."""
    p = rng.uniform(0.3, 0.9, size=rows)
    return (rng.random(rows) < p - 0.15).astype(np.int64), two(p)


def ranked(rng: np.random.Generator, rows: int) -> Rows:
    """A third is positive; scores are normal, SHIFT apart."""
    y = (rng.random(rows) < 1 / 3).astype(np.int64)
    return y, two(expit(rng.normal(size=rows) + SHIFT * y - 1))


def confused(rng: np.random.Generator, rows: int) -> Rows:
    """Three classes, equally frequent, each right in 4 of 5 cases and else either of the others."""
    y = rng.integers(0, 3, size=rows)
    said = np.where(rng.random(rows) < 0.8, y, (y + rng.integers(1, 3, size=rows)) % 3)
    return y, np.eye(3)[said] * 0.6 + 0.4 / 3


def normal_errors(rng: np.random.Generator, rows: int) -> Rows:
    """The truth has variance 4 + 1, of which 4 is predicted."""
    known = rng.normal(100, 2, size=rows)
    return known + rng.normal(size=rows), known


def flip(rng: np.random.Generator, rows: int) -> Rows:
    """Half positive, each kind recognised in 4 of 5 cases: accuracy, precision, recall and F1 are all 0.8."""
    y = (rng.random(rows) < 0.5).astype(np.int64)
    said = np.where(rng.random(rows) < 0.8, y, 1 - y)
    return y, two(0.2 + 0.6 * said)


def true_average_precision() -> float:
    """Of `ranked`, by integrating precision over recall."""
    cut = np.linspace(-8, 8, 200_001)
    recall, false_alarms = stats.norm.sf(cut - SHIFT), stats.norm.sf(cut)
    precision = recall / (recall + 2 * false_alarms)
    return float(np.trapezoid(precision[::-1], recall[::-1]))


# Metric, rows, how they are drawn, and the value that theory gives.
TRUTHS: list[tuple[str, int, Draw, float]] = [
    ("accuracy", 60, flip, 0.8),
    ("precision", 60, flip, 0.8),
    ("recall", 60, flip, 0.8),
    ("f1", 60, flip, 0.8),
    ("f1", 90, confused, 0.8),
    ("f1_macro", 60, flip, 0.8),
    ("balanced_accuracy", 90, confused, 0.8),
    ("roc_auc", 90, ranked, float(stats.norm.cdf(SHIFT / np.sqrt(2)))),
    ("pr_auc", 200, ranked, true_average_precision()),
    ("log_loss", 90, honest, 0.5),
    ("brier", 90, honest, 1 / 6),
    ("calibration_error", 400, boastful, 0.15),
    ("mae", 60, normal_errors, float(np.sqrt(2 / np.pi))),
    ("rmse", 90, normal_errors, 1.0),
    ("r2", 90, normal_errors, 0.8),
    ("median_absolute_error", 60, normal_errors, float(stats.norm.ppf(0.75))),
    ("p90_absolute_error", 60, normal_errors, float(stats.norm.ppf(0.95))),
]


def coverage(name: str, rows: int, draw: Draw, truth: float, *, repeats: int) -> float:
    held = 0
    for seed in range(repeats):
        y, predictions = draw(np.random.default_rng(seed), rows)
        found = estimate(name, y, predictions, seed=seed)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    return held / repeats


@pytest.mark.parametrize(("name", "rows", "draw", "truth"), TRUTHS)
def test_95_of_100_intervals_hold_the_truth(name: str, rows: int, draw: Draw, truth: float) -> None:
    # 400 draws see a coverage of 95 % as 92 % to 98 % (three standard errors).
    assert 0.915 <= coverage(name, rows, draw, truth, repeats=400) <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("rows", [200, 2000])
@pytest.mark.parametrize(("name", "_rows", "draw", "truth"), TRUTHS)
def test_intervals_cover_at_their_level(name: str, _rows: int, draw: Draw, truth: float, rows: int) -> None:
    promised = 0.91 if name == "calibration_error" else 0.935  # its interval is an approximation, and says so
    assert promised <= coverage(name, rows, draw, truth, repeats=4000) <= 0.975


def test_a_calibrated_model_is_not_called_miscalibrated() -> None:
    # Its calibration error is 0, though the score is always above; the bound is 0 in all but 1 of 40.
    lows = [
        estimate("calibration_error", *honest(np.random.default_rng(seed), 300), seed=seed).low
        for seed in range(200)
    ]
    assert np.mean([low == 0 for low in lows]) >= 0.93


def test_every_metric_has_an_interval() -> None:
    assert INTERVALS.keys() == METRICS.keys()


@pytest.mark.parametrize(("hits", "rows"), [(0, 7), (7, 7), (3, 40), (812, 1000)])
def test_wilson_as_scipy(hits: int, rows: int) -> None:
    expected = stats.binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    assert wilson(hits, rows, level=0.95) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_order_statistics_as_scipy(share: float) -> None:
    losses = np.random.default_rng(0).exponential(size=83)
    found = quantile_interval(losses, share, level=0.95)
    low = stats.quantile_test(losses, p=share, alternative="greater").confidence_interval(0.975).low
    high = stats.quantile_test(losses, p=share, alternative="less").confidence_interval(0.975).high
    assert found == (low, high)


def test_too_few_rows_have_a_score_and_no_interval() -> None:
    y = np.arange(20.0)
    found = estimate("p90_absolute_error", y, y + 1, seed=0)
    assert found == Estimate(value=1.0)  # 20 rows may all lie below the 90 % quantile: 0.9²⁰ = 12 %


def delong_variance(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The formula of the paper, over all pairs of rows."""
    pairs = scores[positive][:, None] - scores[~positive][None, :]
    wins = (pairs > 0) + 0.5 * (pairs == 0)
    by_positive, by_negative = wins.mean(axis=1), wins.mean(axis=0)
    return float(by_positive.var(ddof=1) / len(by_positive) + by_negative.var(ddof=1) / len(by_negative))


def test_the_roc_area_has_delongs_variance_ties_included() -> None:
    rng = np.random.default_rng(5)
    positive = rng.random(157) < 0.3
    scores = (rng.normal(size=157) + positive).round(1)
    area = roc_area(positive, scores)
    assert (area.parts**2).sum() == pytest.approx(delong_variance(scores, positive), rel=1e-12)


def test_average_precision_is_differentiated_by_the_weight_of_each_row() -> None:
    rng = np.random.default_rng(6)
    positive, scores = rng.random(60) < 0.4, rng.random(60).round(1)
    area = precision_area(positive, scores)
    # One row of 60,000 more or less is a step of a thousandth of its weight.
    many_positive, many_scores = np.repeat(positive, 1000), np.repeat(scores, 1000)
    for i in (0, 17, 59):
        more = precision_area(np.append(many_positive, positive[i]), np.append(many_scores, scores[i]))
        assert (more.value - area.value) * 1000 == pytest.approx(area.parts[i], abs=2e-5)


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("roc_auc", ranked),
        ("roc_auc", confused),
        ("pr_auc", ranked),
        ("f1", confused),
        ("balanced_accuracy", confused),
        ("log_loss", honest),
        ("r2", normal_errors),
        ("rmse", normal_errors),
    ],
)
def test_as_wide_as_the_bootstrap(name: str, draw: Draw) -> None:
    y, predictions = draw(np.random.default_rng(7), 600)
    rng = np.random.default_rng(8)
    drawn = []
    for _ in range(600):
        rows = rng.integers(0, 600, size=600)
        drawn.append(score(name, y[rows], predictions[rows]))
    low, high = np.quantile(np.array(drawn, dtype=float), [0.025, 0.975])
    found = estimate(name, y, predictions, seed=0)
    # The ends of 600 resamples are themselves good to about a tenth of the width.
    assert found.low == pytest.approx(low, abs=0.15 * (high - low))
    assert found.high == pytest.approx(high, abs=0.15 * (high - low))


def test_a_perfect_small_test_set_does_not_prove_a_perfect_model() -> None:
    y = np.arange(36) % 3
    probabilities = np.eye(3)[y] * 0.7 + 0.1
    for name in ("accuracy", "balanced_accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc"):
        found = estimate(name, y, probabilities, seed=0)
        assert (found.value, found.high) == (1.0, 1.0)
        assert found.low is not None
        # Two mistakes in 36 rows are likely at a rate of 5 %, so that cannot be ruled out.
        assert 0.7 < found.low < 0.97, name


def test_a_wider_level_gives_a_wider_interval() -> None:
    for task, draw in (("classification", ranked), ("regression", normal_errors)):
        y, predictions = draw(np.random.default_rng(9), 500)
        for name in names_of(task):
            narrow = estimate(name, y, predictions, seed=0, level=0.8)
            wide = estimate(name, y, predictions, seed=0, level=0.99)
            assert wide.low <= narrow.low <= narrow.high <= wide.high, name
            assert wide.high - wide.low > narrow.high - narrow.low, name


def test_the_same_seed_gives_the_same_interval_and_another_only_moves_it_a_little() -> None:
    y, predictions = boastful(np.random.default_rng(1), 1000)
    first = estimate("calibration_error", y, predictions, seed=1)
    assert estimate("calibration_error", y, predictions, seed=1) == first
    other = estimate("calibration_error", y, predictions, seed=2)
    assert other != first
    assert other.low == pytest.approx(first.low, abs=0.2 * (first.high - first.low))


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 25), classes=st.integers(2, 4))
def test_whatever_the_rows_the_interval_holds_the_score(seed: int, rows: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, size=rows)
    probabilities = np.eye(classes)[rng.integers(0, classes, size=rows)] * 0.9 + 0.1 / classes
    cases = [("classification", y, probabilities), ("regression", y + 0.0, rng.normal(size=rows).round(1))]
    for task, truth, predictions in cases:
        for name in names_of(task):
            found = estimate(name, truth, predictions, seed=0)
            assert msgspec.json.decode(msgspec.json.encode(found), type=Estimate) == found
            if found.low is not None:
                assert found.low <= found.value + 1e-12, name
                assert found.value <= found.high + 1e-12, name


def test_the_logit_keeps_an_area_inside_0_and_1() -> None:
    y, predictions = ranked(np.random.default_rng(2), 40)
    found = estimate("roc_auc", y, predictions, seed=0)
    assert 0 < found.low < found.value < found.high < 1
    middle = (logit(found.low) + logit(found.high)) / 2
    assert middle == pytest.approx(logit(found.value))
