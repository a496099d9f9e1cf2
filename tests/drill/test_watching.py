"""What a drill sees is what came after its fault, by the order in which it was written down."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from siklus.bundle.read import open_bundle
from siklus.drill.sandbox import LOG, Sandbox
from siklus.drill.sink import open_sink
from siklus.drill.traffic import Traffic
from siklus.drill.watching import Moment, Watcher
from siklus.drill.world import World
from siklus.monitor.alerts.store import KIND
from siklus.project.file import open_project
from siklus.registry.journal import Entry, Journal
from tests.serve.bundles import regressor

FILE = '[project]\nname = "minutes"\ntask = "regression"\n[data]\npath = "rows.csv"\ntarget = "minutes"\n'


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """One whose server has ended: what is seen is written by the test."""
    (tmp_path / "siklus.toml").write_text(FILE)
    (tmp_path / LOG).touch()
    server = subprocess.Popen([sys.executable, "-c", ""])
    server.wait()
    champion = open_bundle(regressor(tmp_path / "bundle"))
    project = open_project(tmp_path, environment={})
    with open_sink() as sink:
        yield Sandbox(project=project, champion=champion, sink=sink, port=9, server=server)


def written(sandbox: Sandbox, *, kind: str, time: datetime, signal: str = "") -> None:
    evidence = msgspec.Raw(msgspec.json.encode({"signal": signal, "state": "firing"}))
    entry = Entry(time=time, kind=kind, subject="it", author="siklus", text="so it is", evidence=evidence)
    with sandbox.control() as control:
        Journal(control, "minutes").append(entry)


def test_what_a_turn_decides_that_began_before_the_fault_is_seen(sandbox: Sandbox) -> None:
    written(sandbox, kind="challenger", time=datetime.now(UTC))
    traffic = Traffic(9, World(instances=[{"a": 1.0}], outcomes=[1.0]))
    moment = Moment.now(traffic)
    watcher = Watcher(sandbox, traffic, moment)
    written(sandbox, kind="rollback", time=moment.time - timedelta(seconds=0.9))
    [seen] = watcher.see()
    assert (seen.what, seen.about, seen.seconds) == ("journal", "rollback", 0.0)


def test_what_fired_before_the_fault_is_known(sandbox: Sandbox) -> None:
    written(sandbox, kind=KIND, time=datetime.now(UTC), signal="drift_alarm")
    traffic = Traffic(9, World(instances=[{"a": 1.0}], outcomes=[1.0]))
    watcher = Watcher(sandbox, traffic, Moment.now(traffic))
    written(sandbox, kind=KIND, time=datetime.now(UTC), signal="missing_jump")
    assert watcher.before() == {"drift_alarm"}
    assert {seen.about for seen in watcher.see() if seen.what == "alert"} == {"missing_jump"}
