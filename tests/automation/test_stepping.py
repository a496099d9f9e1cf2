"""What a rollout does next, case by case: each rule where it decides, and what it tells."""

from itertools import product

import msgspec
import pytest

from siklus.automation.rollout.rollout import Evidence, Rollout
from siklus.automation.rollout.stepping import next_step
from siklus.automation.rollout.transitions import applied, paused, resumed
from siklus.project.loop import RolloutPlan
from tests.automation.rollouts import (
    PLAN,
    after,
    failing,
    losses,
    proven,
    rollout,
    seen,
    slow,
    split,
    step_counts,
)

LAST = 2  # the last step on which the champion has a share


def test_a_step_takes_its_time_and_its_requests() -> None:
    begun = rollout()
    early = next_step(begun, seen(begun), now=after(minutes=59))
    assert (early.action, early.reason) == ("hold", "59 min of 1h on this step")
    few = next_step(begun, seen(begun, 499), now=after(hours=1))
    assert (few.action, few.reason) == ("hold", "499 of 500 requests on this step")
    enough = next_step(begun, seen(begun, 500), now=after(hours=1))
    assert (enough.action, enough.reason) == (
        "advance",
        "nothing speaks against version 8 after 500 requests: to 5 %",
    )


def test_requests_of_another_step_do_not_count() -> None:
    later = rollout(step=1)
    stale = Evidence(counted=step_counts("shadow", 10_000))
    assert next_step(later, stale, now=after(hours=5)).action == "hold"


@pytest.mark.parametrize("step", range(LAST + 1))
@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"failures": failing(worse=True)}, "version 8 fails more often: 40 of 50 failures are its"),
        ({"latency": slow(over=True)}, "version 8 is too slow"),
        ({"quality": losses(0.1, 0.9), "labels": 900}, "version 8 is worse on 900 labels"),
        ({"unfit": "its bundle is gone"}, "version 8 cannot be served: its bundle is gone"),
    ],
)
def test_what_speaks_against_the_challenger_rolls_back_at_once(
    step: int, found: dict[str, object], told: str
) -> None:
    begun = rollout(step=step)
    decision = next_step(begun, seen(begun, 0, **found), now=after(seconds=11))
    assert decision.action == "roll_back"
    assert decision.reason.startswith(told)
    halted = paused(begun, now=after(seconds=5))
    assert next_step(halted, seen(begun, 0, **found), now=after(seconds=11)).action == "roll_back"


def test_the_last_step_wants_proof_that_the_challenger_is_no_worse() -> None:
    ready = rollout(step=LAST)
    assert next_step(ready, seen(ready, **proven()), now=after(hours=1)).action == "promote"
    for lacking, told in [
        ({}, "0 of 2,000 labels: without outcomes nobody knows whether it is any good"),
        (proven(1999), "1,999 of 2,000 labels"),
        (proven() | {"quality": losses(-0.2, 0.3)}, "2,500 labels do not show yet that it is no worse"),
        (proven() | {"champion_loss": None, "quality": losses(-0.1, 0.1)}, "2,500 labels do not show yet"),
    ]:
        decision = next_step(ready, seen(ready, **lacking), now=after(hours=1))
        assert decision.action == "hold"
        assert decision.reason.startswith(told)


def test_a_challenger_that_is_worse_within_the_margin_is_neither_promoted_nor_rolled_back() -> None:
    ready = rollout(step=LAST)
    for low, action in ((0.05, "hold"), (0.15, "hold"), (0.17, "roll_back")):
        found = proven() | {"quality": losses(low, low + 0.005)}
        decision = next_step(ready, seen(ready, **found), now=after(hours=1))
        assert decision.action == action
    assert decision.reason.endswith("beside the champion's, at least +0.17")


@pytest.mark.parametrize(("high", "action"), [(0.159, "promote"), (0.161, "hold")])
def test_the_margin_is_a_share_of_the_champions_loss(high: float, action: str) -> None:
    ready = rollout(step=LAST)  # 2 % of 8 minutes
    found = proven() | {"quality": losses(-0.1, high)}
    assert next_step(ready, seen(ready, **found), now=after(hours=1)).action == action


def test_without_any_minimum_of_labels_there_is_still_no_promotion_without_them() -> None:
    ready = rollout(msgspec.structs.replace(PLAN, min_labels=0, min_requests=0, hold="0s"), step=LAST)
    decision = next_step(ready, seen(ready, 0), now=after(days=1))
    assert (decision.action, decision.reason) == (
        "hold",
        "0 of 1 label: without outcomes nobody knows whether it is any good",
    )


def test_a_split_that_is_off_blocks_every_step_until_the_rollout_is_given_up() -> None:
    for step in range(LAST + 1):
        begun = rollout(step=step)
        off = next_step(begun, seen(begun, allocation=split(off=True), **proven()), now=after(hours=2))
        assert (off.action, off.standing) == ("hold", ("allocation",))
        noted = applied(begun, off, counted=step_counts("shadow"), now=after(hours=2))
        calm = seen(noted, allocation=split(off=False), **proven())
        assert next_step(noted, calm, now=after(hours=3)).action == "hold"
        assert next_step(noted, calm, now=after(days=7)).action == "give_up"


def test_a_rollout_that_takes_too_long_is_given_up_and_says_what_it_lacked() -> None:
    ready = rollout(step=LAST)
    assert next_step(ready, seen(ready), now=after(days=6.99)).action == "hold"
    decision = next_step(ready, seen(ready), now=after(days=7))
    assert decision.action == "give_up"
    assert decision.reason.startswith("it has taken 7 days, and may take 7d: 0 of 2,000 labels")


def test_a_pause_holds_and_is_not_counted_as_time_that_it_took() -> None:
    ready = rollout(step=LAST)
    halted = paused(ready, now=after(days=6))
    assert next_step(halted, seen(halted, **proven()), now=after(days=60)).reason == "it is paused"
    again = resumed(halted, now=after(days=60))
    assert next_step(again, seen(again), now=after(days=60.9)).action == "hold"
    assert next_step(again, seen(again), now=after(days=61)).action == "give_up"


@pytest.mark.parametrize("step", range(LAST + 1))
def test_a_clock_that_was_set_back_advances_nothing(step: int) -> None:
    begun = rollout(step=step)
    decision = next_step(begun, seen(begun, **proven()), now=after(days=-30))
    assert decision.action == "hold"
    assert "the clock was set back" in decision.reason


def test_a_clock_that_leaps_ahead_leaves_the_champion() -> None:
    for step in range(LAST + 1):
        begun = rollout(step=step)
        assert next_step(begun, seen(begun, **proven()), now=after(days=365)).action == "give_up"


def test_a_plan_that_ends_below_all_requests_waits_for_somebody() -> None:
    plan = msgspec.structs.replace(PLAN, steps=("shadow", 0.5))
    ready = rollout(plan, step=1)
    decision = next_step(ready, seen(ready, **proven()), now=after(hours=2))
    assert (decision.action, decision.reason) == ("hold", "its plan ends here: `siklus promote` goes on")


def test_an_experiment_goes_on_whoever_is_better_but_not_with_a_broken_arm() -> None:
    plan = RolloutPlan(steps=(0.5,), hold="0s", give_up="1d", min_requests=0)
    trial = rollout(plan, kind="experiment")
    for found in (proven(), {"quality": losses(0.5, 0.9)}, {"allocation": split(off=True)}, {}):
        assert next_step(trial, seen(trial, **found), now=after(days=30)).action == "hold"
    for broken in ({"failures": failing(worse=True)}, {"latency": slow(over=True)}, {"unfit": "it is gone"}):
        assert next_step(trial, seen(trial, **broken), now=after(hours=1)).action == "roll_back"


def test_what_an_earlier_look_has_found_stands() -> None:
    remembered = msgspec.structs.replace(rollout(), standing=("latency",))
    decision = next_step(remembered, seen(remembered, latency=slow(over=False)), now=after(hours=2))
    assert (decision.action, decision.reason) == (
        "roll_back",
        "an earlier look has found version 8 worse by its latency",
    )


def test_every_combination_of_evidence_gets_one_answer_and_the_champion_is_safe_first() -> None:
    ready = rollout(step=LAST)
    for worse, over, off, low in product((False, True), (False, True), (False, True), (-0.5, 0.1)):
        found = {
            "failures": failing(worse=worse),
            "latency": slow(over=over),
            "allocation": split(off=off),
            "quality": losses(low, 0.15),
            "champion_loss": 8.0,
            "labels": 3000,
        }
        expected = "roll_back" if worse or over else "hold" if off or low > 0 else "promote"
        assert next_step(ready, seen(ready, **found), now=after(hours=2)).action == expected


def test_what_is_over_is_left_alone() -> None:
    def over(phase: str) -> Rollout:
        return msgspec.structs.replace(rollout(), phase=phase)

    for phase in ("promoted", "rolled_back", "given_up", "stopped", "overtaken"):
        gone = over(phase)
        decision = next_step(gone, seen(gone, failures=failing(worse=True)), now=after(days=30))
        assert decision.action == "hold"
        assert applied(gone, decision, counted=step_counts("shadow"), now=after(days=30)) is gone
