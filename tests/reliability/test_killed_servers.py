"""Whole servers are killed, supervisor and workers at once: what they acknowledged is there afterwards."""

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from siklus.records.layout import Layout
from siklus.records.query import query
from siklus.records.reading import is_damage, read_segment
from siklus.records.segments import all_segments
from tests.figures import Figure
from tests.serve.bundles import regressor
from tests.serve.servers import START_SECONDS, Server, answering, start

CLIENTS = 3
LOAD_SECONDS = 0.1
# A group is written after 10 ms; a machine that is taken by others may keep its thread from that for longer.
UNWRITTEN_SECONDS = 0.25
SUCCESS = 'ml_predictions_total{endpoint="/predict",status="success",version="7"}'
NEW = 'ml_feedback_total{result="new"}'


@dataclass
class Received:
    """What clients were told: when each prediction was answered, and the outcomes that were acknowledged."""

    answered: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)
    asked: int = 0  # predictions, answered or not
    told: int = 0  # outcomes, acknowledged or not

    def ask_on(self, port: int) -> None:
        """Ask and tell until the server dies."""
        with (
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)) as connection,
            suppress(OSError, http.client.HTTPException),
        ):
            until_ready(connection)
            while True:
                self.asked += 1
                name = _posted(connection, "/predict", {"features": [8, 9]})["prediction_id"]
                self.answered[name] = time.monotonic()
                if self.asked % 4 == 0:
                    self.told += 1
                    _posted(connection, "/feedback", {"prediction_id": name, "outcome": self.told})
                    self.acknowledged[name] = self.told


def until_ready(connection: http.client.HTTPConnection) -> None:
    """The worker at the other end may still load, though the server's other one answers already."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        connection.request("GET", "/ready")
        response = connection.getresponse()
        response.read()
        if response.status == 200:
            return
        time.sleep(0.01)
    raise AssertionError("a worker is not ready")


def _posted(connection: http.client.HTTPConnection, path: str, body: object) -> dict[str, str]:
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    assert response.status == 200, content
    return dict(json.loads(content))


@contextmanager
def doomed(bundle: Path, state: Path) -> Iterator[Server]:
    """A server of two workers that is killed in the end."""
    words = [
        "--bundle",
        str(bundle),
        "--version",
        "7",
        "--state",
        str(state),
        "--workers",
        "2",
        "--port",
        "0",
    ]
    process = start("-m", "siklus.serve", *words)
    try:
        with answering(process) as server:
            yield server
    finally:
        kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    """All at once: stopped first, none of them sees another's end."""
    if process.returncode is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in (process.pid, *(each.pid for each in family)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    process.communicate(timeout=START_SECONDS)
    give_up = time.monotonic() + START_SECONDS
    while any(is_alive(each) for each in family):
        assert time.monotonic() < give_up
        time.sleep(0.005)


def is_alive(process: psutil.Process) -> bool:
    """A dead one may wait for long to be buried by whoever inherited it."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def asked_until_killed(server: Server, seen: list[Received]) -> dict[str, float]:
    """Of each prediction that was answered, how many seconds before the kill."""
    before = {name for each in seen for name in each.answered}
    threads = [threading.Thread(target=each.ask_on, args=(server.port,)) for each in seen]
    for thread in threads:
        thread.start()
    time.sleep(LOAD_SECONDS)
    when = time.monotonic()
    kill(server.process)
    for thread in threads:
        thread.join(timeout=START_SECONDS)
    answered = {name: at for each in seen for name, at in each.answered.items()}
    return {name: max(0.0, when - answered[name]) for name in answered.keys() - before}


def logged(state: Path) -> set[str]:
    """Of segments and Parquet: compactions were killed too."""
    layout = Layout(state / "records")
    found = [entry for path in all_segments(layout.segments) for entry in read_segment(path)]
    assert not any(is_damage(entry) for entry in found)
    assert not layout.damaged.exists()
    names = [str(row[0]) for row in query(layout, "SELECT prediction_id FROM predictions").rows]
    assert len(set(names)) == len(names)
    return set(names)


def stored(state: Path) -> dict[str, int]:
    with closing(sqlite3.connect(state / "records" / "outcomes.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = database.execute("SELECT prediction_id, outcome FROM outcomes")
        return {name: int(outcome) for name, outcome in found}


@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_a_killed_server_has_lost_nothing_that_it_acknowledged(
    times: int, tmp_path: Path, figure: Figure
) -> None:
    bundle, state = regressor(tmp_path / "bundle"), tmp_path / "state"
    seen = [Received() for _ in range(CLIENTS)]
    ages: dict[str, float] = {}
    for kills in range(times):
        with doomed(bundle, state) as server:
            hold_counts(server, seen, kills=kills)
            ages |= asked_until_killed(server, seen)
    with doomed(bundle, state) as server:
        hold_counts(server, seen, kills=times)
        assert server.predict([8, 9])["prediction"] == 5.0
    kept, written = stored(state), logged(state)
    told = {name: outcome for each in seen for name, outcome in each.acknowledged.items()}
    lost = [name for name, outcome in told.items() if kept.get(name) != outcome]
    unwritten = [ages[name] for name in ages.keys() - written]
    oldest = max(unwritten, default=0.0)
    figure(f"{times} servers killed, acknowledged outcomes lost", f"{len(lost)} of {len(told)}")
    figure(f"{times} servers killed, answers missing in the log", f"{len(unwritten)} of {len(ages)}")
    figure(f"{times} servers killed, the oldest missing answer came", f"{1000 * oldest:.0f} ms before")
    assert lost == []
    assert oldest < UNWRITTEN_SECONDS
    assert len(told) > times


def hold_counts(server: Server, seen: list[Received], *, kills: int) -> None:
    """A killed worker has counted what it answered, but for the last turn of its loop, and nothing else."""
    series = server.series()
    answered = sum(len(each.answered) for each in seen)
    new = sum(len(each.acknowledged) for each in seen)
    assert abs(series.get(SUCCESS, 0) - answered) <= CLIENTS * kills
    assert new <= series.get(NEW, 0) <= new + CLIENTS * kills
