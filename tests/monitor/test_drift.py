"""Drift: what is judged of a window, against scipy and theory, and what is told when nothing can be said."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from siklus.errors import MonitorError
from siklus.monitor.drift.judge import drift, drift_watch, rank_shift
from siklus.monitor.drift.report import PREDICTION, DriftReport
from siklus.monitor.drift.words import say_report
from siklus.project.sections import Monitor
from siklus.stats.profile import Counts, NumericProfile, Profile, profile_numbers, profile_words

ROWS = 20_000
WORDS = ("JFK", "LGA", "EWR")
SETTINGS = Monitor()


def rows(count: int, *, seed: int, **changes: float) -> dict[str, np.ndarray]:
    """Columns without drift, but for the changes that are named."""
    rng = np.random.default_rng(seed)
    temp = rng.normal(changes.get("mean", 0.0), changes.get("spread", 1.0), count)
    temp[rng.random(count) < changes.get("missing", 0.003)] = np.nan
    origin = rng.choice(4, count, p=_shares(changes.get("jfk", 0.5), changes.get("unseen", 0.0))).astype(
        float
    )
    return {
        "temp": temp,
        "origin": np.where(origin == 3, -1.0, origin),
        "distance": rng.exponential(500, count),
        PREDICTION: rng.normal(changes.get("answered", 0.0), 1, count),
    }


def _shares(jfk: float, unseen: float) -> list[float]:
    return [jfk * (1 - unseen), (0.8 - jfk) * (1 - unseen), 0.2 * (1 - unseen), unseen]


def reference(count: int = ROWS, **changes: float) -> Profile:
    found = rows(count, seed=1, **changes)
    return Profile(
        rows=count,
        columns={
            "temp": profile_numbers(found["temp"], minimum=-20, maximum=20),
            "origin": profile_words(found["origin"], WORDS),
            "distance": profile_numbers(found["distance"]),
        },
        prediction=profile_numbers(found[PREDICTION]),
    )


def window(of: Profile, found: dict[str, np.ndarray]) -> Profile:
    columns = {name: replace(column, counts=column.count(found[name])) for name, column in of.columns.items()}
    prediction = replace(of.prediction, counts=of.prediction.count(found[PREDICTION]))
    return Profile(rows=len(found[PREDICTION]), columns=columns, prediction=prediction)


def judged(count: int = 5000, *, seed: int = 2, **changes: float) -> DriftReport:
    old = reference()
    return drift(old, window(old, rows(count, seed=seed, **changes)), settings=SETTINGS)


def test_rows_of_training_raise_no_alarm() -> None:
    found = judged()
    assert not found.alarm
    assert {column.verdict for column in found.columns} == {"steady"}
    assert {column.said for column in found.columns} == {"as in training"}
    assert say_report(found).startswith("no drift")


@pytest.mark.parametrize("count", [200, 1_000, 50_000])
def test_at_most_the_stated_share_of_looks_without_drift_alarms(count: int) -> None:
    old = reference()
    alarms = sum(
        drift(old, window(old, rows(count, seed=100 + seed)), settings=SETTINGS).alarm for seed in range(60)
    )
    # 3 of 60 is what 5 % would be; the tolerance makes it rarer. Above 8 lies 1 % of the binomial law.
    assert alarms <= 8


def test_a_mean_shift_is_found_measured_and_said() -> None:
    found = judged(mean=0.4).column("temp")
    assert found.verdict == "shifted"
    assert found.effect is not None
    assert found.effect.direction == "up"
    assert found.effect.sigmas == pytest.approx(0.4, abs=0.05)
    assert found.effect.low < 0.4**2 < found.effect.high * 1.2  # δ is about d²
    assert found.said == f"shifted upwards by about {found.effect.sigmas:.2g} σ"
    assert [column.name for column in judged(mean=0.4).alarming] == ["temp"]


def test_what_is_there_but_within_the_tolerance_does_not_alarm() -> None:
    found = judged(100_000, mean=0.05).column("temp")
    assert found.p is not None
    assert found.p < 1e-6
    assert found.verdict == "slight"
    assert found.said.startswith("within the tolerance: shifted upwards")
    zealous = replace(SETTINGS, tolerance=0.0)
    old = reference()
    assert drift(old, window(old, rows(100_000, seed=2, mean=0.05)), settings=zealous).alarm


def test_a_narrower_column_is_called_so() -> None:
    assert judged(spread=0.5).column("temp").said.startswith("spread narrower")
    assert judged(spread=2.0).column("temp").said.startswith("spread wider")


def test_other_words_than_before_are_named_with_their_shares() -> None:
    found = judged(jfk=0.3).column("origin")
    assert found.verdict == "shifted"
    assert found.said.startswith("more often LGA (50 %, 30 % in training), less often JFK (30 %, 5")


def test_missing_cells_are_a_jump_of_exact_probability() -> None:
    old = reference()
    new = window(old, rows(2000, seed=3, missing=0.12))
    found = drift(old, new, settings=SETTINGS).column("temp")
    jump = found.jump("missing")
    assert found.verdict == "jumped"
    assert jump is not None
    before, now = old.columns["temp"].counts.missing, new.columns["temp"].counts.missing
    exact = stats.hypergeom.sf(now - 1, ROWS + 2000, before + now, 2000)
    assert jump.p == pytest.approx(exact, rel=1e-6)
    assert (jump.share, jump.reference_share) == (now / 2000, before / ROWS)
    assert "% of the cells are missing; 0.3" in found.said


def test_a_category_never_seen_is_found() -> None:
    found = judged(unseen=0.02).column("origin")
    assert found.verdict == "jumped"
    assert found.said.endswith("of the cells hold an unknown word; none did in training")


def test_a_column_that_vanished_is_a_finding() -> None:
    old = reference()
    gone = rows(1000, seed=3)
    gone["temp"] = np.full(1000, np.nan)
    found = drift(old, window(old, gone), settings=SETTINGS)
    assert found.column("temp").verdict == "vanished"
    assert found.column("temp").effect is None
    assert found.columns[0].name == "temp"


def test_predictions_are_a_column_like_the_others() -> None:
    found = judged(answered=0.5)
    assert [column.name for column in found.alarming] == [PREDICTION]
    assert found.column(PREDICTION).role == "prediction"


def test_p_values_are_those_of_x_squared_and_are_adjusted_over_all_columns() -> None:
    old = reference()
    new = window(old, rows(3000, seed=5, mean=0.1))
    found = drift(old, new, settings=SETTINGS)
    before, now = (np.array(each.columns["distance"].counts.bins) for each in (old, new))
    expected = stats.chi2_contingency([before, now]).pvalue
    effect = found.column("distance").effect
    assert effect is not None
    assert effect.p == pytest.approx(expected, rel=1e-9)
    ranked = [column.p_beyond for column in found.columns if column.p_beyond is not None]
    adjusted = stats.false_discovery_control(ranked, method="bh")
    assert [column.q for column in found.columns] == pytest.approx(adjusted.tolist())
    assert min(c.p_adjusted or 0 for c in found.columns) == pytest.approx(min(1, len(ranked) * min(ranked)))


def test_the_ranking_begins_with_what_is_most_certain() -> None:
    found = judged(mean=0.5, jfk=0.45)
    certain = [column.q for column in found.columns]
    assert certain == sorted(certain, key=lambda q: 1.0 if q is None else q)
    assert found.columns[0].name == "temp"


@pytest.mark.parametrize("count", [0, 1, 199])
def test_few_rows_are_not_judged(count: int) -> None:
    found = judged(count, mean=3.0)
    assert not found.enough
    assert not found.alarm
    assert {column.verdict for column in found.columns} <= {"too few"}
    assert say_report(found) == f"not enough rows yet: {count} of 200"


def test_a_reference_of_fifty_rows_says_so_and_sees_large_changes_only() -> None:
    old = reference(50)
    same = [drift(old, window(old, rows(1000, seed=seed)), settings=SETTINGS).alarm for seed in range(2, 22)]
    assert sum(same) <= 3
    found = drift(old, window(old, rows(1000, seed=2, mean=3.0)), settings=SETTINGS)
    assert found.column("temp").alarming
    assert "only 50 rows" in found.remarks[0]


def test_a_reference_without_predictions_compares_the_columns() -> None:
    old = reference()
    blank = replace(old.prediction, counts=Counts(bins=(0,) * len(old.prediction.counts.bins)))
    found = drift(replace(old, prediction=blank), window(old, rows(500, seed=2)), settings=SETTINGS)
    assert PREDICTION not in {column.name for column in found.columns}


def test_other_bins_are_refused() -> None:
    old, other = reference(), reference(500)
    with pytest.raises(MonitorError) as refused:
        drift(old, other, settings=SETTINGS)
    assert refused.value.code == "MO001"


@pytest.mark.parametrize("old", [reference(), reference(50)])
def test_a_report_is_json_and_comes_back(old: Profile) -> None:
    for new in (window(old, rows(500, seed=2, mean=1.0, missing=0.5)), old):
        found = drift(old, new, settings=replace(SETTINGS, min_rows=20))
        assert msgspec.json.decode(msgspec.json.encode(found), type=DriftReport) == found


def test_another_reference_is_called_by_its_name() -> None:
    old = reference()
    found = drift(
        old, window(old, rows(2000, seed=3, missing=0.12)), settings=SETTINGS, where="in january.csv"
    )
    assert found.column("temp").said.endswith("were in january.csv")


@pytest.mark.parametrize("moved", [-1.0, -0.2, 0.0, 0.3, 1.5])
def test_a_shift_of_ranks_is_that_of_a_normal_mean(moved: float) -> None:
    rng = np.random.default_rng(4)
    old = profile_numbers(rng.normal(size=200_000))
    new = old.count(rng.normal(moved, size=200_000))
    assert rank_shift(old.counts, new) == pytest.approx(moved, abs=0.04)


def test_no_row_in_any_bin_is_no_shift() -> None:
    empty = NumericProfile(cuts=(0.0,), counts=Counts(bins=(0, 0)))
    assert rank_shift(empty.counts, Counts(bins=(3, 4))) == 0.0


def test_repeated_looks_stay_silent_without_drift_and_speak_up_with_it() -> None:
    old = reference()
    steps = [window(old, rows(500, seed=50 + i)) for i in range(40)]
    calm = drift_watch(old, steps, settings=SETTINGS)
    assert not calm.alarm
    moved = [window(old, rows(500, seed=90 + i, mean=0.5)) for i in range(6)]
    found = drift_watch(old, steps + moved, settings=SETTINGS)
    assert found.alarm
    assert [name for name, column in found.columns.items() if column.alarm] == ["temp"]


def test_a_look_without_any_step_says_nothing() -> None:
    assert not drift_watch(reference(), [], settings=SETTINGS).alarm
