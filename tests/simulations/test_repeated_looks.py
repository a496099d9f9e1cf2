"""Looking again and again: without drift an alarm stays as rare as stated, and a drift is found soon."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy.stats import binom

from siklus.stats.families import holm
from siklus.stats.profile import ColumnProfile, Counts
from siklus.stats.sequential import (
    STARTS,
    DriftEvidence,
    drift_evidence,
    known_bins,
    known_slots,
    log_evidence,
    slots_of,
)
from siklus.stats.shift import bins_by_chance, column_shift, joined
from tests.figures import Figure
from tests.simulations.laws import HARD, TWENTY, Law, Values, draw, profiles

ROWS = 10_000  # of the reference
RATE = 0.05
Step = Mapping[str, Counts]


def reference(rng: np.random.Generator) -> dict[str, ColumnProfile]:
    return profiles(TWENTY, draw(TWENTY, rng, ROWS))


def traffic(
    rng: np.random.Generator, columns: Mapping[str, ColumnProfile], *, rows: int, steps: int
) -> list[Step]:
    each = [TWENTY[name].steps(rng, column, rows=rows, steps=steps) for name, column in columns.items()]
    return [dict(zip(columns, step, strict=True)) for step in zip(*each, strict=True)]


def looked(
    columns: Mapping[str, ColumnProfile], steps: Sequence[Step], *, month: int = 4320, tolerance: float = 0.0
) -> DriftEvidence:
    return drift_evidence(columns, steps, false_alarm_rate=RATE, steps_per_month=month, tolerance=tolerance)


def highest_evidence(profile: ColumnProfile, counts: Values, *, starts: int) -> Values:
    """The most that the evidence of each of the first starts ever was, over the 60 looks at it.

    ``counts``: of each step by bin and slot, shape (steps, cells).
    """
    total = np.vstack([np.zeros(counts.shape[1]), np.cumsum(counts, axis=0)])
    first = np.arange(starts)[:, None]
    since = total[np.minimum(first + 1 + np.arange(STARTS), len(counts))] - total[first]
    binned, beside = np.split(since, [len(profile.counts.bins)], axis=-1)
    slots = np.concatenate([binned.sum(axis=-1, keepdims=True), beside], axis=-1)
    parts = [
        log_evidence(known_bins(profile), joined(binned, bins_by_chance(profile))),
        log_evidence(known_slots(profile), slots),
    ]
    highest: Values = (np.logaddexp(*parts) - np.log(2)).max(axis=-1)
    return highest


def ever_reached(name: str, *, repeats: int, rows: int = 500, known: int = ROWS) -> tuple[float, float]:
    """How often the evidence of one start ever reached 20, and 200: at most 5 % and 0.5 %."""
    rng, law = np.random.default_rng(0), HARD[name]
    highest = np.empty(repeats)
    for run in range(repeats):
        profile = law.profile(law.values(rng, known))
        counts = rng.multinomial(rows, law.chances(profile), size=STARTS)
        highest[run] = highest_evidence(profile, counts, starts=1)[0]
    return float((highest >= np.log(20)).mean()), float((highest >= np.log(200)).mean())


@pytest.mark.parametrize("name", HARD)
def test_the_evidence_of_a_start_hardly_ever_reaches_20(name: str) -> None:
    share, far = ever_reached(name, repeats=120)
    assert share <= 0.05
    assert far <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("known", "rows"), [(ROWS, 50), (ROWS, 500), (ROWS, 5000), (50, 1000), (500, 20_000)]
)
@pytest.mark.parametrize("name", HARD)
def test_the_evidence_of_a_start_keeps_to_its_bound(name: str, known: int, rows: int, figure: Figure) -> None:
    repeats = 500
    share, far = ever_reached(name, repeats=repeats, rows=rows, known=known)
    figure(
        f"evidence ≥ 20 (bound 5 %) and ≥ 200 (0.5 %), {name}, {known} known, 60 × {rows} rows",
        f"{share:.1%}, {far:.1%}",
    )
    assert share <= 0.05
    assert far <= 0.005 + 3 * np.sqrt(0.005 / repeats)


def month_of_looks(seed: int, *, looks: int, rows: int = 500) -> tuple[float, bool]:
    """Without drift: the highest evidence of any column; would Holm at each look have alarmed?"""
    rng = np.random.default_rng([looks, seed])
    columns = reference(rng)
    steps = traffic(rng, columns, rows=rows, steps=looks)
    highest = max(
        highest_evidence(column, _cells(column, [step[name] for step in steps]), starts=looks).max()
        for name, column in columns.items()
    )
    return float(highest), any(_alarms_at_once(columns, step) for step in steps)


def _cells(column: ColumnProfile, steps: Sequence[Counts]) -> Values:
    names = slots_of(column)
    return np.array([[*step.bins, *(getattr(step, name) for name in names)] for step in steps])


def _alarms_at_once(columns: Mapping[str, ColumnProfile], step: Step) -> bool:
    shifts = [
        column_shift(column.counts, step[name], together=bins_by_chance(column))
        for name, column in columns.items()
    ]
    return bool(holm([shift.p for shift in shifts if shift is not None]).min() <= RATE)


def test_looks_without_drift_stay_silent_where_a_repeated_test_alarms(figure: Figure) -> None:
    rng = np.random.default_rng(0)
    columns = reference(rng)
    steps = traffic(rng, columns, rows=500, steps=50)
    looks = [looked(columns, steps[:end], month=50) for end in range(1, 51)]
    assert not any(look.alarm for look in looks)
    assert any(_alarms_at_once(columns, step) for step in traffic(rng, columns, rows=500, steps=100))
    for name, column in columns.items():
        # What months are simulated with is what a monitor computes, look by look.
        found = max(look.columns[name].log_evidence for look in looks)
        each = highest_evidence(column, _cells(column, [step[name] for step in steps]), starts=50)
        assert found == pytest.approx(each.max())
    highest = max(column.log_evidence for look in looks for column in look.columns.values())
    figure(
        "50 looks at 20 columns without drift: highest evidence, and Holm at each", f"e^{highest:.1f}, alarms"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("looks", "months"), [(720, 20), (4320, 4)])
def test_a_month_of_looks_alarms_at_most_at_the_stated_rate(looks: int, months: int, figure: Figure) -> None:
    found = [month_of_looks(seed, looks=looks) for seed in range(months)]
    threshold = np.log(20 * looks / RATE)
    highest = np.array([run[0] for run in found])
    alarms, repeated = int((highest >= threshold).sum()), sum(run[1] for run in found)
    figure(
        f"months of {looks} looks without drift: with an alarm; with one by Holm at each look",
        f"{alarms} and {repeated} of {months}",
    )
    figure(
        f"highest evidence in a month of {looks} looks (alarm at e^{threshold:.1f}): median, highest",
        f"e^{np.median(highest):.1f}, e^{highest.max():.1f}",
    )
    # So many alarms come with a chance of 5 % at most, if a month has one with a chance of 5 %.
    assert alarms <= binom.ppf(0.95, months, RATE)
    assert repeated == months


def delay(shift: float, seed: int, *, rows: int, tolerance: float, before: int = 30) -> int:
    """Steps from the shift of one column of twenty to the alarm; STARTS + 1, if it does not come."""
    rng = np.random.default_rng(seed)
    law = TWENTY["normal 0"]
    column = law.profile(law.values(rng, ROWS))
    counts = [
        *law.steps(rng, column, rows=rows, steps=before),
        *_moved(rng, column, shift, rows=rows),
    ]
    steps = [{"x": step} for step in counts]
    for end in range(before + 1, before + STARTS + 1):
        # The others are not looked at: twenty columns for a month need what one does for twenty months.
        recent = steps[max(0, end - STARTS) : end]
        if looked({"x": column}, recent, month=20 * 4320, tolerance=tolerance).alarm:
            return end - before
    return STARTS + 1


def _moved(rng: np.random.Generator, column: ColumnProfile, shift: float, *, rows: int) -> list[Counts]:
    def upto(x: Values) -> Values:
        normal = TWENTY["normal 0"].chance_upto
        assert normal is not None
        return normal(np.asarray(x) - shift)

    law = Law(draw=TWENTY["normal 0"].draw, chance_upto=upto)
    return law.steps(rng, column, rows=rows, steps=STARTS)


@pytest.mark.parametrize(("shift", "most"), [(0.2, 8), (0.3, 4), (0.5, 2)])
def test_a_shift_is_found_soon(shift: float, most: int, figure: Figure) -> None:
    delays = [delay(shift, seed, rows=500, tolerance=0.01) for seed in range(6)]
    figure(
        f"steps of 500 rows until one of 20 columns, moved by {shift} σ, alarms",
        f"{np.median(delays):g} (median of 6)",
    )
    assert np.median(delays) <= most


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [0.0, 0.01])
@pytest.mark.parametrize("shift", [0.1, 0.2, 0.3, 0.5])
def test_the_delay_of_an_alarm(shift: float, tolerance: float, figure: Figure) -> None:
    delays = np.array([delay(shift, seed, rows=500, tolerance=tolerance) for seed in range(30)])
    figure(
        f"steps of 500 rows until an alarm, {shift} σ, tolerance {tolerance:g}",
        f"{np.median(delays):g} (found in {np.mean(delays <= STARTS):.0%})",
    )
    assert shift < 0.2 or np.mean(delays <= STARTS) == 1
