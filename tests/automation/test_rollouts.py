"""Rollouts as they are kept: each turn with its traffic policy and its entry, and one decider at a time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from siklus.automation.rollout.accounts import Turned
from siklus.automation.rollout.freezes import Freeze
from siklus.automation.rollout.rollouts import Rollouts, drafted
from siklus.automation.rollout.stepping import next_step
from siklus.errors import AutomationError
from siklus.registry.control import Control, open_control
from siklus.registry.journal import Entry
from siklus.registry.policy import Allotment, PolicyArm
from tests.automation.deciding import World
from tests.automation.rollouts import ALONE, BEGAN, NEW, OLD, PLAN, after, failing, proven, seen, split
from tests.tracking.stores import new_name

DECIDERS = 4
TURNS = 5  # of each
FROZEN = msgspec.structs.replace(PLAN, freeze="12h")
UNFROZEN = msgspec.structs.replace(PLAN, freeze="0s")


@pytest.fixture
def world(control: Control) -> World:
    made = World(control, new_name())
    made.first_policy()
    return made


def refused(code: str, call: Callable[[], object]) -> AutomationError:
    with pytest.raises(AutomationError) as caught:
        call()
    assert caught.value.code == code
    return caught.value


def answering(world: World) -> dict[str, tuple[int, float]]:
    allotment = world.policy.allotment
    return {arm.name: (arm.version, round(arm.share, 9)) for arm in allotment.everybody}


def turns(world: World) -> list[tuple[str, str]]:
    """Kind and turn of the rollout's entries, the oldest first."""
    told = [entry for entry in reversed(world.kept().entries) if entry.kind != "freeze"]
    return [(entry.kind, msgspec.json.decode(entry.evidence, type=Turned).turn) for entry in told]


def test_there_is_no_rollout_at_first(world: World) -> None:
    assert (world.rollouts.current(), world.rollouts.history(), world.rollouts.frozen(BEGAN)) == (
        None,
        [],
        None,
    )
    refused("AU010", lambda: world.rollouts.get(1))


def test_a_rollout_begins_with_its_policy_and_its_entry(world: World) -> None:
    rollout = world.start()
    assert (rollout.number, rollout.revision, rollout.traffic) == (1, 1, 2)
    assert world.rollouts.current() == world.rollouts.get(1) == rollout
    assert answering(world) == {"champion": (7, 1.0), "challenger": (8, 0.0)}
    assert (world.policy.revision, world.policy.by, world.policy.created) == (2, "siklus", BEGAN)
    [entry] = world.kept().entries
    assert (entry.kind, entry.subject, entry.time) == ("rollout", "rollout 1", BEGAN)
    assert entry.text == "rollout 1 begins: version 8 beside version 7, as a shadow, which answers nobody"


def test_from_step_to_step_until_it_is_promoted(world: World) -> None:
    world.start()
    shares = []
    for step in range(1, len(PLAN.steps)):
        world.turn(now=after(hours=2 * step), **proven())
        shares.append(answering(world))
    assert shares == [
        {"champion": (7, 0.95), "challenger": (8, 0.05)},
        {"champion": (7, 0.75), "challenger": (8, 0.25)},
        {"champion": (8, 1.0)},
    ]
    assert world.rollouts.current() is None
    [rollout] = world.rollouts.history()
    assert (rollout.phase, rollout.traffic) == ("promoted", world.policy.revision)
    assert turns(world) == [
        ("rollout", "begin"),
        ("rollout", "advance"),
        ("rollout", "advance"),
        ("promotion", "promote"),
    ]


def test_a_promotion_is_journaled_with_its_paired_test(world: World) -> None:
    world.start()
    for step in range(1, len(PLAN.steps)):
        world.turn(now=after(hours=2 * step), **proven(rows=2600))
    entry = world.kept().entries[0]
    found = msgspec.json.decode(entry.evidence, type=Turned)
    assert found.evidence is not None
    assert found.evidence.quality == proven(rows=2600)["quality"]
    assert (found.evidence.labels, found.traffic, found.phase) == (2600, world.policy.revision, "promoted")
    assert entry.text.startswith("version 8 takes all requests from version 7, after rollout 1: ")
    assert "2,600 labels" in entry.text
    assert world.policy.reason == entry.text


def test_to_hold_is_kept_and_told_only_when_a_test_begins_to_speak(world: World) -> None:
    world.start()
    held = world.turn(now=after(minutes=10), requests=200)
    assert world.rollouts.current() == held
    looked = world.rollouts.looked(1)
    assert looked is not None
    assert looked.time == after(minutes=10)
    assert looked.evidence.counted.requests == (200, 200)
    world.turn(now=after(minutes=11), requests=300, allocation=split(off=True))
    world.turn(now=after(minutes=12), requests=400, allocation=split(off=True))
    assert turns(world) == [("rollout", "begin"), ("rollout", "hold")]
    assert "allocation against version 8" in world.kept().entries[0].text
    assert len(world.kept().policies) == 2


def test_a_rollback_freezes_until_it_is_over_or_somebody_ends_it(world: World) -> None:
    world.start(FROZEN)
    over = world.turn(now=after(minutes=5), failures=failing(worse=True))
    assert (over.phase, answering(world)) == ("rolled_back", {"champion": (7, 1.0)})
    freeze = world.rollouts.frozen(after(hours=12))
    assert freeze is not None
    assert freeze.until == after(hours=12, minutes=5)
    assert world.rollouts.frozen(after(hours=12, minutes=5)) is None
    kinds = [entry.kind for entry in world.kept().entries]
    assert kinds == ["freeze", "rollback", "rollout"]
    assert msgspec.json.decode(world.kept().entries[0].evidence, type=Freeze) == freeze
    assert world.rollouts.thaw(by="jane", now=after(hours=1), reason="mended") == freeze
    assert world.rollouts.frozen(after(hours=1)) is None
    assert world.rollouts.thaw(by="jane", now=after(hours=1)) is None
    assert world.kept().entries[0].text == "rollouts may begin by themselves again: mended"


def test_people_may_start_one_while_it_is_frozen_and_the_loop_may_not(world: World) -> None:
    world.start(FROZEN)
    world.roll_back()
    refused("AU013", world.start)
    draft = drafted(NEW, policy=world.policy, plan=PLAN, now=after(minutes=2), by="jane")
    assert world.rollouts.start(draft).number == 2


def test_no_freeze_where_the_plan_wants_none(world: World) -> None:
    world.start(UNFROZEN)
    world.roll_back()
    assert not world.kept().frozen


def test_one_goes_on_at_a_time_and_the_next_has_the_next_number(world: World) -> None:
    world.start()
    assert "rollout 1 goes on" in refused("AU011", world.start).message
    world.roll_back()
    world.rollouts.thaw(by="jane", now=after(minutes=2))
    assert world.start().number == 2
    assert [rollout.number for rollout in world.rollouts.history()] == [2, 1]


def test_what_is_paused_stays_where_it_is(world: World) -> None:
    world.start()
    paused = world.rollouts.pause(world.current, by="jane", now=after(minutes=1), reason="lunch")
    assert world.turn(now=after(hours=5), **proven()).phase == "paused"
    refused("AU014", lambda: world.rollouts.pause(paused, by="jane", now=after(minutes=2)))
    world.rollouts.resume(world.current, by="joe", now=after(hours=6))
    assert world.turn(now=after(hours=7), **proven()).step == 1
    entries = world.kept().entries[1:3]
    assert [(entry.kind, entry.author) for entry in entries] == [("resume", "joe"), ("pause", "jane")]
    assert entries[1].text == "rollout 1 is paused: lunch"


def test_one_that_is_stopped_leaves_all_to_the_champion_and_nothing_frozen(world: World) -> None:
    world.start()
    world.advance()
    over = world.rollouts.stop(world.current, by="jane", now=after(hours=3), reason="enough")
    assert (over.phase, answering(world)) == ("stopped", {"champion": (7, 1.0)})
    assert (world.rollouts.current(), world.kept().frozen) == (None, False)
    refused("AU014", lambda: world.rollouts.stop(over, by="jane", now=after(hours=3)))


def test_it_gives_way_to_what_somebody_else_has_decided(world: World) -> None:
    rollout = world.start()
    assert world.rollouts.overtaken(rollout) is None
    assert world.rollouts.give_way(rollout, now=after(minutes=1)) == rollout
    theirs = world.traffic.append(ALONE, follows=2, by="joe", now=after(minutes=1))
    assert world.rollouts.overtaken(rollout) == theirs
    refused("AU013", world.advance)
    over = world.rollouts.give_way(rollout, now=after(minutes=2))
    assert (over.phase, world.policy, world.rollouts.current()) == ("overtaken", theirs, None)
    assert world.kept().entries[0].text.endswith("revision 3 of the traffic policy is by joe")


def test_nobody_decides_on_what_is_not_so_any_more(world: World) -> None:
    rollout = world.start()
    world.advance()
    before, evidence = world.kept(), seen(rollout)
    decision = next_step(rollout, evidence, now=after(hours=2))
    refused(
        "AU013", lambda: world.rollouts.carry_out(rollout, decision, evidence=evidence, now=after(hours=2))
    )
    refused("AU013", lambda: world.rollouts.pause(rollout, by="jane", now=after(hours=2)))
    refused("AU013", lambda: world.rollouts.stop(rollout, by="jane", now=after(hours=2)))
    assert world.kept() == before


def test_a_rollout_that_is_over_takes_no_turn(world: World) -> None:
    rollout = world.start()
    evidence = seen(rollout, failures=failing(worse=True))
    decision = next_step(rollout, evidence, now=after(hours=2))
    over = world.rollouts.carry_out(rollout, decision, evidence=evidence, now=after(hours=2))
    before = world.kept()
    assert world.rollouts.carry_out(over, decision, evidence=evidence, now=after(hours=3)) == over
    assert world.kept() == before


SHARED = Allotment(
    arms=(
        msgspec.structs.replace(OLD, share=0.9),
        PolicyArm(name="blue", version=9, share=0.1, digest="9" * 64),
    )
)


def test_it_takes_nothing_from_others_that_share_the_requests(world: World) -> None:
    world.traffic.append(SHARED, follows=1, by="jane", now=BEGAN)
    assert "version 9 (blue)" in refused("AU012", world.start).message
    draft = drafted(OLD, policy=world.policy, plan=PLAN, now=BEGAN)
    refused("AU012", lambda: world.rollouts.start(draft))
    assert world.rollouts.history() == []


def test_a_draft_upon_an_old_policy_does_not_begin(world: World) -> None:
    draft = drafted(NEW, policy=world.policy, plan=PLAN, now=BEGAN)
    world.traffic.append(ALONE, follows=1, by="jane", now=BEGAN)
    refused("AU013", lambda: world.rollouts.start(draft))
    assert world.kept().entries == []


def test_others_may_write_in_the_same_transaction(control: Control) -> None:
    told: list[list[str]] = []

    def also(_connection: sa.Connection, entries: Sequence[Entry]) -> None:
        told.append([entry.kind for entry in entries])
        if "rollback" in told[-1]:
            raise AutomationError("AU010", "the outbox is full")

    model = new_name()
    world = World(control, model)
    world.first_policy()
    rollouts = Rollouts(control, model, also=also)
    attached: list[int] = []
    draft = drafted(NEW, policy=world.policy, plan=PLAN, now=BEGAN)
    rollout = rollouts.start(draft, attach=lambda _connection, number: attached.append(number))
    assert (told, attached) == ([["rollout"]], [1])
    before, evidence = world.kept(), seen(rollout, failures=failing(worse=True))
    decision = next_step(rollout, evidence, now=after(hours=1))
    refused("AU010", lambda: rollouts.carry_out(rollout, decision, evidence=evidence, now=after(hours=1)))
    assert told[-1] == ["rollback", "freeze"]
    assert world.kept() == before


def test_models_do_not_see_each_other(control: Control) -> None:
    worlds = [World(control, new_name()) for _ in range(2)]
    for world in worlds:
        world.first_policy()
    worlds[0].start()
    assert worlds[1].rollouts.current() is None
    assert worlds[1].start().number == 1


def test_of_many_that_decide_at_once_one_wins_each_turn(control_url: str | None, tmp_path: Path) -> None:
    """Each has a connection of its own, so only the database is between them."""
    ready, model, file = threading.Barrier(DECIDERS), new_name(), tmp_path / "control.db"

    def decide(_decider: int) -> list[tuple[str, int]]:
        """Pause what runs and resume what is paused, each upon what is there."""
        found = []
        with open_control(control_url, file=file) as control:
            world = World(control, model)
            for _ in range(TURNS):
                rollout = world.current
                turn = world.rollouts.pause if rollout.phase == "running" else world.rollouts.resume
                ready.wait()
                try:
                    found.append(("won", turn(rollout, by="somebody", now=after(minutes=1)).revision))
                except AutomationError as error:
                    found.append((error.code, rollout.revision))
        return found

    with open_control(control_url, file=file) as control:
        world = World(control, model)
        world.first_policy()
        world.start()
        with ThreadPoolExecutor(max_workers=DECIDERS) as threads:
            found = [turn for turns in threads.map(decide, range(DECIDERS)) for turn in turns]
        [rollout], entries = world.rollouts.history(), world.kept().entries
    won = [revision for code, revision in found if code == "won"]
    assert {code for code, _ in found} == {"won", "AU013"}
    assert sorted(won) == list(range(2, len(won) + 2))
    assert rollout.revision == len(won) + 1
    assert len(entries) == len(won) + 1
