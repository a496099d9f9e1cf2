"""Joint drift: a classifier tells rows apart where columns, one by one, look alike; and only there."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from siklus.contract.columns import Contract, Number, Target, Text
from siklus.errors import MonitorError
from siklus.monitor.drift.joint import joint_drift, joint_drift_of_rows, standard_score
from siklus.monitor.drift.rows import WindowRows
from siklus.project.sections import Monitor

SETTINGS = Monitor()
COLUMNS = ("a", "b", "c")


def tied(count: int, *, seed: int, correlation: float = 0.0) -> NDArray[np.float32]:
    """Standard normal columns, of which the first two hang together."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(count, 3))
    found[:, 1] = correlation * found[:, 0] + np.sqrt(1 - correlation**2) * found[:, 1]
    return found.astype(np.float32)


def test_a_changed_relation_is_found_though_no_column_has_changed() -> None:
    found = joint_drift(
        tied(2000, seed=1), tied(2000, seed=2, correlation=0.8), columns=COLUMNS, settings=SETTINGS
    )
    assert found.verdict == "apart"
    assert found.alarm
    assert found.auc is not None
    assert found.low is not None
    assert found.auc_tolerated < found.low < found.auc
    assert {column.name for column in found.columns[:2]} == {"a", "b"}
    assert found.said.startswith("a classifier can tell these rows from the reference's (AUC 0.")


def test_equal_rows_are_told_apart_no_more_often_than_stated() -> None:
    found = [
        joint_drift(tied(300, seed=i), tied(300, seed=1000 + i), columns=COLUMNS, settings=SETTINGS)
        for i in range(40)
    ]
    # Ordinary cross-validation gives 9 % here. Above 6 of 40 lies 1 % of the binomial law at 5 %.
    assert sum(each.p is not None and each.p <= 0.05 for each in found) <= 6
    assert sum(each.alarm for each in found) <= 2


def test_the_same_rows_and_seed_give_the_same_answer() -> None:
    old, new = tied(400, seed=1), tied(400, seed=2)
    one, two = (joint_drift(old, new, columns=COLUMNS, settings=SETTINGS, seed=3) for _ in range(2))
    assert one == two


def test_many_rows_are_sampled() -> None:
    found = joint_drift(tied(30_000, seed=1), tied(300, seed=2), columns=COLUMNS, settings=SETTINGS)
    assert (found.reference_rows, found.rows) == (10_000, 300)


def test_few_rows_are_not_judged() -> None:
    found = joint_drift(tied(5000, seed=1), tied(50, seed=2), columns=COLUMNS, settings=SETTINGS)
    assert (found.verdict, found.alarm, found.auc) == ("too few", False, None)
    assert found.said == "not enough rows yet: 50 of 200"
    found = joint_drift(tied(50, seed=1), tied(5000, seed=2), columns=COLUMNS, settings=SETTINGS)
    assert found.said == "the reference has too few rows for a classifier: 50 of 200"


def test_a_small_change_of_many_rows_is_within_the_tolerance() -> None:
    rng = np.random.default_rng(5)
    old, new = rng.normal(size=(10_000, 1)), rng.normal(0.09, 1, size=(10_000, 1))
    found = joint_drift(old.astype(np.float32), new.astype(np.float32), columns=["a"], settings=SETTINGS)
    assert found.p is not None
    assert found.p < 0.01
    assert found.verdict == "slight"


def test_missing_cells_tell_rows_apart() -> None:
    new = tied(1000, seed=2)
    new[::3, 2] = np.nan
    found = joint_drift(tied(1000, seed=1), new, columns=COLUMNS, settings=SETTINGS)
    assert found.columns[0].name == "c"
    assert found.alarm


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_the_standard_score_is_mann_and_whitneys(decimals: int) -> None:
    rng = np.random.default_rng(6)
    scores = np.round(rng.normal(size=80), decimals)
    positive = np.arange(80) < 30
    _, p = stats.mannwhitneyu(
        scores[positive], scores[~positive], alternative="greater", method="asymptotic", use_continuity=False
    )
    assert stats.norm.sf(standard_score(positive, scores)) == pytest.approx(p)


def test_scores_that_are_all_the_same_say_nothing() -> None:
    assert standard_score(np.array([True, False, True]), np.ones(3)) == 0.0


def test_columns_that_only_one_side_has_are_left_out() -> None:
    whole = contract("a", "b", "c")
    part = contract("c", "a")
    old, new = tied(300, seed=1), tied(300, seed=2)[:, [2, 0]]
    found = joint_drift_of_rows(WindowRows(whole, old, None), WindowRows(part, new, None), settings=SETTINGS)
    assert {column.name for column in found.columns} == {"a", "c"}
    assert not found.alarm


def test_without_a_column_to_compare_it_is_refused() -> None:
    texts = Contract(columns=(Text(name="t"),), target=Target(name="y"))
    rows = WindowRows(texts, np.empty((300, 0), np.float32), None)
    with pytest.raises(MonitorError) as refused:
        joint_drift_of_rows(rows, rows, settings=SETTINGS)
    assert refused.value.code == "MO003"


def contract(*names: str) -> Contract:
    return Contract(columns=tuple(Number(name=name) for name in names), target=Target(name="y"))
