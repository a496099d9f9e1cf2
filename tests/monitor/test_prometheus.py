"""Counts by way of a real Prometheus are those of the server's own files."""

import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from siklus.errors import MonitorError
from siklus.ledgers.totals import read_totals
from siklus.monitor.prometheus import PrometheusCounts
from siklus.monitor.readings import asked
from siklus.monitor.subject import Subjects
from siklus.project.file import open_project
from tests.deploy.programs import eventually, free_port, running_prometheus
from tests.monitor.test_watch import ROWS, values
from tests.monitor.watched import project_in, watching
from tests.serve.published import serving_state
from tests.serve.servers import Server

SCRAPE = """
scrape_configs:
  - job_name: flights
    scrape_interval: 200ms
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def scraped(folder: Path, server: Server) -> Path:
    folder.mkdir()
    (folder / "prometheus.yml").write_text(SCRAPE.format(port=server.port))
    return folder


def test_what_prometheus_has_is_what_the_ledgers_have(tmp_path: Path) -> None:
    project = project_in(tmp_path / "flights")
    layouts = Subjects(project.paths).layouts()
    with (
        serving_state(project.paths.state) as server,
        running_prometheus(scraped(tmp_path / "scraped", server), tmp_path / "data") as prometheus,
    ):
        server.wait_until_ready()
        server.batch(ROWS)
        for row in ROWS[:20]:
            server.predict(row)
        assert server.client.post("/predict", json={"features": {"distance": "far"}}).status_code == 422
        server.series()
        [ours] = read_totals(project.paths.run / "counters").versions
        counts = PrometheusCounts(url=str(prometheus.client.base_url), job="flights")

        def read() -> int:
            found = counts.read(layouts, now=datetime.now(UTC))
            return sum(asked(totals).total for totals in found.values())

        eventually(read, lambda total: total == asked(read_totals(project.paths.run / "counters")).total)
        time.sleep(0.5)  # another scrape, with the bins that were counted since
        [theirs] = counts.read(layouts, now=datetime.now(UTC)).values()

    [version] = theirs.versions
    np.testing.assert_array_equal(version.counts, ours.counts)
    np.testing.assert_allclose(version.sums, ours.sums, rtol=1e-12)
    assert version.layout == ours.layout


def test_a_watch_counts_what_prometheus_has_scraped(tmp_path: Path) -> None:
    port = free_port()
    more = f'[monitor]\nprometheus = "http://127.0.0.1:{port}"\n'
    project = project_in(tmp_path / "flights", more=more)
    with watching(project) as watch, pytest.raises(MonitorError, match="Prometheus at") as refused:
        watch.look(now=datetime.now(UTC))
    assert refused.value.code == "MO080"
    assert refused.value.message == f"Prometheus at http://127.0.0.1:{port}: Connection refused"

    with (
        serving_state(project.paths.state) as server,
        running_prometheus(scraped(tmp_path / "scraped", server), tmp_path / "data") as prometheus,
    ):
        server.wait_until_ready()
        text = (project.paths.root / "siklus.toml").read_text()
        url = str(prometheus.client.base_url).rstrip("/")
        (project.paths.root / "siklus.toml").write_text(text.replace(f"http://127.0.0.1:{port}", url))
        with watching(open_project(project.paths.root, environment={})) as watch:
            eventually(lambda: prometheus.ask('ml_predictions_total{job="flights"}'), bool)
            watch.look(now=datetime.now(UTC))
            server.batch(ROWS)
            found = eventually(
                lambda: values(watch.look(now=datetime.now(UTC))),
                lambda found: found.get("predictions_since_training") == len(ROWS),
            )
    assert found["error_rate"] == 0


def test_a_server_that_says_something_else_is_no_prometheus() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.listen(0)
        counts = PrometheusCounts(url=f"http://127.0.0.1:{deaf.getsockname()[1]}", job="flights", seconds=0.3)
        with pytest.raises(MonitorError, match="timed out"):
            counts.read([], now=datetime.now(UTC))
