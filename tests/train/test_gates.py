"""Gates hold or fail for a reason that is said, and what cannot be judged is refused before any work."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.errors import ProjectError
from siklus.project.sections import Gates, SliceGate
from siklus.stats.bounds import parse_bound
from siklus.stats.intervals import Estimate
from siklus.stats.paired import Difference, compare
from siklus.train.evaluate import Evaluation, Slice, evaluate
from siklus.train.gates import GateResult, judge, refuse_wrong_gates


def measured(mae: float | None, **slices: tuple[Slice, ...]) -> Evaluation:
    found = {"mae": Estimate(value=mae, low=None if mae is None else mae - 1, high=mae and mae + 1)}
    return Evaluation(task="regression", rows=5400, level=0.95, metrics=found, slices=slices)


def part(label: str | None, rows: int, mae: float | None) -> Slice:
    """A slice; fewer than 30 rows have no metrics."""
    return Slice(label=label, rows=rows, metrics={"mae": Estimate(value=mae)} if rows >= 30 else {})


def one(evaluation: Evaluation, gates: Gates, **evidence: object) -> GateResult:
    [found] = judge(evaluation, gates, **{"parity": None, "champion": None, **evidence})
    return found


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("<= 12", 12.0, True),
        ("<= 12", 12.1, False),
        ("< 12", 12.0, False),
        (">= .85", 0.85, True),
        (">0.85", 0.85, False),
        ("  >=  -1e-3 ", -0.001, True),
        ("<= 12.", 11, True),
    ],
)
def test_a_bound_compares_as_it_reads(text: str, value: float, holds: bool) -> None:
    assert parse_bound("mae", text, task="regression", where="[gates]").holds(value) is holds


@pytest.mark.parametrize(
    "text", ["== 12", "12", "<=", "=< 12", "<= twelve", "<= 12 %", "<= nan", "<= 1 2", ""]
)
def test_a_bound_that_cannot_be_read_is_refused_with_the_gate_named(text: str) -> None:
    with pytest.raises(ProjectError, match=r'PJ012 \[gates\] mae = .*such as "<= 12"'):
        parse_bound("mae", text, task="regression", where="[gates]")


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(ProjectError, match=r"PJ010 \[gates\].*'rsme'.*'rmse'"):
        parse_bound("rsme", "<= 12", task="regression", where="[gates]")


@given(st.sampled_from(["<=", ">=", "<", ">"]), st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_limit_can_be_written(comparison: str, limit: float) -> None:
    found = parse_bound("mae", f"{comparison} {limit!r}", task="regression", where="[gates]")
    assert (found.comparison, found.limit) == (comparison, limit)
    assert found.holds(limit) is (comparison in ("<=", ">="))


def test_a_gate_that_holds_says_on_what() -> None:
    found = one(measured(9.0), Gates(bounds={"mae": "<= 12"}))
    assert found == GateResult(
        name="mae", bound="<= 12", value=9.0, passed=True, why="over 5,400 rows; 95 % interval 8 to 10"
    )


def test_a_gate_that_fails_names_value_and_bound() -> None:
    found = one(measured(14.0), Gates(bounds={"mae": "<= 12"}))
    assert (found.value, found.bound, found.passed) == (14.0, "<= 12", False)


@pytest.mark.parametrize(("mae", "passed"), [(11.5, True), (12.5, False)])
def test_an_interval_across_the_bound_is_said(mae: float, passed: bool) -> None:
    found = one(measured(mae), Gates(bounds={"mae": "<= 12"}))
    assert found.passed is passed
    assert found.why.endswith("crosses the bound")


def test_an_undefined_metric_fails_its_gate() -> None:
    found = one(measured(None), Gates(bounds={"mae": "<= 12"}))
    assert (found.passed, found.value) == (False, None)
    assert found.why == "mae is undefined on the 5,400 rows"


@pytest.mark.parametrize(
    ("parity", "passed", "why"),
    [(True, True, "answers as"), (False, False, "differs"), (None, False, "no certificate")],
)
def test_parity_passes_on_proof_only(parity: bool | None, passed: bool, why: str) -> None:
    found = one(measured(9.0), Gates(parity=True), parity=parity)
    assert (found.name, found.passed) == ("parity", passed)
    assert why in found.why


def test_parity_is_not_judged_unless_it_is_asked_for() -> None:
    assert judge(measured(9.0), Gates(), parity=False, champion=None) == ()


def difference(mean: float, p: float, *, rows: int = 5400, loss: str = "mae") -> Difference:
    return Difference(mean=mean, low=mean - 1, high=mean + 1, p=p, rows=rows, level=0.95, loss=loss)


@pytest.mark.parametrize(
    ("found", "passed"),
    [(difference(-0.5, 0.001), True), (difference(0.5, 0.3), True), (difference(0.5, 0.001), False)],
)
def test_a_challenger_fails_only_when_it_is_significantly_worse(found: Difference, passed: bool) -> None:
    result = one(measured(9.0), Gates(champion="mae"), champion=found)
    assert (result.name, result.passed, result.value) == ("champion", passed, found.mean)
    assert "5,400 rows" in result.why


def test_the_first_version_has_no_champion_to_beat() -> None:
    result = one(measured(9.0), Gates(champion="mae"))
    assert (result.passed, result.why) == (True, "there is no champion yet")


def test_few_rows_and_a_stand_in_loss_are_said() -> None:
    weak = difference(0.5, 0.3, rows=500, loss="log_loss")
    why = one(measured(9.0), Gates(champion="roc_auc"), champion=weak).why
    assert "below 4,000 rows this is weak evidence" in why
    assert "log_loss stands in for roc_auc" in why


BY_ORIGIN = Gates(slices=(SliceGate(column="origin", bounds={"mae": "<= 15"}),))


def test_a_slice_gate_holds_in_every_slice() -> None:
    evaluation = measured(9.0, origin=(part("JFK", 4980, 14.2), part("LGA", 300, 9.0)))
    assert one(evaluation, BY_ORIGIN) == GateResult(
        name="mae by origin",
        bound="<= 15",
        value=14.2,
        passed=True,
        why="holds in all 2; the worst is JFK, 4,980 rows",
    )


def test_one_slice_breaks_it() -> None:
    evaluation = measured(9.0, origin=(part("JFK", 4980, 16.2), part("LGA", 300, 9.0), part("EWR", 90, 15.5)))
    result = one(evaluation, BY_ORIGIN)
    assert (result.passed, result.value) == (False, 16.2)
    assert result.why == "broken in 2 of 3: JFK 16.2, EWR 15.5"


def test_where_more_is_better_the_worst_slice_is_the_lowest() -> None:
    slices = tuple(
        Slice(label=label, rows=50, metrics={"r2": Estimate(value=value)})
        for label, value in (("a", 0.9), ("b", 0.4))
    )
    gates = Gates(slices=(SliceGate(column="origin", bounds={"r2": ">= 0.5"}),))
    assert one(measured(9.0, origin=slices), gates).value == 0.4


def test_a_slice_that_cannot_be_judged_does_not_fail_but_is_said() -> None:
    evaluation = measured(9.0, origin=(part("JFK", 4980, 9.0), part("LGA", 31, None), part("XYZ", 12, 99.0)))
    result = one(evaluation, BY_ORIGIN)
    assert result.passed
    assert result.why.endswith("; not judged below 30 rows: XYZ (12); undefined for LGA")


def test_a_long_list_of_slices_is_cut_short() -> None:
    slices = tuple(part(f"D{i:02}", 40, 20.0) for i in range(9))
    assert one(measured(9.0, origin=slices), BY_ORIGIN).why.endswith(
        "D00 20, D01 20, D02 20, D03 20, D04 20 and 4 more"
    )


@pytest.mark.parametrize("slices", [(), (part("XYZ", 12, 9.0),)])
def test_a_slice_gate_without_anything_to_judge_fails(slices: tuple[Slice, ...]) -> None:
    result = one(measured(9.0, origin=slices), BY_ORIGIN)
    assert (result.passed, result.value) == (False, None)
    assert result.why.startswith("no value of 'origin' could be judged")


def test_results_come_in_the_order_of_the_file_and_go_through_json() -> None:
    gates = Gates(
        bounds={"mae": "<= 12"},
        parity=True,
        champion="mae",
        slices=(SliceGate(column="origin", bounds={"mae": "< 1"}),),
    )
    found = judge(measured(9.0, origin=(part("JFK", 40, 9.0),)), gates, parity=True, champion=None)
    assert [gate.name for gate in found] == ["mae", "parity", "champion", "mae by origin"]
    assert msgspec.json.decode(msgspec.json.encode(found), type=tuple[GateResult, ...]) == found


def test_a_worse_model_is_stopped_by_bound_slice_and_champion() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(100, 10, size=5000)
    champion, challenger = y + rng.normal(0, 5, size=5000), y + rng.normal(0, 6, size=5000)
    origin = np.array(["JFK", "LGA"] * 2500, dtype=object)
    evaluation = evaluate(y, challenger, task="regression", classes=None, slices={"origin": origin}, seed=0)
    gates = Gates(
        bounds={"mae": "<= 4.5"},
        champion="mae",
        slices=(SliceGate(column="origin", bounds={"rmse": "<= 5.5"}),),
    )
    beside = compare("mae", y, challenger, champion, level=0.95)
    assert [gate.passed for gate in judge(evaluation, gates, parity=None, champion=beside)] == [False] * 3


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        (Gates(bounds={"accuracy": ">= 0.5"}), "PJ010"),
        (Gates(champion="auc"), "PJ010"),
        (Gates(bounds={"mae": "== 12"}), "PJ012"),
        (Gates(slices=(SliceGate(column="origin", bounds={"mae": "about 12"}),)), "PJ012"),
        (Gates(slices=(SliceGate(column="orign", bounds={"mae": "<= 12"}),)), "PJ013"),
    ],
)
def test_a_gate_that_could_never_be_judged_is_refused_early(gates: Gates, code: str) -> None:
    with pytest.raises(ProjectError, match=code):
        refuse_wrong_gates(gates, task="regression", columns=["origin", "carrier"])


def test_right_gates_are_not_refused() -> None:
    gates = Gates(
        bounds={"mae": "<= 12"},
        parity=True,
        champion="rmse",
        slices=(SliceGate(column="origin", bounds={"r2": "> 0"}),),
    )
    refuse_wrong_gates(gates, task="regression", columns=["origin"])
