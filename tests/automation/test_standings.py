"""Standings: each trigger as a person reads it, due or not."""

from datetime import UTC, datetime, timedelta

import pytest

from siklus.automation.retraining.signs import Signs
from siklus.automation.retraining.standings import TriggerStanding, standings
from siklus.automation.retraining.triggers import Pace, consider
from siklus.monitor.signals import Signal
from siklus.project.loop import Retrain

NOW = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)  # a Monday


def standing(trigger: str, found: Signs, pace: Pace | None = None) -> TriggerStanding:
    plan = Retrain(on=(trigger,), min_labels=1)
    considered = consider(found, pace or Pace(looked=NOW), plan, asks=(), busy="", now=NOW)
    [only] = standings(found, considered, plan, now=NOW)
    assert only.trigger == trigger
    assert only.due == bool(considered.due)
    return only


def signs(firing: str = "", **values: float) -> Signs:
    told = tuple(Signal(name=name, value=value) for name, value in values.items())
    return Signs(version="1", signals=told, firing={firing: 0.3} if firing else {})


@pytest.mark.parametrize(
    ("trigger", "found", "due", "said"),
    [
        ("drift", signs(drift_alarm=1.0), True, "The drift alarm is raised."),
        ("drift", signs(drift_alarm=0.0), False, "No alarm."),
        ("quality", signs(), False, "Nothing can be said yet: there is too little to judge."),
        ("quality", signs(quality_alarm=1.0), True, "Quality is beyond its floor."),
        (
            "predictions:4000",
            signs(predictions_since_training=1203.0),
            False,
            "1,203 since the last training, of 4,000.",
        ),
        (
            "labels:10",
            signs(labelled_since_training=12.0),
            True,
            "12 predictions with outcomes since the last training, of 10.",
        ),
        ("alert:slow", signs(), False, "The alert slow does not fire."),
        ("alert:slow", signs(firing="slow"), True, "The alert slow fires."),
        ("schedule:0 3 * * 1", signs(), False, "It comes next at 2026-11-30 03:00 UTC."),
    ],
)
def test_what_is_said_of_a_trigger(trigger: str, found: Signs, due: bool, said: str) -> None:
    told = standing(trigger, found)
    assert (told.due, told.said) == (due, said)


def test_a_count_says_how_far_it_is() -> None:
    told = standing("predictions:4000", signs(predictions_since_training=1203.0))
    assert (told.value, told.bound) == (1203.0, 4000.0)


def test_a_schedule_that_is_late_says_when_it_comes_again() -> None:
    told = standing("schedule:0 3 * * 1", signs(), Pace(looked=NOW - timedelta(hours=1)))
    assert told.due
    assert told.said == "The schedule 0 3 * * 1 has come. It comes again at 2026-11-30 03:00 UTC."
    assert told.next == datetime(2026, 11, 30, 3, tzinfo=UTC)
