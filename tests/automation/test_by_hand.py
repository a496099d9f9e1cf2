"""What people decide ends whatever rollout goes on, and the journal says who and why."""

import msgspec
import pytest

from siklus.automation.by_hand import Change, Changed, ChangeKind, shares, with_freeze
from siklus.errors import RegistryError
from siklus.project.loop import RolloutPlan
from siklus.registry.control import Control
from siklus.registry.policy import Allotment, PolicyArm, TrafficPolicy, everything_to
from tests.automation.deciding import World
from tests.automation.rollouts import ALONE, NEW, OLD, after
from tests.tracking.stores import new_name

SPLIT = Allotment(
    arms=(msgspec.structs.replace(OLD, share=0.9), msgspec.structs.replace(NEW, share=0.1)),
    shadows=(PolicyArm(name="shadow-9", version=9, share=0.0, digest="9" * 64),),
)


@pytest.fixture
def world(control: Control) -> World:
    made = World(control, new_name())
    made.first_policy()
    return made


def change(kind: ChangeKind, allotment: Allotment, **more: object) -> Change:
    plain = Change(kind=kind, allotment=allotment, by="jane", now=after(hours=1))
    return msgspec.structs.replace(plain, **more)


TO_NEW, TO_OLD = everything_to(NEW, after=ALONE), everything_to(OLD, after=ALONE)


@pytest.mark.parametrize(
    ("kind", "allotment", "phase", "words"),
    [
        ("promotion", TO_NEW, "promoted", "rollout 1 ends: its challenger was promoted by jane"),
        ("promotion", TO_OLD, "overtaken", "rollout 1 ends: overtaken by jane"),
        ("rollback", TO_OLD, "rolled_back", "rollout 1 ends: rolled back by jane"),
        ("traffic", SPLIT, "overtaken", "rollout 1 ends: overtaken by jane"),
    ],
)
def test_a_rollout_ends_with_it(
    world: World, kind: ChangeKind, allotment: Allotment, phase: str, words: str
) -> None:
    world.start()
    policy = world.by_hand.decide(change(kind, allotment, reason="I say so"), seen=world.policy)
    assert world.policy == policy
    assert policy.allotment == allotment
    rollout = world.rollouts.get(1)
    assert (rollout.phase, rollout.traffic, world.rollouts.current()) == (phase, policy.revision, None)
    end, decision = world.kept().entries[:2]
    assert (end.kind, end.text) == ("rollout", words)
    assert (decision.kind, decision.author) == (kind, "jane")
    assert decision.text.endswith(": I say so")
    evidence = msgspec.json.decode(decision.evidence, type=Changed)
    assert (evidence.traffic, evidence.follows, evidence.ended) == (3, 2, 1)


def test_shares_are_told_in_words(world: World) -> None:
    world.by_hand.decide(change("traffic", SPLIT), seen=world.policy)
    told = "version 7 answers 90 %, version 8 (challenger) 10 %, version 9 watches"
    assert (world.kept().entries[0].text, shares(SPLIT)) == (told, told)


def test_whoever_has_not_seen_the_latest_changes_nothing(world: World) -> None:
    seen: TrafficPolicy = world.policy
    world.start()
    before = world.kept()
    with pytest.raises(RegistryError) as caught:
        world.by_hand.decide(change("promotion", TO_NEW), seen=seen)
    assert caught.value.code == "RG014"
    assert world.kept() == before


FREEZES: list[tuple[ChangeKind, str, bool]] = [
    ("rollback", "1d", True),
    ("rollback", "0s", False),
    ("promotion", "1d", False),
]


@pytest.mark.parametrize(("kind", "freeze", "frozen"), FREEZES)
def test_only_a_rollback_freezes(world: World, kind: ChangeKind, freeze: str, frozen: bool) -> None:
    world.start()
    plan = RolloutPlan(freeze=freeze)
    world.by_hand.decide(with_freeze(change(kind, TO_OLD), plan), seen=world.policy)
    found = world.rollouts.frozen(after(hours=24))
    assert (found is not None) == frozen
    assert world.rollouts.frozen(after(hours=25)) is None


def test_the_first_decision_of_all_is_journaled_too(control: Control) -> None:
    world = World(control, new_name())
    made = world.by_hand.decide(change("traffic", ALONE, published=41), seen=None)
    [entry] = world.kept().entries
    assert (made.revision, entry.text) == (42, "version 7 answers 100 %")
