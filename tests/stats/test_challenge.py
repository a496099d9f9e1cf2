"""Challenger and champion on the same rows: exact error rates, both formulas agree."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from siklus.stats.anytime import BURN_IN, anytime_level
from siklus.stats.challenge import (
    Duel,
    challenge,
    challenge_counts,
    challenge_losses,
    gain_sequence,
    log_gain,
    log_lead,
)
from siklus.stats.losses import Floats
from siklus.stats.paired import paired_difference

DUELS = st.builds(
    Duel, wins=st.integers(0, 300), losses=st.integers(0, 300), ties=st.integers(0, 3000)
).filter(lambda duel: duel.rows > 0)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 0), (0, 5), (12, 7), (60, 40), (40, 60)])
def test_the_lead_is_the_stated_formula_and_the_integral_over_all_bets(wins: int, losses: int) -> None:
    beta = stats.beta(wins + 1, losses + 1)
    n = wins + losses
    stated = n * np.log(2) + np.log(2) + np.log(beta.sf(0.5))
    stated -= np.log(n + 1) + np.log(stats.binom.pmf(wins, n, 0.5)) + n * np.log(2)  # B(w + 1, l + 1)
    drawn, _ = integrate.quad(lambda stake: (1 + stake) ** wins * (1 - stake) ** losses, 0, 1, limit=200)
    assert log_lead(wins, losses) == pytest.approx(np.log(drawn), abs=1e-9)
    coin = stats.binom.pmf(wins, n, 0.5)
    mixed, _ = integrate.quad(lambda chance: 2 * stats.binom.pmf(wins, n, chance), 0.5, 1, limit=200)
    assert log_lead(wins, losses) == pytest.approx(np.log(mixed / coin), abs=1e-6)


@pytest.mark.parametrize("rows", [1, 6, 30])
def test_between_equals_the_lead_is_1_on_average(rows: int) -> None:
    wins = np.arange(rows + 1)
    each = np.exp([log_lead(int(won), rows - int(won)) for won in wins])
    assert stats.binom.pmf(wins, rows, 0.5) @ each == pytest.approx(1)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_one_more_row_between_equals_leaves_the_lead_as_it_is_on_average(wins: int, losses: int) -> None:
    now = log_lead(wins, losses)
    step = (np.exp(log_lead(wins + 1, losses) - now) + np.exp(log_lead(wins, losses + 1) - now)) / 2
    assert step == pytest.approx(1, abs=1e-3)  # where e is too small for a float's Beta law, it is summed


@given(DUELS)
def test_bets_on_a_gain_above_0_are_the_lead(duel: Duel) -> None:
    assert log_gain(duel, 0.0) == pytest.approx(log_lead(duel.wins, duel.losses), abs=0.05)


@given(DUELS, st.floats(-0.9, 1))
def test_one_more_row_adds_no_evidence_on_average_where_the_gain_is_no_larger(
    duel: Duel, gain: float
) -> None:
    discordant = max(abs(gain), 0.3)
    win, loss = (discordant + gain) / 2, (discordant - gain) / 2
    now = log_gain(duel, gain)
    after = [
        win * np.exp(log_gain(Duel(wins=duel.wins + 1, losses=duel.losses, ties=duel.ties), gain) - now),
        loss * np.exp(log_gain(Duel(wins=duel.wins, losses=duel.losses + 1, ties=duel.ties), gain) - now),
        (1 - discordant)
        * np.exp(log_gain(Duel(wins=duel.wins, losses=duel.losses, ties=duel.ties + 1), gain) - now),
    ]
    assert sum(after) == pytest.approx(1)


@given(DUELS)
def test_bounds_hold_what_was_seen_and_end_where_bets_have_won_20_to_1(duel: Duel) -> None:
    low, high = gain_sequence(duel, alpha=0.05)
    seen = (duel.wins - duel.losses) / duel.rows
    assert -1 <= low <= seen <= high <= 1
    if low > -1:
        assert log_gain(duel, low) == pytest.approx(np.log(20), abs=1e-3)
    mirrored = Duel(wins=duel.losses, losses=duel.wins, ties=duel.ties)
    assert gain_sequence(mirrored, alpha=0.05) == (-high, -low)


def test_bounds_are_exact_from_the_first_row_on() -> None:
    # Every path of eight rows, by its chance; the true gain is 0.1, and each look counts.
    chances, alpha = {1: 0.4, -1: 0.3, 0: 0.3}, 0.3
    missed_low = missed_high = 0.0
    bounds = {
        (wins, losses, rows - wins - losses): gain_sequence(
            Duel(wins=wins, losses=losses, ties=rows - wins - losses), alpha=alpha
        )
        for rows in range(1, 9)
        for wins in range(rows + 1)
        for losses in range(rows + 1 - wins)
    }
    for path in product(chances, repeat=8):
        chance = float(np.prod([chances[row] for row in path]))
        looks = [
            bounds[path[:n].count(1), path[:n].count(-1), path[:n].count(0)] for n in range(1, len(path) + 1)
        ]
        missed_low += chance * any(low > 0.1 for low, _ in looks)
        missed_high += chance * any(high < 0.1 for _, high in looks)
    assert 0 < missed_low <= alpha
    assert 0 < missed_high <= alpha


def test_who_is_better_is_said_both_ways_round() -> None:
    better = challenge_counts(Duel(wins=140, losses=60, ties=1800))
    assert (better.better, better.worse) == (True, False)
    assert better.mean == pytest.approx(-0.04)
    assert better.log_better is not None
    assert better.log_better > np.log(20)
    worse = challenge_counts(Duel(wins=60, losses=140, ties=1800))
    assert (worse.better, worse.worse) == (False, True)
    assert worse.log_worse == better.log_better
    assert (worse.low, worse.high) == (-better.high, -better.low)


def test_equals_are_no_worse_than_a_margin_once_there_are_rows_enough() -> None:
    few = challenge_counts(Duel(wins=10, losses=10, ties=180))
    many = challenge_counts(Duel(wins=500, losses=500, ties=9000))
    assert not few.no_worse_than(0.02)
    assert many.no_worse_than(0.02)
    assert not many.better
    assert not many.worse


@pytest.mark.parametrize(
    "duel", [(0, 0, 1), (1, 0, 0), (0, 1, 0), (0, 0, 10**6), (10**6, 0, 0), (0, 9999, 0)]
)
def test_one_sided_duels_are_answered(duel: tuple[int, int, int]) -> None:
    found = challenge_counts(Duel(wins=duel[0], losses=duel[1], ties=duel[2]))
    assert np.isfinite([found.mean, found.low, found.high, found.log_better, found.log_worse]).all()
    assert found.low <= found.mean <= found.high


def errors(rng: np.random.Generator, rows: int, scale: float) -> tuple[Floats, Floats]:
    hard = rng.gamma(4, size=rows)
    return hard * rng.exponential(scale, size=rows), hard * rng.exponential(size=rows)


def test_losses_that_are_no_counts_have_the_bounds_of_the_paired_mean_at_the_level_for_all_times() -> None:
    a, b = errors(np.random.default_rng(0), 800, 1.0)
    found = challenge_losses(a, b, alpha=0.025)
    once = paired_difference(a, b, level=anytime_level(800, level=0.95))
    assert (found.mean, found.low, found.high) == (once.mean, once.low, once.high)
    assert found.log_better is found.log_worse is None


def test_few_losses_that_are_no_counts_say_nothing() -> None:
    found = challenge_losses(*errors(np.random.default_rng(0), BURN_IN - 1, 0.1))
    assert found.low is found.high is None
    assert not found.better
    assert not found.worse
    assert not found.no_worse_than(1000)
    assert found.mean < 0


@pytest.mark.parametrize(
    ("scale", "better", "worse"), [(0.7, True, False), (1.0, False, False), (1.4, False, True)]
)
def test_a_lower_mean_error_is_better(scale: float, better: bool, worse: bool) -> None:
    found = challenge_losses(*errors(np.random.default_rng(1), 3000, scale))
    assert (found.better, found.worse) == (better, worse)


def test_predictions_are_compared_on_the_loss_that_stands_for_the_metric() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=900)
    good, bad = (np.where(rng.random(900) < right, y, 1 - y) for right in (0.9, 0.7))
    both = [np.column_stack([1 - said, said]).astype(np.float64) for said in (good, bad)]
    found = challenge("f1", y, *both)
    assert (found.loss, found.rows, found.better) == ("accuracy", 900, True)
    assert found.mean == pytest.approx((good != y).mean() - (bad != y).mean())
    target = rng.normal(size=900)
    close, far = target + rng.normal(0, 1, 900), target + rng.normal(0, 2, 900)
    assert challenge("rmse", target, far, close).worse
