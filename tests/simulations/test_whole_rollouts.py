"""Whole rollouts, all tests together, looked at all the time: how often they err, and how soon they see."""

from collections import Counter
from functools import cache

import msgspec
import numpy as np
import pytest

from siklus.automation.rollout.rollout import Phase
from tests.figures import Figure
from tests.simulations.flights import Floats, flights_errors
from tests.simulations.rollouts import PLAN, Course, World, courses

ON_SHARES = msgspec.structs.replace(PLAN, steps=(0.05, 0.25, 1.0))
# The bound itself: equal is just no worse, nothing is promoted early, and every look counts.
STRICT = msgspec.structs.replace(PLAN, margin=0.0)


@cache
def equals() -> tuple[Floats, Floats]:
    """Two models' errors, alike in all but that their means are made equal."""
    errors = flights_errors()
    return errors.one - errors.one.mean() + errors.other.mean(), errors.other


@cache
def worse() -> tuple[Floats, Floats]:
    errors = flights_errors()
    return errors.worse, errors.other


def ended(world: World, runs: int) -> tuple[list[Course], Counter[Phase]]:
    found = list(courses(world, runs))
    return found, Counter(each.phase for each in found)


def test_equal_versions_are_promoted_and_hardly_ever_rolled_back(figure: Figure) -> None:
    found, phases = ended(World(losses=equals()), 15)
    labels = np.median([each.labels for each in found])
    figure(
        "equal versions of the flights, 15 rollouts; labels until promoted", f"{dict(phases)}, {labels:.0f}"
    )
    assert phases["promoted"] >= 12
    assert phases["rolled_back"] <= 1  # at 1 %, two of 15 are rolled back with a chance of 1 %


@pytest.mark.slow
def test_a_thousand_rollouts_of_equals_are_rolled_back_as_seldom_as_stated(figure: Figure) -> None:
    found, phases = ended(World(losses=equals(), plan=STRICT), 1000)
    told = Counter(each.reason.split(":")[0] for each in found if each.phase == "rolled_back")
    figure("1,000 rollouts of equals, 144 looks each", f"{dict(phases)} {dict(told)}")
    assert phases["rolled_back"] <= 10


@pytest.mark.slow
def test_looking_five_times_as_often_does_not_roll_back_more(figure: Figure) -> None:
    often = World(losses=equals(), plan=STRICT, per_look=20)
    _, phases = ended(often, 300)
    figure("300 rollouts of equals, a look every 20 requests", dict(phases))
    assert phases["rolled_back"] <= 6


@pytest.mark.slow
def test_labels_in_their_real_order_are_borne_by_the_margin(figure: Figure) -> None:
    told = {}
    for name, plan in (("2 %", PLAN), ("0", STRICT)):
        _, told[name] = ended(World(losses=equals(), plan=plan, in_order=True), 100)
        figure(f"100 rollouts of equals, flights in their order, margin {name}", dict(told[name]))
    assert told["2 %"]["rolled_back"] <= 3
    # Docs: alike in a year is not alike in each week of it.
    assert told["0"]["rolled_back"] >= 10


@pytest.mark.parametrize(
    ("what", "world", "most_requests", "most_challengers"),
    [
        ("1 % to 5 % failures, as a shadow", World(losses=None, failing=(0.05, 0.01)), 1000, 0),
        ("1 % to 5 % failures, at 5 %", World(losses=None, failing=(0.05, 0.01), plan=ON_SHARES), 7000, 350),
        ("ten times as slow, at 5 %", World(losses=None, slower=10.0, plan=ON_SHARES), 1500, 100),
    ],
)
def test_a_broken_challenger_is_rolled_back_soon(
    what: str, world: World, most_requests: int, most_challengers: int, figure: Figure
) -> None:
    found, phases = ended(world, 25)
    requests, challengers = (
        [getattr(each, count) for each in found] for count in ("requests", "challengers")
    )
    figure(
        f"{what}: requests until rolled back, of these the challenger's (median, 90 %)",
        f"{np.median(requests):.0f}, {np.quantile(requests, 0.9):.0f}; "
        f"{np.median(challengers):.0f}, {np.quantile(challengers, 0.9):.0f}",
    )
    assert phases == {"rolled_back": 25}
    assert np.median(requests) <= most_requests
    assert np.median(challengers) <= most_challengers


def test_a_challenger_that_is_a_fifth_worse_is_rolled_back_soon(figure: Figure) -> None:
    found, phases = ended(World(losses=worse()), 25)
    labels = [each.labels for each in found]
    figure(
        "MAE 20 % worse: labels until rolled back (median, 90 %)",
        f"{np.median(labels):.0f}, {np.quantile(labels, 0.9):.0f}",
    )
    assert phases == {"rolled_back": 25}
    assert np.median(labels) <= 600


def test_a_challenger_that_is_better_is_promoted(figure: Figure) -> None:
    challenger, champion = worse()[::-1]
    found, phases = ended(World(losses=(challenger, champion)), 6)
    figure("MAE 17 % better: requests until promoted", f"{np.median([each.requests for each in found]):.0f}")
    assert phases == {"promoted": 6}


def test_without_labels_or_with_a_broken_split_nobody_is_promoted() -> None:
    short = msgspec.structs.replace(PLAN, give_up="10h")
    _, unlabelled = ended(World(losses=None, plan=short), 4)
    assert unlabelled == {"given_up": 4}
    challenger, champion = worse()[::-1]
    dealt_wrong = World(
        losses=(challenger, champion),
        dealt=0.7,
        plan=msgspec.structs.replace(short, steps=(0.25, 1.0), hold="3h"),
    )
    _, off = ended(dealt_wrong, 4)
    assert off == {"given_up": 4}
