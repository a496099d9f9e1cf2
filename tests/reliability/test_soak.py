"""Soak: for minutes under mixed load, while workers die and versions change, a server stays what it is."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil
import pytest

from siklus.records.layout import Layout
from siklus.records.query import query
from siklus.registry.policy import PolicyArm
from tests.figures import Figure
from tests.reliability.askers import MOST_ROWS, Asker
from tests.reliability.growth import Watch
from tests.serve.published import publish, serving_state, shared, version_in
from tests.serve.servers import Server
from tests.serve.test_supervisor import Told

MINUTES = float(os.environ.get("SIKLUS_SOAK_MINUTES", "10"))
CLIENTS = 4
SWAP_SECONDS, KILL_SECONDS, LOOK_SECONDS = 3.0, 15.0, 0.5
WARM_SHARE = 0.4  # of the time, in which caches fill; growth is measured after it
GROWN_BYTES = 8_000_000  # of one process: noise; 100 leaked bytes a request come to more in ten minutes
GROWN_DESCRIPTORS = GROWN_THREADS = 3
# Two workers seal 30 segments from one compaction to the next; Parquet files are merged by eight.
MOST_FILES, GROWN_FILES = 150, 20
UNWRITTEN_SECONDS = 0.25  # before a kill; written is after 10 ms, where the machine has time for it
SETTINGS = ["--workers", "2", "--records-segment-seconds", "2", "--records-segment-bytes", "300000"]


class Trouble:
    """Kills and swaps, each when it is due. ``kills``: when they came, by the monotonic clock."""

    def __init__(self, server: Server, state: Path, versions: Sequence[PolicyArm]) -> None:
        self._supervisor = psutil.Process(server.process.pid)
        self._state, self._versions = state, versions
        self._revisions = count(2)
        self.kills: list[float] = []
        self.swaps = 0

    def make(self, *, elapsed: float) -> None:
        if elapsed > (self.swaps + 1) * SWAP_SECONDS:
            self.swaps += 1
            self._swap()
        if elapsed > (len(self.kills) + 1) * KILL_SECONDS:
            youngest = max(self._workers(), key=psutil.Process.create_time)
            self.kills.append(time.monotonic())
            youngest.kill()

    def oldest_worker(self) -> psutil.Process:
        return min(self._workers(), key=psutil.Process.create_time)

    def _workers(self) -> list[psutil.Process]:
        """Without the compaction, which is another program."""
        words = self._supervisor.cmdline()
        return [each for each in self._supervisor.children() if each.cmdline() == words]

    def _swap(self) -> None:
        """One answers all, or two share, or one of them only watches."""
        first, second = (self._versions[(self.swaps + i) % len(self._versions)] for i in (0, 1))
        revision = next(self._revisions)
        match self.swaps % 3:
            case 0:
                publish(self._state, revision, first)
            case 1:
                publish(self._state, revision, *shared(first, second, champion=0.7, blue=0.3))
            case _:
                [shadow] = shared(second, shadow=0.0)
                publish(self._state, revision, first, shadows=(shadow,))


@contextmanager
def asking(server: Server) -> Iterator[list[Asker]]:
    over = threading.Event()
    askers = [Asker(server.port, seed) for seed in range(CLIENTS)]
    threads = [threading.Thread(target=asker.ask_until, args=(over,)) for asker in askers]
    for thread in threads:
        thread.start()
    try:
        yield askers
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
def test_a_server_stays_what_it_is_under_load_and_trouble(tmp_path: Path, figure: Figure) -> None:
    state = tmp_path / "state"
    versions = [version_in(state, number) for number in (1, 2, 3)]
    publish(state, 1, versions[0])
    with serving_state(state, *SETTINGS) as server:
        told = Told(server)
        trouble = Trouble(server, state, versions)
        watch = Watch(psutil.Process(server.process.pid), trouble.oldest_worker(), state)
        with asking(server) as askers:
            began = time.monotonic()
            while (elapsed := time.monotonic() - began) < 60 * MINUTES:
                trouble.make(elapsed=elapsed)
                watch.look()
                time.sleep(LOOK_SECONDS)
        time.sleep(2)  # what is answered is counted and written
        counted = sum(value for name, value in server.series().items() if is_answered(name))
        server.client.close()
        server.process.terminate()
        events = told.rest()
    hold_steady(watch, since=began + 60 * MINUTES * WARM_SHARE, figure=figure)
    hold_answers(askers, trouble, counted, figure=figure)
    hold_records(Layout(state / "records"), askers, trouble, figure=figure)
    errors = [event["event"] for event in events if event["level"] == "error"]
    assert errors == ["worker_dead"] * len(trouble.kills)


def is_answered(series: str) -> bool:
    """Whether it counts rows that clients were given."""
    parts = "ml_predictions_total{", 'endpoint="/', 'status="success"'
    return all(part in series for part in parts)


def hold_steady(watch: Watch, *, since: float, figure: Figure) -> None:
    for process in ("supervisor", "worker"):
        grown = watch.grown(f"{process} memory", since=since)
        most = watch.most(f"{process} memory")
        figure(f"soak: memory of the {process} grew by", f"{grown / 1e6:.1f} MB, at most {most / 1e6:.0f} MB")
        assert grown < GROWN_BYTES
        assert watch.grown(f"{process} descriptors", since=since) < GROWN_DESCRIPTORS
        assert watch.grown(f"{process} threads", since=since) < GROWN_THREADS
    figure("soak: open files of a worker, at most", f"{watch.most('worker descriptors'):.0f}")
    figure("soak: files in the state directory, at most", f"{watch.most('files'):.0f}")
    assert watch.grown("files", since=since) < GROWN_FILES
    assert watch.most("files") < MOST_FILES


def hold_answers(askers: Sequence[Asker], trouble: Trouble, counted: float, *, figure: Figure) -> None:
    outcomes = sum((asker.outcomes for asker in askers), start=type(askers[0].outcomes)())
    kills, named = len(trouble.kills), sum(len(asker.named) for asker in askers)
    figure("soak: minutes, swaps, killed workers", f"{MINUTES:g}, {trouble.swaps}, {kills}")
    figure("soak: requests by what they were answered", dict(sorted(outcomes.items())))
    figure("soak: rows answered and rows counted", f"{named}, {counted:.0f}")
    assert outcomes.keys() <= {"2xx", "4xx", "broken"}
    assert outcomes["broken"] <= kills * CLIENTS
    assert abs(counted - named) <= kills * CLIENTS * MOST_ROWS


def hold_records(layout: Layout, askers: Sequence[Asker], trouble: Trouble, *, figure: Figure) -> None:
    written = [str(row[0]) for row in query(layout, "SELECT prediction_id FROM predictions").rows]
    stored = {str(row[0]) for row in query(layout, "SELECT prediction_id FROM outcomes").rows}
    named = {name: when for asker in askers for name, when in asker.named.items()}
    missing = {name: named[name] for name in named.keys() - set(written)}
    unexplained = [when for when in missing.values() if not is_just_before(when, trouble.kills)]
    told = set().union(*(asker.acknowledged for asker in askers))
    figure("soak: answered rows missing in the log", f"{len(missing)} of {len(named)}")
    figure("soak: of these, not within a moment of a kill", len(unexplained))
    figure("soak: acknowledged outcomes lost", f"{len(told - stored)} of {len(told)}")
    assert len(set(written)) == len(written)
    assert unexplained == []
    assert len(written) - len(named) + len(missing) <= len(trouble.kills) * CLIENTS * MOST_ROWS
    assert told <= stored


def is_just_before(when: float, kills: Sequence[float]) -> bool:
    return any(-0.1 < kill - when < UNWRITTEN_SECONDS for kill in kills)
