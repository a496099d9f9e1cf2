"""A turn of the loop: each part goes on without the others, and with what another loop has begun."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec import structs
from msgspec.structs import replace

from siklus.automation.loop import Loop, draft_of
from siklus.automation.retraining.jobs import Outcome, Retraining
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.signs import Signs
from siklus.automation.rollout.rollout import Rollout
from siklus.automation.rollout.rollouts import Rollouts
from siklus.errors import AutomationError
from siklus.registry.asks import Ask, asks_folder, leave_ask
from siklus.registry.control import Control, open_control
from siklus.registry.policy import Allotment
from siklus.registry.published import PUBLISHED, read_policy, write_policy
from siklus.registry.traffic import Traffic
from tests.monitor.watched import project_in
from tests.serve.counting import flights
from tests.serve.published import placed

PATIENCE_SECONDS = 120.0
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
HEAVY = ("mlflow", "sklearn", "optuna", "pandas", "onnx")
ASK = Ask(id="a1", time=NOW, by="jane", via="webhook", reason="a new season")
UNTRIGGERED = "[retrain]\non = []\n"


def at(**later: float) -> datetime:
    return NOW + timedelta(**later)


@pytest.fixture(autouse=True)
def loops() -> Iterator[list[Loop]]:
    """Those that a test has opened, which end with it."""
    opened: list[Loop] = []
    yield opened
    for loop in opened:
        loop.end()


class Place:
    """A project whose champion is version 7 by the traffic policy, with version 8 among its bundles."""

    def __init__(self, folder: Path, control: Control, loops: list[Loop], *, more: str = "") -> None:
        self._loops = loops
        self.project = project_in(folder, more=UNTRIGGERED + more)
        state, self.control = self.project.paths.state, control
        published = read_policy(self.project.paths.run / PUBLISHED).allotment.champion
        self.new = placed(state, 8, flights(folder / "new"))
        self.traffic = Traffic(control, "flights")
        self.rollouts, self.retrainings = Rollouts(control, "flights"), Retrainings(control, "flights")
        if self.traffic.current() is None:
            self.traffic.append(Allotment(arms=(published,)), follows=0, by="jane", now=NOW)

    def loop(self) -> Loop:
        self._loops.append(Loop(self.project, self.control, environment={}))
        return self._loops[-1]

    def accepted(self) -> Retraining:
        """A retraining came to version 8."""
        self.retrainings.ask(ASK)
        job = self.retrainings.turn(Signs(version="7"), self.project.settings.retrain, now=NOW)
        assert job is not None
        job = self.retrainings.started(job, now=NOW)
        outcome = Outcome(state="accepted", reason="it is better", version=8, bundle=self.new.digest)
        return self.retrainings.record(job, outcome, now=NOW)

    def draft(self, job: Retraining) -> Rollout:
        plan = self.project.settings.rollout
        draft = draft_of(job, self.traffic.current(), plan=plan, now=NOW)
        assert draft is not None
        return draft

    def published(self) -> list[tuple[str, int, float]]:
        allotment = read_policy(self.project.paths.run / PUBLISHED).allotment
        return [(arm.name, arm.version, arm.share) for arm in allotment.everybody]


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with open_control(None, file=tmp_path / "control.db") as control:
        yield control


@pytest.fixture
def here(tmp_path: Path, control: Control, loops: list[Loop]) -> Place:
    return Place(tmp_path / "here", control, loops)


def test_a_challenger_that_was_accepted_is_a_shadow_within_the_turn(here: Place) -> None:
    job = here.accepted()
    loop = here.loop()
    assert loop.turn(now=at(minutes=1)).decided
    assert loop.busy
    rollout = here.rollouts.current()
    assert rollout is not None
    assert (rollout.challenger.version, rollout.retraining, rollout.step) == (8, job.number, 0)
    assert here.published() == [("champion", 7, 1.0), ("challenger", 8, 0.0)]


def test_a_rollout_begins_with_its_job_knowing_of_it_or_not_at_all(here: Place) -> None:
    """So no loop, wherever another one has died, begins it again."""
    job = here.accepted()
    stale = replace(job, revision=job.revision + 1)
    with pytest.raises(AutomationError, match="AU030"):
        here.rollouts.start(here.draft(job), attach=partial(here.retrainings.attach, job=stale))
    assert here.rollouts.history() == []
    here.loop().turn(now=at(minutes=1))
    here.loop().turn(now=at(minutes=2))
    [begun] = here.rollouts.history()
    found = here.retrainings.get(job.number)
    assert found is not None
    assert found.rollout == begun.number


def test_a_person_who_deals_requests_otherwise_ends_the_rollout(here: Place) -> None:
    here.accepted()
    here.loop().turn(now=at(seconds=1))
    [begun] = here.rollouts.history()
    champion = begun.champion
    here.traffic.append(Allotment(arms=(champion,)), follows=begun.traffic, by="jane", now=at(minutes=1))
    here.loop().turn(now=at(minutes=2))
    assert here.rollouts.get(begun.number).phase == "overtaken"
    assert here.published() == [("champion", 7, 1.0)]


def test_by_hand_means_that_nothing_begins_by_itself(
    tmp_path: Path, control: Control, loops: list[Loop]
) -> None:
    here = Place(tmp_path / "here", control, loops, more="[rollout]\nautomatic = false\n")
    here.accepted()
    here.loop().turn(now=at(minutes=1))
    assert here.rollouts.history() == []


def test_of_two_machines_one_decides_and_both_take_what_they_are_asked(
    tmp_path: Path, control: Control, loops: list[Loop]
) -> None:
    here, there = (Place(tmp_path / name, control, loops) for name in ("here", "there"))
    one, other = here.loop(), there.loop()
    leave_ask(asks_folder(there.project.paths), ASK)
    assert [one.turn(now=NOW).decided, other.turn(now=NOW).decided] == [True, False]
    assert [ask.by for ask in here.retrainings.waiting()] == ["jane"]
    one.end()
    assert other.turn(now=at(minutes=1)).decided


def test_what_was_seen_of_the_champion_before_is_no_reason_to_train_anew(here: Place) -> None:
    here.traffic.append(Allotment(arms=(here.new,)), follows=1, by="jane", now=NOW)
    leave_ask(asks_folder(here.project.paths), ASK)
    loop = here.loop()
    seen = loop.turn(now=at(minutes=1)).seen
    assert seen is not None
    assert seen.version == "7"
    assert here.retrainings.current() is None
    loop.turn(now=at(minutes=2))
    assert here.retrainings.current() is not None


def test_a_look_that_fails_keeps_nobody_from_deciding(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = here.loop()
    here.accepted()
    with here.control.transaction() as connection:
        for name in sa.inspect(connection).get_table_names():
            if "look" in name:
                connection.execute(sa.text(f'DROP TABLE "{name}"'))
    turn = loop.turn(now=at(minutes=1))
    assert (turn.seen, turn.decided) == (None, True)
    assert here.rollouts.current() is not None
    assert '"part":"look"' in capsys.readouterr().err


def test_a_database_from_a_backup_still_reaches_the_servers(here: Place) -> None:
    """Servers go by revision 40, which gives a share to a challenger, and the database knows of none."""
    file = here.project.paths.run / PUBLISHED
    [champion] = read_policy(file).allotment.arms
    arms = (structs.replace(champion, share=0.75), structs.replace(here.new, name="challenger", share=0.25))
    unknown = structs.replace(read_policy(file), revision=40, allotment=Allotment(arms=arms, salt="x"))
    write_policy(unknown, file)
    loop = here.loop()
    loop.turn(now=NOW)
    assert here.published() == [("champion", 7, 1.0)]
    assert read_policy(file).revision == 41
    loop.turn(now=at(minutes=1))
    assert [policy.revision for policy in here.traffic.history()] == [41, 1]


def test_a_rollout_goes_on_though_servers_are_ahead_of_its_database(here: Place) -> None:
    loop = here.loop()
    begun = here.rollouts.start(here.draft(here.accepted()))
    loop.turn(now=NOW)
    file = here.project.paths.run / PUBLISHED
    write_policy(structs.replace(read_policy(file), revision=40), file)
    loop.turn(now=at(minutes=1))
    found = here.rollouts.current()
    assert found is not None
    assert (found.number, found.traffic, found.phase) == (begun.number, 41, "running")
    assert read_policy(file).allotment.shadows[0].version == 8


def test_a_retraining_whose_process_dies_each_time_has_failed(here: Place) -> None:
    """There is no flights.csv. Whatever the process says of that, the job comes to an end."""
    here.retrainings.ask(ASK)
    loop = here.loop()
    give_up = time.monotonic() + PATIENCE_SECONDS
    while loop.turn(now=NOW).decided and here.retrainings.current() is not None:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    found = here.retrainings.get(1)
    assert found is not None
    assert found.state == "failed"
    assert 1 <= found.attempts <= 3


def test_the_loop_loads_nothing_that_trains() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, siklus.automation.loop; print(*sorted(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert not set(HEAVY) & set(found.stdout.split())
