"""The watch beside a real server: what it sees, what it shows, and what it survives."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from siklus.errors import FileError
from siklus.files import lock
from siklus.monitor.alerts.events import Notification
from siklus.monitor.alerts.store import Alerts
from siklus.monitor.look import Seen
from siklus.monitor.rounds import LOCK
from siklus.monitor.watch import watch
from siklus.project.file import open_project
from siklus.registry.control import open_control
from tests.cli.projects import siklus
from tests.monitor.watched import project_in, watching
from tests.serve.published import serving_state
from tests.serve.servers import START_SECONDS, Server

ROWS = [{"distance": float(i % 101), "origin": ("JFK", "LGA")[i % 3 == 0]} for i in range(600)]
FAST = '[monitor]\nlook = "1s"\nstep = "2s"\nwindow = "1h"\n'


def values(seen: Seen) -> dict[str, float]:
    return {f"{each.name} {each.label}".strip(): each.value for each in seen.signals}


def soon(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it never came to it"
        time.sleep(0.1)


def flushed(server: Server) -> dict[str, float]:
    """What the page shows; asking for it brings all counts into the ledgers."""
    return server.series()


@contextmanager
def watch_of(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "siklus.monitor.watch", "--project", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_look_sees_what_the_server_has_answered(tmp_path: Path) -> None:
    project = project_in(tmp_path / "flights", more=FAST)
    now = datetime.now(UTC)
    with watching(project) as watch, serving_state(project.paths.state) as server:
        server.wait_until_ready()
        watch.look(now=now - timedelta(seconds=90))
        server.batch(ROWS)
        assert server.client.post("/predict", json={"features": {"distance": "far"}}).status_code == 422
        flushed(server)
        found = values(watch.look(now=now))
        page = flushed(server)

    assert found["predictions_since_training"] == 600
    assert found["refused_rate"] == pytest.approx(1 / 601)
    assert found["error_rate"] == 0
    assert found["predictions_per_second"] == pytest.approx(600 / 90), "of the time that was looked over"
    assert found["unseen_share origin"] == 0
    assert found["drift_score origin"] > 0.2, "JFK 2 of 3 times instead of 6 of 10, and never EWR"
    assert found["memory"] > 10e6
    assert page['ml_signal{signal="predictions_since_training"}'] == 600
    assert page['ml_feature_drift_score{feature="origin",version="7"}'] == found["drift_score origin"]
    assert page["ml_watch_last_look_timestamp_seconds"] == now.timestamp()


def test_without_a_server_or_a_version_a_look_says_so_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    project = project_in(folder)
    for policy in project.paths.run.iterdir():
        policy.unlink()
    with watching(open_project(folder, environment={})) as watch:
        seen = watch.look(now=datetime.now(UTC))
    assert seen.version is None
    assert "predictions_per_second" not in values(seen)


def test_a_disk_that_takes_no_board_keeps_no_alert_back(tmp_path: Path) -> None:
    project = project_in(tmp_path / "flights")
    (project.paths.run / "watch.json").mkdir()  # as little to be written as on a full disk
    with watching(project) as watch, pytest.raises(FileError, match="FS001"):
        watch.look(now=datetime.now(UTC))
    with open_control(None, file=project.paths.control_database) as control:
        told = [
            event.rule
            for each in Alerts(control, "flights").outbox.waiting()
            for event in each.notification.events
        ]
    assert told == ["model_age"], "the model is sealed with a date of long ago"


def test_an_old_board_is_not_shown(tmp_path: Path) -> None:
    project = project_in(tmp_path / "flights")
    with watching(project) as watch, serving_state(project.paths.state) as server:
        watch.look(now=datetime.now(UTC) - timedelta(hours=1))
        assert not [name for name in flushed(server) if name.startswith("ml_signal")]
        watch.look(now=datetime.now(UTC))
        assert [name for name in flushed(server) if name.startswith("ml_signal")]


def test_the_program_looks_until_told_to_end_and_reads_the_file_again(tmp_path: Path) -> None:
    folder = tmp_path / "flights"
    project = project_in(folder, more=FAST)
    board = project.paths.run / "watch.json"
    with watch_of(folder) as process:
        soon(board.exists)
        text = (folder / "siklus.toml").read_text()
        (folder / "siklus.toml").write_text(text + "[monitor")
        assert process.stderr is not None
        lines = (json.loads(line) for line in iter(process.stderr.readline, ""))
        assert any(line["event"] == "look_failed" for line in lines), "the broken file is said"
        (folder / "siklus.toml").write_text(text + '[[alerts]]\nsignal = "nothing"\nabove = 1\n')
        assert any(line.get("code") == "AL001" for line in lines), "and so is a rule that cannot be"
        at = board.stat().st_mtime_ns
        soon(lambda: board.stat().st_mtime_ns > at)
        (folder / "siklus.toml").write_text(text.replace('look = "1s"', 'look = "2s"'))
        assert any(line.get("look") == "2s" for line in lines), "the mended one is read"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=START_SECONDS) == 0


def test_what_is_due_between_two_looks_is_delivered_then(tmp_path: Path) -> None:
    folder = tmp_path / "flights"
    project = project_in(folder, more='[monitor]\nlook = "1d"\n')
    notification = Notification(project="flights", receiver="log", time=datetime.now(UTC), events=())
    pauses, looked, waiting = [], [], []

    def waited(seconds: float) -> bool:
        """Something comes to be due in the first pause."""
        pauses.append(seconds)
        with open_control(None, file=project.paths.control_database) as control:
            alerts = Alerts(control, "flights")
            waiting.append(len(alerts.outbox.waiting()))
            looked.append(alerts.standing().looked)
            if len(pauses) == 1:
                with control.transaction() as connection:
                    alerts.outbox.put(connection, [notification], now=datetime.now(UTC))
                waiting.append(len(alerts.outbox.waiting()))
        return len(pauses) == 2

    watch(lambda: project, pinned=None, waited=waited)
    assert waiting == [0, 1, 0]
    assert looked[0] == looked[1], "without a look"
    assert 0 < max(pauses) <= 60


def test_two_watches_of_one_state_take_turns(tmp_path: Path) -> None:
    folder = tmp_path / "flights"
    board = project_in(folder, more=FAST).paths.run / "watch.json"
    with watch_of(folder) as first, watch_of(folder) as second:
        soon(board.exists)
        time.sleep(1)
        assert (first.poll(), second.poll()) == (None, None)
        first.kill()
        first.wait()
        at = board.stat().st_mtime_ns
        soon(lambda: board.stat().st_mtime_ns > at)


def test_a_look_by_hand_leaves_the_rules_to_the_watch_that_runs(tmp_path: Path) -> None:
    folder = tmp_path / "flights"
    project = project_in(folder)

    def rules_were_asked() -> bool:
        found = siklus("watch", "--once", "-C", folder)
        assert found.code == 0, found.err
        with open_control(None, file=project.paths.control_database) as control:
            return Alerts(control, "flights").standing().looked is not None

    with lock(project.paths.run / LOCK, what="a watch"):
        assert not rules_were_asked(), "it knows less: a rate takes two looks"
    assert rules_were_asked()
