"""Metrics of a whole server: any worker shows what all have counted, over deaths and restarts."""

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from siklus.serve.counting.exposition import GPUS
from tests.architecture.source import ROOT
from tests.serve.counting import ORIGINS, PROFILES, Series, flights, of_feature, parsed, value
from tests.serve.servers import START_SECONDS, Server, serving_bundle

DOCS = ROOT / "docs" / "metrics.md"
WATCH = "What the watch has found"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers with a state directory, for tests that only look."""
    with watched(tmp_path_factory.mktemp("pair")) as server:
        yield server


def watched(folder: Path) -> AbstractContextManager[Server]:
    """Two workers with a state directory, whose every count follows from the rows."""
    bundle = folder / "bundle"
    path = bundle if bundle.exists() else flights(bundle)
    state = ["--state", str(folder / "state")]
    return serving_bundle(path, "--version", "7", "--workers", "2", *state)  # type: ignore[no-any-return]  # its own


def scraped(server: Server) -> Series:
    """The page of whichever worker takes the connection, and a valid one."""
    with httpx.Client(base_url=str(server.client.base_url)) as client:
        return parsed(client.get("/metrics").text)


def send(server: Server, rows: Sequence[Mapping[str, object]], *, clients: int = 20) -> None:
    """Each row as a request of its own; many connections, so that every worker gets some."""
    for some in range(clients):
        with httpx.Client(base_url=str(server.client.base_url), timeout=START_SECONDS) as client:
            for row in rows[some::clients]:
                assert client.post("/predict", json={"features": row}).status_code == 200


def eventually(says: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not says():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def rows_by_chance(count: int, seed: int) -> list[dict[str, object]]:
    chance = random.Random(seed)
    origins = [*ORIGINS, "ORD", None]
    return [
        {"distance": chance.choice([None, -1, 0, 7, 50, 99.5, 101]), "origin": chance.choice(origins)}
        for _ in range(count)
    ]


def hold(series: Series, rows: Sequence[Mapping[str, object]]) -> None:
    """Every count is what counting these rows by hand gives."""
    one = {"endpoint": "/predict", "version": "7"}
    assert value(series, "ml_predictions_total", status="success", **one) == len(rows)
    assert value(series, "ml_prediction_latency_seconds_count", **one) == len(rows)
    yes = sum((row["distance"] or 0) > 0 for row in rows)  # type: ignore[operator]  # a number
    for label, count in (("yes", yes), ("no", len(rows) - yes)):
        labels = {"prediction_class": label, "version": "7"}
        assert value(series, "ml_prediction_distribution_total", **labels) == count


def hold_features(series: Series, rows: Sequence[Mapping[str, object]]) -> None:
    distance = PROFILES["distance"].count(np.array([row["distance"] for row in rows], dtype=np.float64))
    outside = (distance.missing, distance.non_finite, distance.below_minimum, distance.above_maximum)
    assert list(of_feature(series, "distance").values()) == [*distance.bins, *outside]
    origins = [row["origin"] for row in rows]
    expected = {"JFK": "JFK", "LGA": "LGA", "EWR": "EWR", "<<odd>>": "<odd>"}
    expected |= {"<missing>": None, "<unseen>": "ORD"}  # type: ignore[dict-item]  # what a missing cell is
    counts = {label: origins.count(word) for label, word in expected.items()}
    assert of_feature(series, "origin") == {**counts, "<other words>": 0}
    unseen = value(series, "ml_unseen_category_total", feature="origin", version="7")
    assert unseen == origins.count("ORD")


def test_any_worker_shows_the_whole_server_and_death_and_restart_lose_nothing(tmp_path: Path) -> None:
    rows = rows_by_chance(300, seed=1)
    with watched(tmp_path) as server:
        send(server, rows[:120])
        eventually(lambda: rows_binned(server) == 120)
        for _ in range(8):
            series = scraped(server)
            hold(series, rows[:120])
            hold_features(series, rows[:120])
        workers = psutil.Process(server.process.pid).children()
        workers[0].kill()
        eventually(lambda: starts(server) == 3)
        send(server, rows[120:200])
        eventually(lambda: rows_binned(server) == 200)
        hold(scraped(server), rows[:200])
    with watched(tmp_path) as server:
        hold_features(scraped(server), rows[:200])
        send(server, rows[200:])
        eventually(lambda: rows_binned(server) == 300)
        series = scraped(server)
        hold(series, rows)
        hold_features(series, rows)
        assert value(series, "ml_log_written_total") == 300
        assert value(series, "ml_log_dropped_total") == 0


def rows_binned(server: Server) -> float:
    return sum(of_feature(scraped(server), "origin").values())


def starts(server: Server) -> float:
    series = scraped(server)
    return sum(
        count
        for (name, labels), count in series.items()
        if name == "ml_worker_starts_total" and ("worker", "supervisor") not in labels
    )


@pytest.mark.slow  # tests/reliability/test_killed_servers.py holds counts through kills in every run
def test_a_kill_loses_no_more_than_what_waits_for_its_bins(tmp_path: Path) -> None:
    rows = rows_by_chance(400, seed=2)
    labels = {"endpoint": "/predict", "status": "success", "version": "7"}
    with watched(tmp_path) as server:
        send(server, rows)
        eventually(lambda: value(scraped(server), "ml_predictions_total", **labels) == len(rows))
        for worker in psutil.Process(server.process.pid).children():
            worker.kill()
        eventually(lambda: starts(server) == 4)
        series = scraped(server)
        hold(series, rows)
        assert sum(of_feature(series, "origin").values()) <= len(rows)


def test_processes_are_shown_each_with_what_it_uses(pair: Server) -> None:
    series = scraped(pair)
    supervisor = psutil.Process(pair.process.pid)
    for name in ("0", "1", "supervisor"):
        assert value(series, "ml_worker_up", worker=name) == 1
        assert value(series, "process_cpu_seconds_total", worker=name) > 0
        assert value(series, "process_open_fds", worker=name) > 3
        age = time.time() - value(series, "process_start_time_seconds", worker=name)
        assert -2 < age < START_SECONDS
    resident = value(series, "process_resident_memory_bytes", worker="supervisor")
    assert resident == pytest.approx(supervisor.memory_info().rss, rel=0.3)
    assert value(series, "ml_model_info", name="flights", version="7", task="classification") == 1
    assert value(series, "ml_traffic_share", arm="champion", version="7") == 1
    assert value(series, "ml_traffic_revision") == 0
    labels = {"feature": "origin", "bin": "JFK", "version": "7"}
    assert value(series, "ml_feature_reference_ratio", **labels) == 0.6


def test_feedback_and_limits_are_counted(tmp_path: Path) -> None:
    path = flights(tmp_path / "bundle")
    options = ["--state", str(tmp_path / "state"), "--max-body-bytes", "2000", "--max-batch-rows", "3"]
    with serving_bundle(path, *options) as server:
        known = server.predict({"distance": 1, "origin": "JFK"})["prediction_id"]
        foreign = "019c1a3e-5b7a-7c41-9d2e-0f3b6a8c1d24"
        for identity, outcome in (
            (known, "yes"),
            (known, "yes"),
            (known, "no"),
            (foreign, "yes"),
            (known, 7),
        ):
            server.client.post("/feedback", json={"prediction_id": identity, "outcome": outcome})
        server.client.post("/predict", content=b" " * 3000)
        server.client.post("/predict/batch", json={"instances": [[1, "JFK"]] * 4})
        series = scraped(server)
    results = {"new": 1, "known": 1, "conflicting": 1, "unknown_id": 1, "refused": 1, "error": 0}
    assert {name: value(series, "ml_feedback_total", result=name) for name in results} == results
    assert value(series, "ml_limited_total", limit="body_bytes") == 1
    assert value(series, "ml_limited_total", limit="batch_rows") == 1


NVIDIA_SMI = """#!/bin/sh
echo asked >> "$0.log"
echo "0, 37, 1024, 81920"
echo "1, [N/A], 512, 81920"
echo "Unable to determine the device handle for GPU"
"""


def test_gpus_are_shown_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(NVIDIA_SMI)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    with serving_bundle(flights(tmp_path / "bundle"), "--version", "7") as server:
        eventually(lambda: ("ml_gpu_utilization_ratio", frozenset({("gpu", "0")})) in scraped(server))
        series = scraped(server)
        send(server, rows_by_chance(50, seed=3))
    assert value(series, "ml_gpu_utilization_ratio", gpu="0") == 0.37
    assert value(series, "ml_gpu_memory_used_bytes", gpu="1") == 512 * 2**20
    assert value(series, "ml_gpu_memory_bytes", gpu="0") == 80 * 2**30
    assert ("ml_gpu_utilization_ratio", frozenset({("gpu", "1")})) not in series
    assert len(Path(f"{tool}.log").read_text().splitlines()) <= 2, "asked at times, never at a request"


def test_promtool_finds_nothing_to_mend(pair: Server) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("SIKLUS_REQUIRE_SERVERS"):
            pytest.fail("promtool is missing: it is in Debian's package prometheus")
        pytest.skip("promtool is not installed")
    page = pair.client.get("/metrics").text
    done = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_an_openmetrics_page_reads_as_such(pair: Server) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    page = pair.client.get("/metrics", headers=accept).text
    names = {family.name for family in openmetrics.text_string_to_metric_families(page)}
    assert {"ml_predictions", "ml_feature_bin", "ml_prediction_latency_seconds"} <= names


def documented(page: str, *, of: str = "") -> dict[str, set[str]]:
    """The labels of each metric that the page has in a table; of one heading only where it is named."""
    part = page.partition(f"\n## {of}\n")[2].partition("\n## ")[0] if of else page
    rows = re.findall(r"^\| `(\w+)` \| [a-z]+ \|([^|]*)\|", part, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def test_the_docs_name_every_metric_with_its_labels(pair: Server) -> None:
    """GPUs apart, which this machine may not have."""
    shown: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(pair.client.get("/metrics").text):
        suffix = "_total" if family.type == "counter" else ""
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        shown[family.name + suffix] = labels
    page = DOCS.read_text()
    # What a monitor finds is not the server's own: tests/monitor/test_gauges.py.
    watched = documented(page, of=WATCH)
    told = {name: labels for name, labels in documented(page).items() if name not in watched}
    # The label's name is the task's: `bin` for a regression.
    told["ml_prediction_distribution_total"].discard("bin")
    assert {name: labels for name, labels in told.items() if not name.startswith("ml_gpu")} == shown
    assert {name for name in told if name.startswith("ml_gpu")} == {name for name, _, _ in GPUS}
