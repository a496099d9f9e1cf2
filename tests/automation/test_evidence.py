"""What a rollout knows: whole requests of real servers since they learned of the step, and its bundles."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from siklus.automation.rollout.evidence import Gatherer
from siklus.automation.rollout.rollout import Evidence, Rollout
from siklus.ledgers.totals import read_totals
from siklus.monitor.looks import Looks, project_looks
from siklus.project.file import OpenProject, open_project
from siklus.project.loop import RolloutPlan, Step
from siklus.records.layout import Layout
from siklus.records.read import newest
from siklus.registry.control import control_uri, open_control
from siklus.registry.policy import PolicyArm
from tests.serve.bundles import brittle_regressor, numbers, regressor, slow_regressor
from tests.serve.published import eventually, placed, publish, serving_state, shared
from tests.serve.servers import Server

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
FILE = """
[project]
name = "minutes"
task = "regression"

[data]
path = "rows.csv"
target = "minutes"
"""
SETTLE = timedelta(seconds=10)
NEVER_FAILS = {"a": 1.0}
FAILS = {"a": 7.0}  # at the brittle model, which answers 0, 1 and 2


@dataclass
class Scene:
    """A project with a champion and a challenger, whose servers are looked at by hand."""

    project: OpenProject
    looks: Looks
    champion: PolicyArm
    challenger: PolicyArm
    moment: datetime = BEGAN

    @property
    def state(self) -> Path:
        return self.project.paths.root / ".siklus"

    def look(self, *, minutes: float = 1.0) -> None:
        """A minute later."""
        self.moment += timedelta(minutes=minutes)
        self.looks.add(read_totals(self.project.paths.run / "counters"), replica="here", now=self.moment)

    def rollout(self, *steps: Step, sticky: str | None = None, since: datetime = BEGAN) -> Rollout:
        return Rollout(
            challenger=self.challenger,
            champion=self.champion,
            plan=RolloutPlan(steps=steps or (0.5, 1.0), settle="10s"),
            began=BEGAN,
            since=since,
            sticky=sticky,
        )

    def gathered(self, rollout: Rollout) -> Evidence:
        return Gatherer(self.project, self.looks).gather(rollout, now=self.moment)


@contextmanager
def scene(folder: Path, champion: Path, challenger: Path) -> Iterator[Scene]:
    (folder / "siklus.toml").write_text(FILE)
    project = open_project(folder, environment={})
    url = control_uri(project.settings.state.control, project.paths.root)
    with open_control(url, file=project.paths.control_database) as control:
        arms = placed(folder / ".siklus", 1, champion), placed(folder / ".siklus", 2, challenger)
        yield Scene(project, project_looks(control, project.settings), *arms)


@pytest.fixture
def brittle(tmp_path: Path) -> Iterator[Scene]:
    """The challenger fails at whatever is not 0, 1 or 2."""
    sound = slow_regressor(tmp_path / "sound", rounds=1)
    with scene(tmp_path, sound, brittle_regressor(tmp_path / "brittle")) as found:
        yield found


@contextmanager
def halves(found: Scene, **policy: str) -> Iterator[Server]:
    """A server that gives either half of the requests."""
    publish(found.state, 1, *shared(found.champion, found.challenger, champion=0.5, blue=0.5), **policy)
    with serving_state(found.state) as server:
        server.wait_until_ready()
        yield server


def ask(server: Server, row: dict[str, float], *, times: int = 1) -> list[httpx.Response]:
    return [server.client.post("/predict", json={"features": row}) for _ in range(times)]


def test_requests_are_counted_whole_and_from_when_servers_knew(brittle: Scene) -> None:
    with halves(brittle) as server:
        ask(server, NEVER_FAILS, times=30)  # before the first look after the step has settled
        brittle.look()
        answers = ask(server, NEVER_FAILS, times=40)
        batches = [server.batch([NEVER_FAILS] * 25) for _ in range(8)]
        brittle.look()
    versions = [answer.json()["version"] for answer in answers] + [each["version"] for each in batches]
    found = brittle.gathered(brittle.rollout())
    counted = found.counted
    assert counted.requests == (versions.count("2"), versions.count("1"))
    assert counted.failures == (0, 0)
    assert counted.dealt == counted.requests
    assert tuple(map(sum, counted.latencies)) == counted.requests
    assert found.allocation is not None
    assert (found.allocation.rows, found.allocation.mismatch) == (48, False)
    assert (found.quality, found.labels, found.unfit) == (None, 0, "")
    late = brittle.gathered(brittle.rollout(since=brittle.moment))
    assert late.counted.requests == (0, 0)


def test_a_challenger_that_fails_is_blamed_for_all_that_it_was_dealt(brittle: Scene) -> None:
    with halves(brittle) as server:
        brittle.look()
        statuses = [answer.status_code for answer in ask(server, FAILS, times=100)]
        server.client.post("/predict", content=b"{", headers={"Content-Type": "application/json"})
        brittle.look()
    found = brittle.gathered(brittle.rollout())
    assert found.counted.failures == (statuses.count(500), 0)
    assert found.counted.requests == (statuses.count(500), statuses.count(200))
    assert found.failures is not None
    assert found.failures.worse


def test_what_a_client_does_wrong_fails_nobody_unless_contracts_differ(tmp_path: Path) -> None:
    """One asks for a, the other for a and b: what is right for the one, the other refuses."""
    one = slow_regressor(tmp_path / "one", rounds=1)
    two = regressor(tmp_path / "two")
    assert numbers("a") != numbers("a", "b")
    with scene(tmp_path, one, two) as found, halves(found) as server:
        found.look()
        statuses = [answer.status_code for answer in ask(server, NEVER_FAILS, times=60)]
        found.look()
        evidence = found.gathered(found.rollout())
    assert evidence.counted.failures == (statuses.count(422), 0)
    assert evidence.failures is not None
    assert evidence.failures.worse


def test_a_shadow_is_judged_by_what_the_champion_has_answered(brittle: Scene) -> None:
    shadow = PolicyArm(name="challenger", version=2, share=0.0, digest=brittle.challenger.digest)
    publish(brittle.state, 1, brittle.champion, shadows=(shadow,))
    layout = Layout(brittle.project.paths.records)
    with serving_state(brittle.state) as server:
        server.wait_until_ready()
        brittle.look()
        ask(server, NEVER_FAILS, times=12)
        ask(server, FAILS, times=20)

        def counted() -> bool:
            brittle.look(minutes=0.1)
            return brittle.gathered(brittle.rollout("shadow", 0.5)).counted.requests[0] == 32

        eventually(counted, what="the shadow never scored them")
    found = brittle.gathered(brittle.rollout("shadow", 0.5))
    assert found.counted.requests == (32, 32)
    assert found.counted.failures == (20, 0)
    assert found.failures is not None
    assert found.failures.worse
    assert (found.latency, found.allocation) == (None, None)
    assert {record.version for record in newest(layout, 100) if record.shadow} <= {"2"}


def test_a_column_that_deals_deals_single_rows_only(brittle: Scene) -> None:
    with halves(brittle, sticky="column:a") as server:
        brittle.look()
        ask(server, NEVER_FAILS, times=5)
        server.batch([NEVER_FAILS] * 3)
        brittle.look()
    found = brittle.gathered(brittle.rollout(sticky="column:a"))
    assert sorted(found.counted.requests) == [0, 5]
    assert found.allocation is None


def test_a_challenger_that_cannot_be_opened_is_unfit(brittle: Scene) -> None:
    gatherer, rollout = Gatherer(brittle.project, brittle.looks), brittle.rollout()
    assert gatherer.gather(rollout, now=BEGAN).unfit == ""
    model = brittle.project.paths.bundles / brittle.challenger.digest / "model.onnx"
    sound = model.read_bytes()
    model.chmod(0o644)
    model.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    assert "damaged, or gone" in gatherer.gather(rollout, now=BEGAN).unfit  # though it is open in here
    assert "BN005" in Gatherer(brittle.project, brittle.looks).gather(rollout, now=BEGAN).unfit
    model.unlink()
    assert "BN004" in Gatherer(brittle.project, brittle.looks).gather(rollout, now=BEGAN).unfit


def test_a_challenger_that_no_server_would_open_is_unfit(tmp_path: Path) -> None:
    """It is sound as a bundle, but fails at the row that servers try first: it would get no request ever."""
    sound = slow_regressor(tmp_path / "sound", rounds=1)
    with scene(tmp_path, sound, brittle_regressor(tmp_path / "brittle", first=5)) as found:
        publish(found.state, 1, found.champion)
        with serving_state(found.state) as server:
            server.wait_until_ready()
            publish(found.state, 2, *shared(found.champion, found.challenger, champion=0.5, blue=0.5))

            def refused() -> bool:
                return "BN012" in server.client.get("/health").text

            eventually(refused, what="the server opened it")
        assert "BN012" in found.gathered(found.rollout()).unfit


def test_without_the_champions_bundle_counts_still_speak(brittle: Scene) -> None:
    with halves(brittle) as server:
        brittle.look()
        ask(server, FAILS, times=60)
        brittle.look()
    shutil.rmtree(brittle.project.paths.bundles / brittle.champion.digest)
    found = brittle.gathered(brittle.rollout())
    assert (found.unfit, found.quality) == ("", None)
    assert found.failures is not None
    assert found.failures.worse


def test_while_outcomes_cannot_be_read_counts_still_speak(brittle: Scene) -> None:
    brittle.project.paths.records.mkdir(parents=True)
    Layout(brittle.project.paths.records).outcomes.write_bytes(b"no database at all, but long enough" * 9)
    found = brittle.gathered(brittle.rollout())
    assert (found.labels, found.counted.requests, found.unfit) == (0, (0, 0), "")
