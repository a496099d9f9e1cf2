"""What was live at a moment, and to whom a rollback goes, held against a clock that ticks and a pile."""

from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from siklus.automation.by_hand import Change
from siklus.automation.past import Past, answering_at, before
from siklus.registry.control import Control
from siklus.registry.policy import CHAMPION, Allotment, PolicyArm, TrafficPolicy, everything_to
from tests.automation.deciding import World
from tests.automation.rollouts import BEGAN, PLAN, after
from tests.tracking.stores import new_name

VERSIONS = st.integers(1, 4)


class Done(NamedTuple):
    """Somebody promotes a version (or changes shares, where it is the champion), or goes back to one."""

    back: bool
    version: int | None = None


def champion(version: int) -> PolicyArm:
    return PolicyArm(name=CHAMPION, version=version, share=1.0, digest=f"{version}" * 64)


def policy(revision: int, version: int, *, second: int = 0) -> TrafficPolicy:
    return TrafficPolicy(
        revision=revision,
        model="flights",
        allotment=Allotment(arms=(champion(version),)),
        created=after(seconds=second),
        by="jane",
    )


@given(st.lists(st.tuples(st.integers(0, 5), VERSIONS), max_size=30), st.integers(-3, 160))
def test_what_was_live_is_what_a_clock_would_have_shown(decisions: list[tuple[int, int]], asked: int) -> None:
    second, policies = 0, []
    for at, (pause, version) in enumerate(decisions):
        second += pause
        policies.append(policy(at + 1, version, second=second))
    shown: tuple[int, int, int] | None = None  # revision, version, since which second it is champion
    for tick in range(asked + 1):
        for decided in (found for found in policies if found.created == after(seconds=tick)):
            version = decided.allotment.champion.version
            since = shown[2] if shown is not None and shown[1] == version else tick
            shown = (decided.revision, version, since)
    found = answering_at(policies, after(seconds=asked))
    if shown is None:
        assert found is None
        return
    assert found is not None
    assert (found.policy.revision, found.policy.allotment.champion.version) == shown[:2]
    assert found.champion_since == after(seconds=shown[2])


@given(st.lists(st.builds(Done, back=st.booleans(), version=st.none() | VERSIONS), max_size=25))
def test_a_rollback_takes_off_what_was_put_on_last(steps: list[Done]) -> None:
    policies, returned, pile = [policy(1, 1)], set(), [1]
    for back, version in steps:
        expected = pile[-2] if len(pile) > 1 else None
        found = before(policies, returned=returned)
        assert (None if found is None else found.version) == expected
        to = version if version is not None else expected
        if to is None:
            continue
        returns = back or version is None
        if returns and to in pile:
            while pile[-1] != to:
                pile.pop()
        elif to != pile[-1]:
            pile.append(to)
        policies.append(policy(len(policies) + 1, to))
        if returns:
            returned.add(len(policies))


def decided(world: World, kind: str, version: int, *, hour: int, reason: str = "") -> TrafficPolicy:
    seen = world.traffic.current()
    allotment = everything_to(champion(version), after=None if seen is None else seen.allotment)
    change = Change(
        kind="rollback" if kind == "rollback" else "promotion",
        allotment=allotment,
        by="jane",
        now=after(hours=hour),
        reason=reason,
    )
    return world.by_hand.decide(change, seen=seen)


def test_the_database_tells_it_with_who_and_why(control: Control) -> None:
    model = new_name()
    world, past = World(control, model), Past(control, model)
    assert (past.answering(BEGAN), past.before()) == (None, None)
    decided(world, "promotion", 1, hour=1)
    decided(world, "promotion", 2, hour=2, reason="it is better")
    decided(world, "rollback", 1, hour=3, reason="it was not")
    assert past.answering(after(minutes=59)) is None
    found = past.answering(after(hours=2, minutes=30))
    assert found is not None
    assert found.entry is not None
    assert (found.policy.allotment.champion.version, found.champion_since) == (2, after(hours=2))
    told = "version 2 is promoted: it has all requests, instead of version 1: it is better"
    assert (found.entry.text, found.entry.author, found.policy.by) == (told, "jane", "jane")
    late = past.answering(after(days=300))
    assert late is not None
    assert late.entry is not None
    assert late.entry.text.startswith("rolled back: version 1 has all requests again, instead of version 2")
    assert past.before() is None
    assert past.arm(2) == champion(2)
    assert past.arm(3) is None


def test_one_rollback_after_another_goes_further_back(control: Control) -> None:
    model = new_name()
    world, past = World(control, model), Past(control, model)
    for hour in range(4):
        decided(world, "promotion", hour + 1, hour=hour)
    went = []
    while (former := past.before()) is not None:
        went.append(former.version)
        decided(world, "rollback", former.version, hour=4 + len(went))
    assert went == [3, 2, 1]
    decided(world, "promotion", 4, hour=10)
    again = past.before()
    assert again is not None
    assert again.version == 1


def test_a_rollout_is_told_of_too(control: Control) -> None:
    model = new_name()
    world, past = World(control, model), Past(control, model)
    world.first_policy()
    world.start()
    world.advance()
    found = past.answering(after(hours=5))
    assert found is not None
    assert found.entry is not None
    assert found.entry.text.startswith("rollout 1: nothing speaks against version 8")
    assert found.champion_since == BEGAN


def test_an_experiment_ends_when_its_two_share_the_requests_no_more(control: Control) -> None:
    model = new_name()
    world, past = World(control, model), Past(control, model)
    world.first_policy()
    experiment = world.start(msgspec.structs.replace(PLAN, steps=(0.5,)))
    assert past.ended(experiment) is None
    world.rollouts.stop(experiment, by="jane", now=after(hours=3))
    decided(world, "promotion", 2, hour=4)
    assert past.ended(experiment) == after(hours=3)
