"""What was expected is found among what was seen, or it is not; and nothing is waited for in vain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.drill.expectations import Expectation, Sighting, find, is_over, result_of

ALERT = Expectation(told="an alert", what="alert", about="drift_alarm", became=("firing",), within=10)
NEVER = Expectation(told="no retraining", what="retraining", within=10, never=True)


def alert(seconds: float, **other: str) -> Sighting:
    given = {"about": "drift_alarm", "became": "firing", **other}
    return Sighting(what="alert", seconds=seconds, **given)  # type: ignore[arg-type]  # all of them are text


def test_what_comes_in_time_is_met_by_the_first_that_fits() -> None:
    found = find(ALERT, [alert(4.0), alert(2.0), alert(1.0, became="resolved"), alert(0.5, about="quality")])
    assert (found.met, found.seconds) == (True, 2.0)
    assert found.seen == "alert drift_alarm: firing"


def test_what_comes_too_late_is_missed_and_its_seconds_are_told() -> None:
    found = find(ALERT, [alert(10.5)])
    assert (found.met, found.seconds) == (False, 10.5)


def test_what_never_comes_is_missed_and_what_came_instead_is_told() -> None:
    assert find(ALERT, []).seen == "nothing of the kind"
    instead = find(ALERT, [alert(1.0, about="quality_alarm")])
    assert (instead.met, instead.seconds) == (False, None)
    assert instead.seen == "only alert quality_alarm: firing"


def test_what_must_not_come_is_missed_whenever_it_comes() -> None:
    assert find(NEVER, [alert(1.0)]).met
    begun = Sighting(what="retraining", about="job 1", became="training", seconds=12.0)
    assert not find(NEVER, [begun]).met


@pytest.mark.parametrize(("requests", "met"), [(100, True), (101, False), (None, False)])
def test_a_bound_on_requests_holds_beside_that_on_seconds(requests: int | None, met: bool) -> None:
    wanted = Expectation(told="out", what="rollout", became=("rolled_back",), within=10, requests=100)
    seen = Sighting(what="rollout", became="rolled_back", seconds=1.0, requests=requests)
    assert find(wanted, [seen]).met is met


def test_all_words_must_stand_in_the_text() -> None:
    wanted = Expectation(told="a mail", what="mail", words=("Rolled back", "version 3"), within=10)
    assert wanted.fits(Sighting(what="mail", seconds=1, text="rollout 1 is rolled back: version 3 is slow"))
    assert not wanted.fits(Sighting(what="mail", seconds=1, text="rolled back: version 2 is slow"))


def test_a_drill_waits_for_what_must_come_and_watches_for_what_must_not() -> None:
    assert not is_over([ALERT, NEVER], [], seconds=9.9)
    assert not is_over([ALERT, NEVER], [alert(1.0)], seconds=9.9)
    assert is_over([ALERT, NEVER], [alert(1.0)], seconds=10.0)
    assert is_over([ALERT], [alert(1.0)], seconds=1.0)
    assert is_over([ALERT], [], seconds=10.0), "its time is up"


def test_nothing_expected_is_nothing_passed() -> None:
    assert result_of([]) == "missed"


sightings = st.lists(
    st.builds(
        Sighting,
        what=st.sampled_from(["alert", "retraining"]),
        about=st.sampled_from(["drift_alarm", "quality_alarm"]),
        became=st.sampled_from(["firing", "resolved"]),
        seconds=st.floats(0, 20),
    ),
    max_size=6,
)


@given(sightings)
def test_the_order_of_what_was_seen_does_not_matter(seen: list[Sighting]) -> None:
    for wanted in (ALERT, NEVER):
        assert find(wanted, seen).met == find(wanted, seen[::-1]).met


@given(sightings, sightings)
def test_more_that_is_seen_never_unmeets_what_came_nor_excuses_what_must_not(
    seen: list[Sighting], more: list[Sighting]
) -> None:
    late = [each for each in more if each.seconds > ALERT.within]
    assert find(ALERT, [*seen, *late]).met == find(ALERT, seen).met
    assert find(NEVER, [*seen, *more]).met <= find(NEVER, seen).met
