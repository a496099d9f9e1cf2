"""Who answers which share, on each step of a rollout and after it."""

import msgspec
import pytest

from siklus.automation.rollout.allotments import allotment_of, salt_of
from siklus.automation.rollout.transitions import ended
from siklus.registry.policy import MOST_ARMS, Allotment, PolicyArm, checked
from tests.automation.rollouts import ALONE, NEW, OLD, rollout


def shares(allotment: Allotment) -> dict[str, tuple[int, float]]:
    return {arm.name: (arm.version, arm.share) for arm in allotment.everybody}


def shadow(version: int, name: str) -> PolicyArm:
    return PolicyArm(name=name, version=version, share=0.0, digest=f"{version % 10}" * 64)


def test_a_challenger_is_a_shadow_then_has_its_share() -> None:
    first = checked(allotment_of(rollout(step=0), ALONE))
    assert shares(first) == {"champion": (7, 1.0), "challenger": (8, 0.0)}
    assert [arm.name for arm in first.shadows] == ["challenger"]
    second = checked(allotment_of(rollout(step=1), first))
    assert shares(second) == {"champion": (7, 0.95), "challenger": (8, 0.05)}
    assert second.shadows == ()
    assert second.arms[1].digest == NEW.digest


@pytest.mark.parametrize("step", [0, 1, 2])
def test_whoever_wins_gets_everything_and_keys_stay(step: int) -> None:
    going = rollout(step=step)
    before = allotment_of(going, ALONE)
    promoted = checked(allotment_of(ended(going, "promoted", reason=""), before))
    assert shares(promoted) == {"champion": (8, 1.0)}
    assert promoted.champion.digest == NEW.digest
    for how in ("rolled_back", "stopped"):
        alone = checked(allotment_of(ended(going, how, reason=""), before))
        assert shares(alone) == {"champion": (7, 1.0)}
        assert (alone.sticky, alone.salt) == (ALONE.sticky, before.salt)


def test_an_overtaken_rollout_leaves_what_somebody_else_has_decided() -> None:
    theirs = Allotment(arms=(msgspec.structs.replace(OLD, version=9),), salt="theirs")
    assert allotment_of(ended(rollout(step=1), "overtaken", reason=""), theirs) == theirs


def test_keys_are_dealt_anew_for_each_rollout_and_once() -> None:
    steps = [allotment_of(rollout(step=step), ALONE) for step in (0, 1, 2)]
    assert len({step.salt for step in steps} | {salt_of(rollout())}) == 1
    assert {step.sticky for step in steps} == {ALONE.sticky}
    again = msgspec.structs.replace(rollout(), number=4)
    other = msgspec.structs.replace(rollout(), challenger=msgspec.structs.replace(NEW, digest="9" * 64))
    assert len({ALONE.salt, salt_of(rollout()), salt_of(again), salt_of(other)}) == 4


def test_shadows_that_somebody_has_set_go_on_watching_where_there_is_room() -> None:
    others = tuple(shadow(version, f"shadow-{version}") for version in range(11, 11 + MOST_ARMS))
    busy = msgspec.structs.replace(ALONE, shadows=others)
    first = checked(allotment_of(rollout(step=0), busy))
    assert first.shadows == (first.shadows[0], *others[:-1])
    assert checked(allotment_of(rollout(step=1), busy)).shadows == others
    assert checked(allotment_of(ended(rollout(), "promoted", reason=""), busy)).shadows == others


def test_a_version_that_was_a_shadow_before_its_rollout_stands_once() -> None:
    watched = msgspec.structs.replace(ALONE, shadows=(shadow(8, "challenger"), shadow(12, "other")))
    for step in (0, 1):
        begun = checked(allotment_of(rollout(step=step), watched))
        assert sorted(arm.version for arm in begun.everybody) == [7, 8, 12]
