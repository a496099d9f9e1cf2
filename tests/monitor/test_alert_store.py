"""Alerts in the control database: told once whoever looks, delivered at least once, and journaled."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from siklus.errors import AlertError
from siklus.monitor.alerts.events import Bars, Event, Notification, Series
from siklus.monitor.alerts.outbox import FEWEST_ATTEMPTS, WAITING
from siklus.monitor.alerts.states import Silence
from siklus.monitor.alerts.store import STATES, Alerts, Explained
from siklus.registry.control import Control, open_control
from tests.monitor.alerting import DAY, HOUR, MINUTE, START, rule, signals, silence
from tests.tracking.stores import new_name

BAD, GOOD = {"": 1.5}, {"": 0.5}
BOTH = ("ops", "boss")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "control.db"


@pytest.fixture
def control(control_url: str | None, file: Path) -> Iterator[Control]:
    with open_control(control_url, file=file) as control:
        yield control


@pytest.fixture
def alerts(control: Control) -> Alerts:
    return Alerts(control, new_name())


def texts(alerts: Alerts, *kinds: str) -> list[str]:
    return [entry.text for entry in alerts.journal.history(kinds=kinds)][::-1]


def taken(alerts: Alerts, now: timedelta = timedelta(0)) -> list[Notification]:
    """What is due, delivered at once."""
    found = alerts.outbox.due(START + now)
    for notification in found:
        alerts.outbox.delivered(notification, START + now)
    return found


def test_there_is_nothing_before_the_first_look(alerts: Alerts) -> None:
    standing = alerts.standing()
    assert (standing.states, standing.readings, standing.looked) == ((), (), None)
    assert alerts.outbox.due(START) == []
    assert alerts.silences.lasting(START) == []


def test_a_look_goes_on_where_the_last_one_ended_whoever_looked(control: Control) -> None:
    model, rules = new_name(), [rule(held=120)]
    told = [
        Alerts(control, model).look(rules, signals(values), now=START + minute * MINUTE)
        for minute, values in enumerate([BAD, BAD, BAD, BAD, GOOD])
    ]
    assert [[event.state for event in events] for events in told] == [[], [], ["firing"], [], ["resolved"]]
    standing = Alerts(control, model).standing()
    assert (standing.states, standing.looked) == ((), START + 4 * MINUTE)
    assert [(reading.rule, reading.value) for reading in standing.readings] == [("slow", 0.5)]


def test_states_come_back_as_they_were(alerts: Alerts) -> None:
    rules = [rule(held=60), rule("fast", receivers=BOTH, repeat=None, advice="größer")]
    alerts.look(rules, signals({"a": 1.5, "b": 2.5}), now=START)
    states = alerts.standing().states
    assert [(state.rule, state.label, state.state) for state in states] == [
        (rules[0], "a", "pending"),
        (rules[0], "b", "pending"),
        (rules[1], "a", "firing"),
        (rules[1], "b", "firing"),
    ]
    assert (states[2].told, states[2].told_at, states[2].since) == (BOTH, START, START)


def test_all_that_one_receiver_must_hear_at_a_look_is_one_notification(alerts: Alerts) -> None:
    rules = [rule("one", receivers=BOTH), rule("two", receivers=("ops",)), rule("three", receivers=())]
    alerts.look(rules, signals({"a": 1.5, "b": 1.5}), now=START)
    told = {each.receiver: [event.title for event in each.events] for each in alerts.outbox.due(START)}
    assert told == {
        "ops": ["one of a", "one of b", "two of a", "two of b"],
        "boss": ["one of a", "one of b"],
    }


def test_a_notification_comes_back_as_it_was_written(alerts: Alerts) -> None:
    evidence = (
        Series(title="latency", unit="seconds", times=(START,), values=(1.5,), threshold=1.0),
        Bars(title="columns", unit="psi", names=("größe",), values=(0.3,)),
    )

    def explain(events: tuple[Event, ...]) -> Explained:
        sure = tuple(msgspec.structs.replace(event, certainty="0.9 to 1.6") for event in events)
        return Explained(events=sure, evidence=evidence)

    told = alerts.look([rule()], signals(BAD), now=START, explain=explain)
    [found] = alerts.outbox.due(START)
    assert (found.events, found.evidence, found.time, found.receiver) == (told, evidence, START, "ops")
    assert (found.events[0].certainty, found.test, found.id > 0) == ("0.9 to 1.6", False, True)


def test_who_looks_at_the_same_moment_tells_nothing_twice(control: Control) -> None:
    model = new_name()
    rules, given = [rule()], signals(BAD)
    one, other = Alerts(control, model), Alerts(control, model)
    one.look(rules, signals(GOOD), now=START)
    seen: list[tuple[Event, ...]] = []

    def overtaken(events: tuple[Event, ...]) -> Explained:
        seen.append(other.look(rules, given, now=START + MINUTE))
        return Explained(events=events)

    assert one.look(rules, given, now=START + MINUTE, explain=overtaken) == ()
    assert [[event.state for event in events] for events in seen] == [["firing"]]
    assert len(one.outbox.due(START + MINUTE)) == 1
    assert len(texts(one, "alert")) == 1


def test_of_several_first_looks_one_counts(control: Control) -> None:
    model = new_name()
    one, other = Alerts(control, model), Alerts(control, model)

    def overtaken(events: tuple[Event, ...]) -> Explained:
        other.look([rule()], signals(BAD), now=START)
        return Explained(events=events)

    assert one.look([rule()], signals(BAD), now=START, explain=overtaken) == ()
    assert len(one.outbox.due(START)) == 1


def test_several_watches_tell_each_change_once(control_url: str | None, file: Path) -> None:
    model, watches, minutes = new_name(), 4, 12
    start = threading.Barrier(watches)
    told: list[str] = []

    def watch() -> None:
        with open_control(control_url, file=file) as control:
            alerts = Alerts(control, model)
            for minute in range(minutes):
                start.wait(timeout=60)
                now = START + minute * MINUTE
                alerts.look([rule()], signals(BAD if minute % 2 == 0 else GOOD), now=now)
                told.extend(event.state for each in taken(alerts, now - START) for event in each.events)

    threads = [threading.Thread(target=watch) for _ in range(watches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["firing"] * (minutes // 2) + ["resolved"] * (minutes // 2)


def test_models_do_not_hear_of_each_other(control: Control) -> None:
    one, other = Alerts(control, new_name()), Alerts(control, new_name())
    one.silences.add(silence())
    other.look([rule()], signals(BAD), now=START)
    assert one.standing().states == ()
    assert (len(one.outbox.due(START)), len(other.outbox.due(START))) == (0, 1)


# The outbox


def test_what_is_claimed_is_nobody_else_s_until_it_was_held_too_long(alerts: Alerts) -> None:
    alerts.look([rule()], signals(BAD), now=START)
    [claimed] = alerts.outbox.due(START)
    assert alerts.outbox.due(START + 9 * MINUTE) == []
    [again] = alerts.outbox.due(START + 10 * MINUTE)
    assert again == claimed
    alerts.outbox.delivered(claimed, START)
    alerts.outbox.delivered(claimed, START)
    assert alerts.outbox.due(START + DAY) == []
    assert texts(alerts, "notification") == ["told ops: slow firing"]


def test_a_number_is_never_given_again(alerts: Alerts) -> None:
    ids = set()
    for minute in range(6):
        alerts.look([rule()], signals(BAD if minute % 2 == 0 else GOOD), now=START + minute * MINUTE)
        ids |= {each.id for each in taken(alerts, minute * MINUTE)}
    assert len(ids) == 6


def test_what_fails_is_tried_again_ever_more_seldom(alerts: Alerts) -> None:
    alerts.look([rule()], signals(BAD), now=START)
    now, waits = START, []
    for _ in range(10):
        [notification] = alerts.outbox.due(now)
        assert alerts.outbox.failed(notification.id, now, "AL041 nobody answers") is False
        [waiting] = alerts.outbox.waiting()
        waits.append((waiting.due - now).total_seconds())
        assert alerts.outbox.due(waiting.due - timedelta(seconds=1)) == []
        now = waiting.due
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert (waiting.attempts, waiting.reason) == (10, "AL041 nobody answers")


def test_a_receiver_may_ask_for_more_time(alerts: Alerts) -> None:
    alerts.look([rule()], signals(BAD), now=START)
    now = START
    for asked, waits in ((20 * MINUTE, 20 * MINUTE), (DAY, HOUR)):
        [notification] = alerts.outbox.due(now)
        alerts.outbox.failed(notification.id, now, "later", retry_after=asked)
        now += waits
        assert alerts.outbox.waiting()[0].due == now


def test_after_days_and_many_attempts_it_is_given_up_and_said(alerts: Alerts) -> None:
    alerts.look([rule()], signals(BAD), now=START)
    [notification] = alerts.outbox.due(START)
    late = START + 4 * DAY
    given_up = [alerts.outbox.failed(notification.id, late, "no route") for _ in range(FEWEST_ATTEMPTS)]
    assert given_up == [False] * (FEWEST_ATTEMPTS - 1) + [True]
    assert alerts.outbox.waiting() == []
    assert texts(alerts, "notification") == [
        "gave up after 10 attempts (no route) on telling ops: slow firing"
    ]
    assert alerts.outbox.failed(notification.id, late, "too late") is False


def test_what_comes_while_a_receiver_fails_joins_what_waits_for_it(alerts: Alerts) -> None:
    rules = [rule(receivers=BOTH)]
    alerts.look(rules, signals(BAD), now=START)
    first = {each.receiver: each for each in alerts.outbox.due(START)}
    alerts.outbox.delivered(first["boss"], START)
    alerts.outbox.failed(first["ops"].id, START, "no route")
    due = alerts.outbox.waiting()[0].due
    for minute, values in enumerate([GOOD, BAD, GOOD]):
        alerts.look(rules, signals(values), now=START + (minute + 1) * timedelta(seconds=5))
    [waiting] = [each for each in alerts.outbox.waiting() if each.notification.receiver == "ops"]
    assert [event.state for event in waiting.notification.events] == ["firing", "resolved"] * 2
    assert (waiting.due, waiting.attempts, waiting.reason) == (due, 1, "no route")
    assert waiting.notification.id != first["ops"].id
    others = [each.notification for each in alerts.outbox.waiting() if each.notification.receiver == "boss"]
    assert [len(each.events) for each in others] == [1, 1, 1]


def test_what_is_under_way_is_left_as_it_is(alerts: Alerts) -> None:
    alerts.look([rule()], signals(BAD), now=START)
    [notification] = alerts.outbox.due(START)
    alerts.outbox.failed(notification.id, START, "no route")
    [again] = alerts.outbox.due(START + MINUTE)
    alerts.look([rule()], signals(GOOD), now=START + MINUTE)
    assert alerts.outbox.waiting()[0].notification == again
    alerts.outbox.delivered(again, START + MINUTE)
    assert [event.state for each in taken(alerts, MINUTE) for event in each.events] == ["resolved"]


def test_a_notification_of_very_much_holds_the_newest(alerts: Alerts) -> None:
    labels = {f"c{number:03}": 1.5 for number in range(150)}
    for minute, values in enumerate([labels, {}]):
        alerts.look([rule()], signals(values), now=START + minute * timedelta(seconds=5))
        for notification in alerts.outbox.due(START):
            alerts.outbox.failed(notification.id, START, "no route")
    [waiting] = alerts.outbox.waiting()
    states = [event.state for event in waiting.notification.events]
    assert states == ["firing"] * 50 + ["resolved"] * 150


def test_an_outbox_whose_clock_went_back_is_emptied_all_the_same(alerts: Alerts) -> None:
    alerts.look([rule()], signals(BAD), now=START)
    [notification] = alerts.outbox.due(START)
    alerts.outbox.failed(notification.id, START, "no route")
    assert [each.id for each in alerts.outbox.due(START - 400 * DAY)] == [notification.id]


def test_much_is_handed_out_in_parts_the_oldest_first(alerts: Alerts) -> None:
    for minute in range(24):
        alerts.look([rule()], signals(BAD if minute % 2 == 0 else GOOD), now=START + minute * MINUTE)
    parts = [[each.id for each in taken(alerts, DAY)] for _ in range(4)]
    assert [len(part) for part in parts] == [10, 10, 4, 0]
    ids = [id for part in parts for id in part]
    assert ids == sorted(ids)


# Silences and the journal


def test_a_silence_lasts_until_its_end_or_until_it_is_lifted(alerts: Alerts) -> None:
    quiet = silence(hours=2, reason="we know")
    alerts.silences.add(quiet)
    alerts.silences.add(silence(hours=3, feature="größe"))
    assert alerts.silences.lasting(START)[0] == quiet
    assert alerts.look([rule()], signals(BAD), now=START)[0].silenced
    assert alerts.outbox.due(START) == []
    assert len(alerts.silences.lasting(START + 2 * HOUR)) == 1
    assert alerts.silences.lift("slow", feature=None, author="joe", now=START + HOUR) == 1
    assert alerts.silences.lift("slow", feature=None, author="joe", now=START + HOUR) == 0
    assert [each.feature for each in alerts.silences.lasting(START + HOUR)] == ["größe"]
    [event] = alerts.look([rule()], signals(BAD), now=START + HOUR)
    assert (event.changed, event.receivers) == (False, ("ops",))
    assert texts(alerts, "silence") == [
        "silenced slow until 2026-01-31 14:00 UTC: we know",
        "silenced slow of größe until 2026-01-31 15:00 UTC",
        "lifted the silence of slow",
    ]


def test_the_journal_tells_of_changes_and_not_of_repetitions(alerts: Alerts) -> None:
    rules = [rule(repeat=60)]
    for minute, values in enumerate([BAD, BAD, BAD, GOOD, BAD, {}]):
        alerts.look(rules, signals(values), now=START + minute * MINUTE)
    assert texts(alerts, "alert") == [
        "slow fires: 1.5 s, above 1 s",
        "slow is over: 500 ms, not above 1 s",
        "slow fires: 1.5 s, above 1 s",
        "slow is over: no value any more",
    ]
    newest = alerts.journal.history(limit=1)[0]
    event = msgspec.json.decode(newest.evidence, type=Event)
    assert (event.rule, event.state, newest.subject, newest.author) == (
        "slow",
        "resolved",
        "slow",
        "siklus watch",
    )


def test_a_silence_is_kept_with_its_evidence(alerts: Alerts) -> None:
    alerts.silences.add(silence(reason="we know"))
    [entry] = alerts.journal.history()
    assert msgspec.json.decode(entry.evidence, type=Silence) == silence(reason="we know")
    assert (entry.author, entry.time) == ("jane", START)


@pytest.mark.parametrize("table", [STATES, WAITING])
def test_what_a_newer_version_has_stored_is_not_guessed_at(
    control: Control, alerts: Alerts, table: sa.Table
) -> None:
    alerts.look([rule()], signals(BAD), now=START)
    with control.transaction() as connection:
        connection.execute(table.update().values(format=2))
    with pytest.raises(AlertError) as caught:
        alerts.outbox.due(START) if table is WAITING else alerts.standing()
    assert (caught.value.code, caught.value.expected) == ("AL003", "format 1")
    # Both databases outlive this test.
    with control.transaction() as connection:
        connection.execute(table.update().values(format=1))
