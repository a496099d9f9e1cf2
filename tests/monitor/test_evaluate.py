"""Alerts as Prometheus means them: pending, firing, resolved; told once, told again, and never lost."""

import msgspec
import pytest

from siklus.monitor.alerts.evaluate import evaluate, readings
from tests.monitor.alerting import DAY, HOUR, MINUTE, START, Watching, rule, signals, silence

GOOD, BAD = 0.5, 1.5


def test_a_rule_without_a_time_fires_at_once_and_is_told_once() -> None:
    watching = Watching(rule())
    assert watching.looks(GOOD, BAD, BAD, BAD, GOOD, GOOD) == ["", "firing", "", "", "resolved", ""]


def test_a_rule_with_a_time_fires_once_it_was_true_for_so_long() -> None:
    watching = Watching(rule(held=120))
    assert watching.looks(BAD, BAD, BAD, GOOD) == ["", "", "firing", "resolved"]


def test_one_look_at_which_it_is_not_true_starts_the_time_anew() -> None:
    watching = Watching(rule(held=120))
    assert watching.looks(BAD, BAD, GOOD, BAD, BAD, None, BAD, BAD, BAD) == [""] * 8 + ["firing"]


def test_what_was_only_pending_is_not_told_to_be_over() -> None:
    watching = Watching(rule(held=120))
    assert watching.looks(BAD, GOOD) == ["", ""]
    assert watching.states == ()


def test_an_event_says_what_happened() -> None:
    watching = Watching(rule(held=60, severity="critical", advice="Run."))
    assert watching.look(BAD) == ()
    [fired] = watching.look(2.5)
    assert (fired.rule, fired.signal, fired.state, fired.value, fired.label) == (
        "slow",
        "latency_p99",
        "firing",
        2.5,
        "",
    )
    assert (fired.comparison, fired.threshold, fired.since) == (">", 1.0, START)
    assert (fired.severity, fired.advice, fired.receivers) == ("critical", "Run.", ("ops",))
    assert (fired.changed, fired.repeated, fired.silenced) == (True, False, False)
    [over] = watching.look(0.25)
    assert (over.state, over.value, over.since, over.receivers) == ("resolved", 0.25, START, ("ops",))


def test_a_signal_without_a_value_ends_its_alert() -> None:
    watching = Watching(rule())
    watching.look(BAD)
    [over] = watching.look(None)
    assert (over.state, over.value) == ("resolved", None)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_value(value: float) -> None:
    watching = Watching(rule())
    assert watching.looks(BAD, value) == ["firing", "resolved"]


def test_what_comes_and_goes_is_told_once_where_it_is_kept() -> None:
    """A window whose rows are enough at one look and too few at the next."""
    watching = Watching(rule(kept=180))
    assert watching.looks(BAD, None, BAD, GOOD, None, BAD, *[None] * 6) == [
        "firing",
        *[""] * 8,
        "resolved",
        "",
        "",
    ]


def test_a_rule_that_is_taken_away_is_kept_no_longer() -> None:
    watching = Watching(rule(kept=180))
    watching.look(BAD)
    watching.look(GOOD)
    watching.rules = ()
    assert [event.state for event in watching.look(None)] == ["resolved"]


def test_below_is_the_other_side_and_the_bound_itself_is_neither() -> None:
    watching = Watching(rule(comparison="<"))
    assert watching.looks(1.5, 1.0, 0.5) == ["", "", "firing"]
    assert Watching(rule()).looks(1.0) == [""]


def test_each_label_is_an_alert_of_its_own() -> None:
    watching = Watching(rule(held=60))
    watching.look({"a": BAD, "b": GOOD, "c": BAD})
    fired = watching.look({"a": BAD, "b": BAD, "c": GOOD})
    assert [(event.title, event.state) for event in fired] == [("slow of a", "firing")]
    assert watching.standing == {"a": "firing", "b": "pending"}
    over = watching.look({"b": BAD})
    assert [(event.title, event.state, event.value) for event in over] == [
        ("slow of b", "firing", BAD),
        ("slow of a", "resolved", None),
    ]


def test_a_rule_may_mean_one_feature_only() -> None:
    watching = Watching(rule(feature="b"))
    assert [event.label for event in watching.look({"a": BAD, "b": BAD})] == ["b"]


def test_what_still_fires_is_told_again_after_its_time() -> None:
    watching = Watching(rule(repeat=180))
    told = watching.looks(*[BAD] * 8)
    assert told == ["firing", "", "", "firing", "", "", "firing", ""]
    again = [event for _ in range(3) for event in watching.look(BAD)]
    assert [(event.changed, event.repeated) for event in again] == [(False, True)]
    assert sum(map(bool, Watching(rule(repeat=None)).looks(*[BAD] * 500))) == 1


def test_who_is_added_later_is_told_alone() -> None:
    watching = Watching(rule())
    watching.look(BAD)
    watching.rules = [rule(receivers=("ops", "boss"))]
    [event] = watching.look(BAD)
    assert (event.receivers, event.changed, event.repeated) == (("boss",), False, False)
    assert watching.look(BAD) == ()
    [over] = watching.look(GOOD)
    assert over.receivers == ("ops", "boss")


def test_whoever_was_told_of_it_is_told_its_end_too() -> None:
    watching = Watching(rule(receivers=("ops", "boss")))
    watching.look(BAD)
    watching.rules = [rule(receivers=("boss",))]
    [over] = watching.look(GOOD)
    assert over.receivers == ("ops", "boss")


def test_a_rule_that_tells_nobody_still_has_its_state() -> None:
    watching = Watching(rule(receivers=()))
    events = [event for value in (BAD, BAD, GOOD) for event in watching.look(value)]
    assert [(event.state, event.receivers) for event in events] == [("firing", ()), ("resolved", ())]


def test_a_rule_that_is_taken_away_while_it_fires_is_over() -> None:
    watching = Watching(rule(), rule("other"))
    watching.look(BAD)
    watching.rules = [rule("other")]
    [over] = watching.look(BAD)
    assert (over.rule, over.state, over.value, over.receivers) == ("slow", "resolved", None, ("ops",))
    assert [state.rule.name for state in watching.states] == ["other"]


def test_a_rule_that_speaks_of_another_signal_is_another_one() -> None:
    watching = Watching(rule())
    watching.look(BAD)
    watching.rules = [rule(signal="latency_p50")]
    [over] = watching.look(BAD)
    assert (over.signal, over.state) == ("latency_p99", "resolved")


def test_a_bound_that_is_moved_decides_by_its_new_place() -> None:
    watching = Watching(rule())
    watching.look(BAD)
    watching.rules = [rule(threshold=2.0)]
    [over] = watching.look(BAD)
    assert (over.state, over.value, over.threshold) == ("resolved", BAD, 2.0)


def test_a_silence_keeps_alerts_from_being_told_not_from_being() -> None:
    watching = Watching(rule(held=60))
    watching.silences = [silence()]
    assert watching.looks(BAD, BAD, BAD) == ["", "", ""]
    assert watching.standing == {"": "firing"}
    assert watching.looks(GOOD) == [""]
    assert watching.states == ()


def test_changes_under_a_silence_are_events_that_nobody_hears() -> None:
    watching = Watching(rule())
    watching.silences = [silence()]
    events = [event for value in (BAD, BAD, GOOD) for event in watching.look(value)]
    assert [(event.state, event.silenced, event.receivers) for event in events] == [
        ("firing", True, ()),
        ("resolved", True, ()),
    ]


def test_what_still_fires_when_a_silence_ends_is_told_then() -> None:
    watching = Watching(rule())
    watching.silences = [silence(hours=0.05)]  # three minutes
    told = [watching.look(BAD) for _ in range(5)]
    assert [len(events) for events in told] == [1, 0, 0, 1, 0]
    [event] = told[3]
    assert (event.changed, event.repeated, event.receivers, event.since) == (False, False, ("ops",), START)


def test_a_silence_is_of_the_rules_and_the_feature_that_it_names() -> None:
    watching = Watching(rule(), rule("slower"), rule("other"))
    watching.silences = [silence("slow*", feature="a")]
    told = [event.title for event in watching.look({"a": BAD, "b": BAD}) if event.receivers]
    assert told == ["slow of b", "slower of b", "other of a", "other of b"]


# Clocks


def test_a_clock_that_leaps_ahead_fires_nothing_that_was_not_seen_for_its_time() -> None:
    watching = Watching(rule(held=3600))
    watching.look(BAD, after=400 * DAY)
    assert watching.look(BAD) == ()
    assert watching.standing == {"": "pending"}
    # Ten minutes of the pause count, one is past.
    assert watching.looks(*[BAD] * 48) == [""] * 48
    assert watching.looks(BAD, BAD) == ["", "firing"]


def test_seldom_looks_reach_their_time_all_the_same() -> None:
    watching = Watching(rule(held=3600, repeat=None))
    told = [watching.look(BAD, after=DAY) for _ in range(8)]
    assert [bool(events) for events in told] == [False] * 6 + [True, False]


def test_looks_that_are_meant_to_be_seldom_count_in_full() -> None:
    states = evaluate(
        [rule(held=7200)], signals({"": BAD}), (), silences=(), now=START, every=2 * HOUR
    ).states
    found = evaluate(
        [rule(held=7200)], signals({"": BAD}), states, silences=(), now=START + 2 * HOUR, every=2 * HOUR
    )
    assert [event.state for event in found.events] == ["firing"]


def test_a_clock_that_goes_back_loses_no_time_that_was_waited() -> None:
    watching = Watching(rule(held=300))
    assert watching.looks(BAD, BAD, BAD) == ["", "", ""]
    watching.now -= 400 * DAY
    assert watching.looks(BAD, BAD, BAD, BAD) == ["", "", "", "firing"]


def test_a_clock_that_goes_back_neither_tells_again_nor_keeps_silent_for_a_year() -> None:
    watching = Watching(rule(repeat=180))
    watching.look(BAD)
    watching.now -= 400 * DAY
    assert watching.looks(*[BAD] * 5) == ["", "", "", "firing", ""]
    assert watching.states[0].since <= watching.now


def test_a_silence_from_the_future_does_not_silence() -> None:
    watching = Watching(rule())
    watching.silences = [silence(created=START + DAY)]
    assert watching.looks(BAD) == ["firing"]
    # Clocks of two machines that are nearly the same are no future.
    watching = Watching(rule())
    watching.silences = [silence(created=START + MINUTE)]
    assert watching.looks(BAD) == [""]


def test_states_are_the_same_after_being_stored() -> None:
    watching = Watching(rule(held=60), rule("fast", comparison="<", repeat=None))
    watching.look(BAD)
    watching.look({"": BAD, "a": GOOD})
    kind = tuple[type(watching.states[0]), ...]  # type: ignore[misc]  # mypy knows no type of a value
    assert msgspec.json.decode(msgspec.json.encode(watching.states), type=kind) == watching.states


def test_a_rule_reads_the_value_that_is_nearest_to_its_bound() -> None:
    given = signals({"a": 0.2, "b": 0.9, "c": 0.5})
    found = readings([rule(), rule("low", comparison="<"), rule("none", signal="cpu")], given)
    assert [(reading.rule, reading.label, reading.value) for reading in found] == [
        ("slow", "b", 0.9),
        ("low", "a", 0.2),
    ]
