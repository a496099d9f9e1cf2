"""Verdicts: drift beside what columns are worth, labels, and mistakes of the source."""

from typing import Any

import pytest
from msgspec.structs import replace

from siklus.automation.retraining.signs import Signs, worth_of
from siklus.automation.retraining.verdict import verdict_on
from siklus.monitor.drift.report import PREDICTION
from siklus.monitor.quality.report import Expected, QualityFloor
from siklus.monitor.quality.watch import QualitySeen
from siklus.stats.intervals import Estimate
from tests.automation.traffic import WORTH, signs


def verdict(found: Signs, *, drift_alone: bool = True, labelled: int = 5_000) -> tuple[str, str, str]:
    told = verdict_on(found, drift_alone=drift_alone, labelled=labelled, needed=2_000)
    return told.what, told.because, told.said


@pytest.mark.parametrize(
    ("changes", "drift_alone", "labelled", "expected"),
    [
        ({}, False, 5_000, ("retrain", "asked for")),
        ({}, False, 1_999, ("wait", "too few labels")),
        ({"temp": 0.5}, True, 5_000, ("retrain", "drift matters")),
        ({"temp": 0.5}, True, 0, ("wait", "too few labels")),
        ({"gate": 0.5}, True, 5_000, ("wait", "drift does not matter")),
        ({"gate": 0.5}, False, 5_000, ("retrain", "asked for")),  # quality, or a schedule, asks as well
        ({"gate": 0.5, "temp": 0.5}, True, 5_000, ("retrain", "drift matters")),
        ({"answers": 0.5}, True, 5_000, ("retrain", "drift matters")),
        ({"missing_temp": 0.2}, True, 5_000, ("data bug", "a column broke")),
        ({"missing_temp": 0.2}, False, 5_000, ("data bug", "a column broke")),
        ({"missing_temp": 0.2, "answers": 0.5}, True, 5_000, ("data bug", "a column broke")),
        ({"missing_temp": 0.2, "missing_distance": 0.2}, True, 5_000, ("data bug", "a column broke")),
        ({"missing_temp": 0.2, "gate": 0.5}, True, 5_000, ("data bug", "a column broke")),
        # Others that matter have moved too: the world is another one, and cells went missing in it.
        ({"missing_temp": 0.2, "distance": 0.5}, True, 5_000, ("retrain", "drift matters")),
        ({"missing_temp": 1.0, "distance": 0.5}, True, 5_000, ("data bug", "a column broke")),
        ({"unseen": 0.1}, True, 5_000, ("data bug", "a column broke")),
        # A column that the model does not use stops nothing but a retraining for its own sake.
        ({"missing_gate": 0.2}, True, 5_000, ("data bug", "a column broke")),
        ({"missing_gate": 0.2}, False, 5_000, ("retrain", "asked for")),
        # What broke in so few rows cannot be why quality has gone.
        ({"missing_temp": 0.03}, True, 5_000, ("data bug", "a column broke")),
        ({"missing_temp": 0.03}, False, 5_000, ("retrain", "drift matters")),
        # Not beyond the tolerance: nothing has happened.
        ({"missing_temp": 0.004}, False, 5_000, ("retrain", "asked for")),
    ],
)
def test_what_the_evidence_says(
    changes: dict[str, float], drift_alone: bool, labelled: int, expected: tuple[str, str]
) -> None:
    assert verdict(signs(**changes), drift_alone=drift_alone, labelled=labelled)[:2] == expected


def test_the_reason_names_columns_and_numbers() -> None:
    _, _, bug = verdict(signs(missing_temp=0.2))
    assert "temp: 2" in bug  # about 20 %
    assert "% of the cells are missing, 0.2" in bug.replace(" %", "%")
    assert "Mend the source" in bug
    assert "origin" in verdict(signs(unseen=0.1))[2]
    assert "temp has no values any more" in verdict(signs(missing_temp=1.0))[2]
    assert "gate" in verdict(signs(gate=0.5))[2]
    assert "1 prediction has an outcome" in verdict(signs(temp=0.5), labelled=1)[2]
    assert "the answers themselves" in verdict(signs(answers=0.5))[2]


def test_columns_are_shown_by_what_they_are_worth() -> None:
    found = verdict_on(signs(temp=0.5), drift_alone=True, labelled=5_000, needed=2_000).columns
    assert [sign.name for sign in found] == ["distance", "temp", "origin", "gate", PREDICTION]
    assert [sign.worth for sign in found] == [*WORTH.values(), None]
    assert {sign.name: sign.moved for sign in found if sign.moved} == {"temp": True}
    [temp] = [sign for sign in found if sign.name == "temp"]
    assert temp.sigmas == pytest.approx(0.5, abs=0.1)


def test_without_importances_every_column_matters() -> None:
    unknown = replace(signs(gate=0.5), worth=None)
    assert verdict(unknown)[:2] == ("retrain", "drift matters")


def test_without_evidence_of_all_looks_one_look_speaks() -> None:
    assert verdict(replace(signs(gate=0.5), evidence=None))[:2] == ("wait", "drift does not matter")
    assert verdict(replace(signs(temp=0.5), evidence=None))[:2] == ("retrain", "drift matters")


def test_before_anything_is_counted_only_labels_decide() -> None:
    assert verdict(Signs())[:2] == ("retrain", "asked for")
    assert verdict(Signs(), labelled=0)[:2] == ("wait", "too few labels")


def test_quality_stands_beside_the_verdict_and_decides_nothing() -> None:
    floor = QualityFloor(metric="accuracy", comparison=">=", limit=0.8, source="[gates]", said="0.8 at least")
    seen = QualitySeen(
        version="3",
        metric="accuracy",
        labelled=5_000,
        coverage=0.5,
        delay=60.0,
        recent=Estimate(value=0.9, low=0.88, high=0.92),
        floor=floor,
        alarm=None,
    )
    expected = Expected(rows=9_000, metrics={"accuracy": 0.85}, confusion=None, said="")
    before = signs(temp=0.5)
    found = verdict_on(
        replace(before, quality=seen, expected=expected), drift_alone=True, labelled=5_000, needed=2_000
    )
    assert (found.metric, found.quality, found.floor) == ("accuracy", seen.recent, "0.8 at least")
    assert found.expected == 0.85
    assert (found.what, found.because, found.said) == verdict(before)


def evaluation(metric: str, value: float, **importance: tuple[float, float]) -> dict[str, Any]:
    return {
        "search": {"metric": metric},
        "evaluation": {
            "metrics": {metric: {"value": value, "low": value, "high": value}},
            "importance": {name: {"mean": mean, "std": std} for name, (mean, std) in importance.items()},
        },
    }


def test_a_columns_worth_is_its_share_of_the_loss() -> None:
    minutes = evaluation("mae", 10.0, distance=(93.0, 0.5), temp=(2.0, 0.1), gate=(0.1, 0.1), noise=(-1, 0.1))
    assert worth_of(minutes) == {"distance": 9.3, "temp": 0.2, "gate": 0.0, "noise": 0.0}
    classes = evaluation("accuracy", 0.9, age=(0.05, 0.001))
    assert (worth_of(classes) or {})["age"] == pytest.approx(0.5)


def test_a_model_without_loss_needs_what_it_needs() -> None:
    assert worth_of(evaluation("mae", 0.0, age=(0.5, 0.0), other=(0.0, 0.0))) == {"age": 1.0, "other": 0.0}


@pytest.mark.parametrize(
    "document", [{}, {"evaluation": {"importance": {}}}, {"evaluation": {"importance": {"x": {"mean": 1.0}}}}]
)
def test_where_nothing_was_measured_nothing_is_known(document: dict[str, Any]) -> None:
    assert worth_of(document) is None
