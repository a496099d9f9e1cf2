"""Evidence for drift is the ratio of two laws that can be written down, and says where and since when."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from siklus.stats.profile import Counts, NumericProfile, Profile, profile_numbers, profile_words
from siklus.stats.sequential import (
    SPREADS,
    STARTS,
    ColumnEvidence,
    DriftEvidence,
    Known,
    drift_evidence,
    log_evidence,
)

RNG_ROWS = 10_000
CELLS = st.lists(st.integers(1, 50), min_size=2, max_size=6)


def watched(reference, steps, **settings) -> DriftEvidence:
    chosen = {"false_alarm_rate": 0.05, "steps_per_month": 4320} | settings
    return drift_evidence({"x": reference}, [{"x": step} for step in steps], **chosen)


def of_x(found: DriftEvidence) -> ColumnEvidence:
    return found.columns["x"]


@given(CELLS, st.data())
def test_evidence_is_the_ratio_of_two_urns_as_scipy_has_them(known: list[int], data) -> None:
    counts = np.array(data.draw(st.lists(st.integers(0, 20), min_size=len(known), max_size=len(known))))
    reference, rows = np.array(known, dtype=np.float64), counts.sum()
    added, m = np.linspace(0.1, 0.5, len(known)), reference.sum()
    without = stats.dirichlet_multinomial.logpmf(counts, reference + added, rows)
    moved = [
        stats.dirichlet_multinomial.logpmf(counts, reference / m / (1 / spread + 1 / m) + added, rows)
        for spread in SPREADS
    ]
    expected = logsumexp(moved) - np.log(len(moved)) - without
    assert log_evidence(Known(reference, added), counts[None, :])[0] == pytest.approx(expected, abs=1e-8)


def test_evidence_is_1_on_average_without_drift() -> None:
    # All ways in which 6 rows can fall into 3 bins, each with its chance by the urn's law.
    known = Known(np.array([3.0, 2.0, 0.0]), np.array([0.0, 0.5, 1.0]))
    ways = np.array([way for way in product(range(7), repeat=3) if sum(way) == 6])
    chances = stats.dirichlet_multinomial.pmf(ways, known.rows + known.added, 6)
    assert chances.sum() == pytest.approx(1)
    assert (chances * np.exp(log_evidence(known, ways))).sum() == pytest.approx(1)


def test_one_more_row_leaves_the_evidence_as_it_is_on_average() -> None:
    # The martingale itself: from any counts on, over the urn's next row.
    known, counts = Known(np.array([3.0, 2.0, 5.0]), np.ones(3)), np.array([4, 0, 7])
    urn = known.rows + known.added + counts
    next_row = urn / urn.sum()
    after = np.exp(log_evidence(known, counts + np.eye(3)))
    assert (next_row * after).sum() == pytest.approx(np.exp(log_evidence(known, counts[None, :]))[0])


def test_the_share_of_a_bin_of_a_continuous_column_has_the_law_that_is_assumed() -> None:
    # 200 rows, cut at order statistics: a bin of M rows has a share of Beta(M, 201 − M), the last one M + 1.
    rng = np.random.default_rng(0)
    firsts, lasts = [], []
    for _ in range(2000):
        found = profile_numbers(rng.exponential(size=200), bins=5)
        firsts.append(stats.expon.cdf(found.cuts[0]))
        lasts.append(stats.expon.sf(found.cuts[-1]))
    bins = found.counts.bins
    assert stats.kstest(firsts, stats.beta(bins[0], 201 - bins[0]).cdf).pvalue > 0.01
    assert stats.kstest(lasts, stats.beta(bins[-1] + 1, 200 - bins[-1]).cdf).pvalue > 0.01


def test_a_slot_in_which_nobody_ever_is_is_no_evidence() -> None:
    rng = np.random.default_rng(0)
    reference = profile_numbers(rng.normal(size=100))
    steps = [Counts(bins=tuple(100_000 * share for share in reference.counts.bins))] * STARTS
    assert of_x(watched(reference, steps)).log_evidence < 0


def test_a_shift_is_found_and_placed_where_it_began() -> None:
    rng = np.random.default_rng(0)
    reference = profile_numbers(rng.normal(size=RNG_ROWS))
    steps = [reference.count(rng.normal(size=500)) for _ in range(30)]
    steps += [reference.count(rng.normal(size=500) + 0.3) for _ in range(8)]
    found = watched(reference, steps)
    assert found.alarm
    assert of_x(found).part == "bins"
    assert 7 <= of_x(found).since <= 9
    assert of_x(found).effect == pytest.approx(0.09, rel=0.3)
    assert not watched(reference, steps[:30]).alarm


@pytest.mark.parametrize(("slot", "rows"), [("missing", 10), ("unseen", 10), ("missing", 40)])
def test_rows_that_fall_into_a_slot_are_found(slot: str, rows: int) -> None:
    rng = np.random.default_rng(0)
    reference = profile_words(rng.integers(0, 5, size=RNG_ROWS), range(5))
    steps = []
    for _ in range(3):
        indices = rng.integers(0, 5, size=500).astype(np.float64)
        indices[:rows] = np.nan if slot == "missing" else -1
        steps.append(reference.count(indices))
    found = of_x(watched(reference, steps))
    assert found.alarm
    assert found.part == "slots"


def test_more_missing_where_many_are_missing_anyway() -> None:
    def counts(rng: np.random.Generator, share: float, rows: int) -> Counts:
        missing = int(rng.binomial(rows, share))
        bins = rng.multinomial(rows - missing, [0.25] * 4)
        return Counts(bins=tuple(bins.tolist()), missing=missing)

    rng = np.random.default_rng(0)
    reference = NumericProfile(cuts=(1.0, 2.0, 3.0), counts=counts(rng, 0.6, RNG_ROWS))
    assert not watched(reference, [counts(rng, 0.6, 500) for _ in range(60)]).alarm
    found = of_x(watched(reference, [counts(rng, 0.75, 500) for _ in range(3)]))
    assert (found.alarm, found.part) == (True, "slots")


def test_what_moves_off_a_constant_column_is_found() -> None:
    reference = profile_numbers(np.full(RNG_ROWS, 7.0))
    assert not watched(reference, [reference.count(np.full(500, 7.0))] * 60).alarm
    assert watched(reference, [reference.count(np.array([7.0] * 490 + [8.0] * 10))]).alarm


def test_an_effect_within_the_tolerance_raises_no_alarm() -> None:
    rng = np.random.default_rng(0)
    reference = profile_numbers(rng.normal(size=300_000))
    steps = [reference.count(rng.normal(size=50_000) + 0.05) for _ in range(10)]
    found = watched(reference, steps)
    assert of_x(found).log_evidence > found.log_threshold
    assert not found.alarm
    assert watched(reference, steps, tolerance=0.001).alarm


def test_the_threshold_is_what_a_month_of_starts_may_spend() -> None:
    reference = profile_words(np.array([0, 1]), range(2))
    names = [f"x{i}" for i in range(20)]
    found = drift_evidence(dict.fromkeys(names, reference), [], false_alarm_rate=0.05, steps_per_month=4320)
    assert found.log_threshold == pytest.approx(np.log(20 * 4320 / 0.05))
    assert not found.alarm
    assert list(found.columns) == names


def test_steps_without_rows_are_none() -> None:
    rng = np.random.default_rng(0)
    reference = profile_numbers(rng.normal(size=RNG_ROWS))
    steps = [reference.count(rng.normal(size=500)) for _ in range(STARTS)]
    empty = reference.count(np.empty(0))
    with_gaps = [step for pair in zip(steps, [empty] * STARTS, strict=True) for step in pair]
    assert watched(reference, with_gaps) == watched(reference, steps)
    assert watched(reference, steps).steps == STARTS


def test_what_is_more_than_60_steps_ago_is_not_looked_at() -> None:
    rng = np.random.default_rng(0)
    reference = profile_numbers(rng.normal(size=RNG_ROWS))
    steps = [reference.count(rng.normal(size=500)) for _ in range(STARTS)]
    assert watched(reference, [reference.count(np.full(500, 9.0)), *steps]) == watched(reference, steps)


def test_a_column_that_a_step_does_not_have_had_no_rows_there() -> None:
    rng = np.random.default_rng(0)
    x, z = (profile_numbers(rng.normal(size=1000)) for _ in range(2))
    steps = [{"x": x.count(rng.normal(size=500)), "z": z.count(rng.normal(size=500))} for _ in range(3)]
    without = [steps[0], {"x": steps[1]["x"]}, steps[2]]
    settings = {"false_alarm_rate": 0.05, "steps_per_month": 4320}
    found = drift_evidence({"x": x, "z": z}, without, **settings)
    assert found.columns["x"] == drift_evidence({"x": x, "z": z}, steps, **settings).columns["x"]
    vanished = drift_evidence({"x": x, "z": z}, [{"x": step["x"]} for step in steps], **settings)
    assert vanished.columns["z"].log_evidence == 0
    assert not vanished.columns["z"].alarm


@pytest.mark.parametrize("reference", [np.empty(0), np.full(50, np.nan), np.array([3.0]), np.arange(50.0)])
def test_a_reference_of_few_rows_or_none_is_no_reason_to_alarm(reference) -> None:
    profile = profile_numbers(reference)
    rng = np.random.default_rng(0)
    values = rng.choice(reference, size=(60, 300)) if len(reference) else rng.normal(size=(60, 300))
    found = of_x(watched(profile, [profile.count(row) for row in values]))
    assert np.isfinite(found.log_evidence)
    assert not found.alarm


@given(st.lists(st.lists(st.integers(0, 40), min_size=4, max_size=4), min_size=4, max_size=4), st.data())
def test_counts_of_workers_add_up_in_any_order(workers: list[list[int]], data) -> None:
    reference = profile_words(np.repeat([0, 1, 2], 200), range(3))
    counts = [Counts(bins=tuple(worker)) for worker in workers]
    order = data.draw(st.permutations(range(len(counts))))

    def added(places) -> Counts:
        total = Counts(bins=(0, 0, 0, 0))
        for place in places:
            total = total.add(counts[place])
        return total

    assert watched(reference, [added(range(4))]) == watched(reference, [added(order)])


def test_profiles_of_the_bundle_are_what_is_asked_for() -> None:
    rng = np.random.default_rng(0)
    column = profile_numbers(rng.normal(size=1000))
    profile = Profile(rows=1000, columns={"x": column}, prediction=column)
    found = drift_evidence(
        profile.columns, [{"x": column.counts}], false_alarm_rate=0.05, steps_per_month=720
    )
    assert not found.alarm
