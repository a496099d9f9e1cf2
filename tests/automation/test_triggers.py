"""Triggers, case by case: what is due, what holds it back, and what the journal hears of it."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from siklus.automation.retraining.signs import Signs
from siklus.automation.retraining.triggers import (
    Consideration,
    Counted,
    Pace,
    begun_pace,
    consider,
    ended_pace,
    refuse_unknown_alerts,
)
from siklus.errors import AutomationError
from siklus.monitor.signals import Signal
from siklus.project.loop import Retrain
from siklus.project.sections import Data, Project, ProjectSection
from siklus.registry.asks import Ask, Via

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)  # a Sunday
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
EVERYTHING = Retrain(
    on=("drift", "quality", "predictions:4000", "labels:1000", "alert:slow", "schedule:0 3 * * 1"),
    min_labels=100,
)


def signs(*, version: str = "3", firing: tuple[str, ...] = (), **values: float) -> Signs:
    given = {"labelled_since_training": 500.0, **values}
    return Signs(
        version=version,
        signals=tuple(Signal(name=name, value=value) for name, value in given.items()),
        firing=dict.fromkeys(firing, 0.5),
    )


def ask(via: Via = "command", *, id: str = "a1", at: datetime = NOW) -> Ask:
    return Ask(id=id, time=at, by="anna", via=via, reason="new fares")


def turn(
    found: Signs,
    pace: Pace | None = None,
    settings: Retrain = EVERYTHING,
    *,
    asks: tuple[Ask, ...] = (),
    busy: str = "",
    now: datetime = NOW,
) -> Consideration:
    return consider(found, pace or Pace(), settings, asks=asks, busy=busy, now=now)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (signs(), []),
        (signs(drift_alarm=0.0, quality_alarm=0.0), []),
        (signs(drift_alarm=1.0), ["drift"]),
        (signs(quality_alarm=1.0), ["quality"]),
        (signs(drift_alarm=1.0, quality_alarm=1.0), ["drift", "quality"]),
        (signs(predictions_since_training=3999.0), []),
        (signs(predictions_since_training=4000.0), ["predictions:4000"]),
        (signs(labelled_since_training=1000.0), ["labels:1000"]),
        (signs(firing=("slow",)), ["alert:slow"]),
        (signs(firing=("other",)), []),
        (Signs(), []),
    ],
)
def test_what_is_due(found: Signs, expected: list[str]) -> None:
    considered = turn(found)
    assert [due.trigger for due in considered.due] == expected
    assert considered.begins == bool(expected)
    assert considered.news == bool(expected)


def test_only_what_the_project_asks_for_is_due() -> None:
    found = signs(drift_alarm=1.0, quality_alarm=1.0, predictions_since_training=9e9)
    assert not turn(found, settings=Retrain(on=(), min_labels=1)).due


def test_each_trigger_says_its_statistic() -> None:
    [due] = turn(signs(predictions_since_training=4321.0)).due
    assert (due.value, due.bound) == (4321.0, 4000.0)
    assert due.said == "4,321 predictions since the last training, of 4,000."


def test_counts_begin_anew_with_each_retraining_also_one_whose_model_was_refused() -> None:
    found = signs(predictions_since_training=5000.0, labelled_since_training=1200.0)
    pace = ended_pace(begun_pace(turn(found).pace, found, now=NOW), now=NOW)
    later = NOW + 9 * HOUR
    assert not turn(found, pace, now=later).due
    more = signs(predictions_since_training=8999.0, labelled_since_training=1299.0)
    assert not turn(more, pace, now=later).due
    assert turn(more, pace, now=later).verdict.labelled == 99
    assert turn(more, pace, now=later).verdict.because == "too few labels"
    enough = signs(predictions_since_training=9000.0, labelled_since_training=1300.0)
    assert [due.trigger for due in turn(enough, pace, now=later).due] == ["predictions:4000"]
    # A new champion has answered nothing before.
    other = signs(version="4", predictions_since_training=4000.0)
    assert [due.trigger for due in turn(other, pace, now=later).due] == ["predictions:4000"]


def test_a_count_that_cannot_be_read_makes_no_rows_new() -> None:
    known = Counted(version="3", predictions=5000, labelled=1200)
    blind = Signs(version="3")
    assert begun_pace(Pace(counted=known), blind, now=NOW).counted == known


MONDAY = datetime(2026, 11, 23, 3, tzinfo=UTC)


def test_a_schedule_is_due_once_it_has_come() -> None:
    pace = turn(signs(), now=MONDAY - MINUTE).pace
    found = turn(signs(), pace, now=MONDAY)
    assert [due.trigger for due in found.due] == ["schedule:0 3 * * 1"]
    assert found.begins
    after = begun_pace(found.pace, signs(), now=MONDAY)
    assert not turn(signs(), ended_pace(after, now=MONDAY), now=MONDAY + DAY).due


def test_a_schedule_of_a_project_that_was_never_looked_at_is_not_late() -> None:
    assert not turn(signs(), now=MONDAY + MINUTE).due


@pytest.mark.parametrize("away", [HOUR, 6 * DAY, 300 * DAY])
def test_all_that_came_while_nobody_looked_is_one_retraining(away: timedelta) -> None:
    pace = turn(signs(), now=MONDAY - MINUTE).pace
    found = turn(signs(), pace, now=MONDAY + away)
    assert len(found.due) == 1
    after = ended_pace(begun_pace(found.pace, signs(), now=MONDAY + away), now=MONDAY + away)
    assert not turn(signs(), after, now=MONDAY + away + 7 * HOUR).due


def test_a_schedule_that_came_too_early_waits_for_its_turn() -> None:
    pace = turn(signs(), now=MONDAY - MINUTE).pace
    few = signs(labelled_since_training=3.0)
    found = turn(few, pace, now=MONDAY)
    assert (found.begins, found.verdict.because) == (False, "too few labels")
    later = turn(signs(), found.pace, now=MONDAY + DAY)
    assert (later.begins, later.due[0].trigger) == (True, "schedule:0 3 * * 1")


def test_a_schedule_that_is_taken_out_or_put_in_is_not_late() -> None:
    pace = turn(signs(labelled_since_training=0.0), turn(signs(), now=MONDAY - MINUTE).pace, now=MONDAY).pace
    assert pace.late == ("schedule:0 3 * * 1",)
    other = Retrain(on=("schedule:0 2 * * *",), min_labels=100)
    assert not turn(signs(), pace, other, now=MONDAY + HOUR).due


def rested(ago: timedelta, *, begun: tuple[datetime, ...] = ()) -> Pace:
    return Pace(looked=NOW, rested=NOW - ago, begun=begun)


@pytest.mark.parametrize(
    ("pace", "asks", "busy", "expected"),
    [
        (Pace(), (), "", None),
        (Pace(), (), "rollout 2 goes on.", "busy"),
        (rested(5 * HOUR), (), "", "cooldown"),
        (rested(6 * HOUR), (), "", None),
        (rested(9 * HOUR, begun=(NOW - 20 * HOUR, NOW - 10 * HOUR)), (), "", "per_day"),
        (rested(9 * HOUR, begun=(NOW - 25 * HOUR, NOW - 10 * HOUR)), (), "", None),
        # Asks of people wait for no cooldown, and by hand for no day either; but for what goes on.
        (rested(HOUR), (ask(),), "", None),
        (rested(HOUR), (ask("webhook"),), "", None),
        (rested(HOUR, begun=(NOW - 9 * HOUR, NOW - 2 * HOUR)), (ask(),), "", None),
        (rested(HOUR, begun=(NOW - 9 * HOUR, NOW - 2 * HOUR)), (ask("webhook"),), "", "per_day"),
        (rested(HOUR, begun=(NOW - 9 * HOUR,)), (ask("webhook"),), "", None),
        (rested(9 * HOUR), (ask(),), "rollout 2 goes on.", "busy"),
    ],
)
def test_what_holds_back(pace: Pace, asks: tuple[Ask, ...], busy: str, expected: str | None) -> None:
    found = turn(signs(drift_alarm=1.0), pace, asks=asks, busy=busy)
    assert (found.hold.why if found.hold else None) == expected
    assert found.begins == (expected is None)


def test_until_when_it_waits_is_said() -> None:
    cooled = turn(signs(drift_alarm=1.0), rested(5 * HOUR))
    assert cooled.hold is not None
    assert cooled.hold.until == NOW + HOUR
    assert "2026-11-22 11:00 UTC" in cooled.said
    full = turn(signs(drift_alarm=1.0), rested(9 * HOUR, begun=(NOW - 20 * HOUR, NOW - 10 * HOUR)))
    assert full.hold is not None
    assert full.hold.until == NOW + 4 * HOUR  # when the older one is a day ago
    assert "2 retrainings have begun" in full.said


def test_without_a_cooldown_nothing_cools() -> None:
    settings = replace(EVERYTHING, cooldown="0s", per_day=100)
    assert turn(signs(drift_alarm=1.0), rested(timedelta(0)), settings).begins


def test_an_ask_begins_whatever_the_verdict_is_which_stands_beside_it() -> None:
    found = turn(Signs(), asks=(ask(),))
    assert found.begins
    assert found.verdict.what == "wait"
    assert "anna asks for it: new fares." in found.said
    assert "but: 0 predictions have an outcome" in found.said


def test_what_stays_true_is_news_once() -> None:
    pace, news = rested(HOUR), []
    for minute in range(200):
        found = turn(signs(drift_alarm=1.0), pace, now=NOW + minute * MINUTE)
        pace = found.pace
        news.append(found.news)
    assert news == [True] + [False] * 199


def test_what_comes_and_goes_within_an_hour_is_news_once() -> None:
    pace, news = rested(HOUR), 0
    for minute in range(120):
        found = turn(signs(drift_alarm=float(minute % 2)), pace, now=NOW + minute * MINUTE)
        pace, news = found.pace, news + found.news
    assert news == 1


def test_another_trigger_another_verdict_or_another_reason_to_wait_is_news() -> None:
    pace = turn(signs(drift_alarm=1.0), rested(HOUR)).pace
    assert turn(signs(drift_alarm=1.0, quality_alarm=1.0), pace).news
    assert turn(signs(drift_alarm=1.0, labelled_since_training=1.0), pace).news
    assert turn(signs(drift_alarm=1.0), replace(pace, begun=(NOW - 2 * HOUR, NOW - HOUR))).news
    assert not turn(signs(drift_alarm=1.0), pace).news
    assert not turn(signs(quality_alarm=1.0), pace, busy="rollout 2 goes on.").news


def project(*triggers: str) -> Project:
    return Project(
        project=ProjectSection(name="flights", task="regression"),
        data=Data(path="flights.csv", target="air_time"),
        retrain=Retrain(on=triggers),
    )


def test_an_alert_that_does_not_exist_is_no_trigger() -> None:
    refuse_unknown_alerts(project("drift", "alert:joint_drift"))
    with pytest.raises(AutomationError) as caught:
        refuse_unknown_alerts(project("alert:joint_drit"))
    assert caught.value.code == "AU032"
    assert caught.value.expected == "'joint_drift'?"


def test_where_prometheus_asks_the_rules_no_alert_is_a_trigger() -> None:
    found = project("alert:joint_drift")
    with pytest.raises(AutomationError) as caught:
        refuse_unknown_alerts(replace(found, monitor=replace(found.monitor, evaluator="prometheus")))
    assert caught.value.code == "AU033"
