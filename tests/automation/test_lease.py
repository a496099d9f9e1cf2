"""One loop decides for a model; the next takes over when it dies; two that think they may harm nothing."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from siklus.automation.lease import LEASES, Lease
from siklus.automation.rollout.stepping import next_step
from siklus.errors import AutomationError
from siklus.registry.control import Control, open_control
from tests.automation.deciding import World
from tests.automation.rollouts import after, proven, seen
from tests.tracking.stores import new_name

SHORT = 0.4  # seconds of a lease, in tests that wait for its end
LONG = 60.0
LOOPS = 4

HOLD = """
import sys, time
from pathlib import Path
from siklus.automation.lease import Lease
from siklus.registry.control import open_control
with open_control(sys.argv[1] or None, file=Path(sys.argv[2])) as control:
    print(Lease(control, sys.argv[3], holder="a", seconds=float(sys.argv[4])).held(), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def model() -> str:
    return new_name()


def test_one_holds_it_as_long_as_it_comes_back(control: Control, model: str) -> None:
    one, other = (Lease(control, model, holder=name, seconds=LONG) for name in "ab")
    assert [one.held(), other.held(), one.held()] == [True, False, True]
    holding = other.seen()
    assert holding is not None
    assert (holding.holder, holding.over) == ("a", False)


def test_models_of_one_database_have_one_each(control: Control, model: str) -> None:
    assert Lease(control, model, holder="a", seconds=LONG).held()
    assert Lease(control, new_name(), holder="b", seconds=LONG).held()


def test_whoever_lets_go_leaves_it_to_the_next_at_once(control: Control, model: str) -> None:
    one, other = (Lease(control, model, holder=name, seconds=LONG) for name in "ab")
    assert one.held()
    other.release()  # not its own to let go of
    assert not other.held()
    one.release()
    assert other.held()


def test_a_holder_that_comes_back_by_its_name_does_not_wait(control: Control, model: str) -> None:
    assert Lease(control, model, holder="a", seconds=LONG).held()
    assert Lease(control, model, holder="a", seconds=LONG).held()


def test_after_a_kill_another_takes_over_in_time(
    control: Control, control_url: str | None, model: str, tmp_path: Path
) -> None:
    words = [control_url or "", str(tmp_path / "control.db"), model, str(SHORT)]
    with subprocess.Popen([sys.executable, "-c", HOLD, *words], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        holder.kill()
        killed = time.monotonic()
    other = Lease(control, model, holder="b", seconds=SHORT)
    while not other.held():
        assert time.monotonic() - killed < SHORT + 30
        time.sleep(0.02)


def test_a_lease_of_the_future_was_taken_by_a_clock_that_was_wrong(control: Control, model: str) -> None:
    one, other = (Lease(control, model, holder=name, seconds=LONG) for name in "ab")
    assert one.held()
    with control.transaction() as connection:
        ahead = {"renewed_ms": LEASES.c.renewed_ms + 3_600_000}
        connection.execute(sa.update(LEASES).where(LEASES.c.model == model).values(ahead))
    assert other.held()


def test_of_many_that_come_at_once_one_gets_it(control_url: str | None, model: str, tmp_path: Path) -> None:
    together = threading.Barrier(LOOPS)

    def ask(name: str) -> bool:
        with open_control(control_url, file=tmp_path / "control.db") as control:
            lease = Lease(control, model, holder=name, seconds=LONG)
            together.wait(timeout=60)
            return lease.held()

    with ThreadPoolExecutor(LOOPS) as threads:
        assert sum(threads.map(ask, "abcd")) == 1


def test_two_that_both_think_they_hold_it_decide_once(control: Control, model: str) -> None:
    """Whoever is slow between its question and its decision has seen a state that is no more."""
    world = World(control, model)
    world.first_policy()
    begun = world.start()
    evidence, now = seen(begun, **proven()), after(hours=2)
    decision = next_step(begun, evidence, now=now)
    assert decision.action == "advance"
    world.rollouts.carry_out(begun, decision, evidence=evidence, now=now)
    kept = world.kept()
    with pytest.raises(AutomationError) as caught:
        world.rollouts.carry_out(begun, decision, evidence=evidence, now=now)
    assert caught.value.code == "AU013"
    assert world.kept() == kept
