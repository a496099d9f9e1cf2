"""Looking again and again: without drift an alarm stays as rare as stated, and a drift is found soon."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy.special import logsumexp

from siklus.stats.families import holm
from siklus.stats.profile import ColumnProfile, Counts
from siklus.stats.sequential import (
    STARTS,
    DriftEvidence,
    drift_evidence,
    known_bins,
    known_slots,
    log_evidence,
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


def highest_evidence(law: Law, rng: np.random.Generator, *, rows: int, steps: int) -> float:
    """The most that one start's evidence ever was, over all looks at it, without drift."""
    profile = law.profile(law.values(rng, ROWS))
    counts = np.cumsum(rng.multinomial(rows, law.chances(profile), size=steps), axis=0)
    size = len(profile.counts.bins)
    binned, beside = counts[:, :size], counts[:, size:]
    slots = np.column_stack([binned.sum(axis=1), beside])
    parts = [
        log_evidence(known_bins(profile), joined(binned, bins_by_chance(profile))),
        log_evidence(known_slots(profile), slots),
    ]
    return float((logsumexp(parts, axis=0) - np.log(2)).max())


def ever_reached(name: str, *, repeats: int, rows: int = 500, steps: int = STARTS) -> tuple[float, float]:
    """How often the evidence of one start ever reached 20, and 200: at most 5 % and 0.5 %."""
    rng = np.random.default_rng(0)
    found = [highest_evidence(HARD[name], rng, rows=rows, steps=steps) for _ in range(repeats)]
    highest = np.array(found)
    return float((highest >= np.log(20)).mean()), float((highest >= np.log(200)).mean())


@pytest.mark.parametrize("name", HARD)
def test_the_evidence_of_a_start_hardly_ever_reaches_20(name: str) -> None:
    share, far = ever_reached(name, repeats=120)
    assert share <= 0.05
    assert far <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "steps"), [(50, 60), (500, 60), (5000, 60), (500, 4320)])
@pytest.mark.parametrize("name", HARD)
def test_the_evidence_of_a_start_keeps_to_its_bound(name: str, rows: int, steps: int, figure: Figure) -> None:
    repeats = 1000 if steps == STARTS else 200
    share, far = ever_reached(name, repeats=repeats, rows=rows, steps=steps)
    figure(
        f"evidence ≥ 20 (bound 5 %) and ≥ 200 (0.5 %), {name}, {steps} × {rows} rows",
        f"{share:.1%}, {far:.1%}",
    )
    assert share <= 0.05
    assert far <= 0.005 + 3 * np.sqrt(0.005 / repeats)


def month_of_looks(seed: int, *, looks: int, rows: int = 500) -> tuple[bool, bool, float]:
    """Without drift: was there an alarm; would Holm at each look have alarmed; the highest evidence."""
    rng = np.random.default_rng(seed)
    columns = reference(rng)
    steps = traffic(rng, columns, rows=rows, steps=looks)
    alarm, repeated, highest = False, False, -np.inf
    for end in range(1, looks + 1):
        found = looked(columns, steps[max(0, end - STARTS) : end], month=looks)
        alarm |= found.alarm
        highest = max(highest, *(column.log_evidence for column in found.columns.values()))
        repeated = repeated or _alarms_at_once(columns, steps[end - 1])
    return alarm, repeated, highest


def _alarms_at_once(columns: Mapping[str, ColumnProfile], step: Step) -> bool:
    shifts = [
        column_shift(column.counts, step[name], together=bins_by_chance(column))
        for name, column in columns.items()
    ]
    return bool(holm([shift.p for shift in shifts if shift is not None]).min() <= RATE)


def test_looks_without_drift_stay_silent_where_a_repeated_test_alarms(figure: Figure) -> None:
    alarm, repeated, highest = month_of_looks(0, looks=60)
    figure(
        "60 looks at 20 columns without drift: highest evidence, and Holm at each look",
        f"e^{highest:.1f}, alarms",
    )
    assert not alarm
    assert repeated


@pytest.mark.slow
@pytest.mark.parametrize(("looks", "months"), [(720, 8), (4320, 1)])
def test_a_month_of_looks_alarms_at_most_at_the_stated_rate(looks: int, months: int, figure: Figure) -> None:
    found = [month_of_looks(seed, looks=looks) for seed in range(months)]
    alarms, repeated = (sum(run[i] for run in found) for i in (0, 1))
    figure(
        f"months of {looks} looks without drift: with an alarm; with one by Holm at each look",
        f"{alarms} and {repeated} of {months}",
    )
    figure(
        f"highest evidence in a month of {looks} looks (alarm at e^{np.log(20 * looks / RATE):.1f})",
        f"e^{max(run[2] for run in found):.1f}",
    )
    assert alarms <= max(1, 0.1 * months)
    assert repeated == months


def delay(shift: float, seed: int, *, rows: int, tolerance: float, before: int = 30) -> int:
    """Steps from the shift of one column of twenty to the alarm; STARTS + 1, if it does not come."""
    rng = np.random.default_rng(seed)
    columns = reference(rng)
    steps = traffic(rng, columns, rows=rows, steps=before + STARTS)
    moved = _moved(rng, columns["normal 0"], shift, rows=rows)
    steps = [
        *steps[:before],
        *({**step, "normal 0": new} for step, new in zip(steps[before:], moved, strict=True)),
    ]
    for end in range(before + 1, before + STARTS + 1):
        if looked(columns, steps[max(0, end - STARTS) : end], tolerance=tolerance).columns["normal 0"].alarm:
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
