"""Replicas: several servers on one state directory, each with a run directory of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from siklus.ledgers.totals import read_totals
from siklus.project.file import open_project
from siklus.records.layout import Layout
from siklus.records.query import query
from siklus.serve.access.keys import add_key
from tests.cli.projects import answered
from tests.deploy.programs import Prometheus, running_prometheus
from tests.monitor.test_watch import ROWS, values
from tests.monitor.watched import project_in, watching
from tests.serve.counting import flights
from tests.serve.published import eventually, placed, publish, serving_state, shared
from tests.serve.servers import START_SECONDS, Server, start

COUNT = 2
SCRAPE = """
scrape_configs:
  - job_name: flights
    scrape_interval: 200ms
    static_configs: [{{targets: [{targets}]}}]
"""


@contextmanager
def replicas(state: Path, runs: Path, *options: str) -> Iterator[list[Server]]:
    """Servers over one state, each with its own directory below ``runs``."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving_state(state, "--run", str(runs / str(number)), *options))
            for number in range(COUNT)
        ]


def known(server: Server, answer: Any, outcome: str) -> int:
    """How many outcomes of this answer the server takes for new."""
    sent = [{"prediction_id": name, "outcome": outcome} for name in answer["prediction_ids"]]
    return int(server.answered("/feedback", sent)["new"])


def test_two_servers_on_one_state_are_one_service(tmp_path: Path) -> None:
    """Ids of either are known to both, all records and outcomes are together, and each counts its own."""
    project, rows = project_in(tmp_path / "flights"), ROWS[:40]
    state, runs = project.paths.state, tmp_path / "runs"
    with replicas(state, runs) as (one, other):
        here, there = one.batch(rows), other.batch(rows)
        assert not {*here["prediction_ids"]} & {*there["prediction_ids"]}
        assert (known(other, here, "yes"), known(one, there, "yes")) == (len(rows), len(rows))
        assert known(one, here, "yes") == 0  # the other has taken them
        issued = {*here["prediction_ids"], *there["prediction_ids"]}
        asked = ("log", "query", "SELECT prediction_id FROM joined WHERE outcome = 'yes'")
        assert {row["prediction_id"] for row in answered(*asked, "--project", project.paths.root)} == issued
    counted = [read_totals(runs / str(number) / "counters").versions[0] for number in range(COUNT)]
    assert [int(each.counts[each.layout.predictions :][:2].sum()) for each in counted] == [len(rows)] * COUNT
    assert not (project.paths.run / "counters").exists()
    quality = answered("quality", "--project", project.paths.root)
    assert quality["whole"]["labels"]["labelled"] == COUNT * len(rows)


def test_keys_and_traffic_are_every_servers(tmp_path: Path) -> None:
    project = project_in(tmp_path / "flights")
    state = project.paths.state
    with replicas(state, tmp_path / "runs") as servers:
        assert [server.predict(ROWS[0])["version"] for server in servers] == ["7"] * COUNT
        other = placed(state, 8, flights(tmp_path / "draft"))
        publish(state, 2, *shared(other, champion=1.0))
        for server in servers:
            eventually(lambda server=server: server.predict(ROWS[0])["version"] == "8", what="no swap")
        secret = add_key(state / "keys.json", "app", per_second=None, now=datetime.now(UTC))
        ask = {"json": {"features": ROWS[0]}}
        for server in servers:
            eventually(
                lambda server=server: server.client.post("/predict", **ask).status_code == 401, what="open"
            )
            headers = {"Authorization": f"Bearer {secret}"}
            assert server.client.post("/predict", headers=headers, **ask).status_code == 200


def test_whoever_compacts_first_leaves_nothing_to_the_other(tmp_path: Path) -> None:
    """Every server offers to; the lock lets one at a time, and what it has done is done."""
    project = project_in(tmp_path / "flights")
    with replicas(project.paths.state, tmp_path / "runs") as servers:
        for server in servers:
            server.batch(ROWS)
    layout = Layout(project.paths.records)
    words = ("-m", "siklus.records.compact", "--records", str(layout.root))
    both = [start(*words) for _ in range(COUNT)]
    said = [process.communicate(timeout=START_SECONDS) for process in both]
    assert [process.returncode for process in both] == [0] * COUNT, said
    assert sum(f'"rows":{COUNT * len(ROWS)}' in out for out, _ in said) == 1
    [(rows, names)] = query(layout, "SELECT count(*), count(DISTINCT prediction_id) FROM predictions").rows
    assert (rows, names) == (COUNT * len(ROWS),) * 2


def test_a_watch_counts_all_of_them_by_way_of_prometheus(tmp_path: Path) -> None:
    root = project_in(tmp_path / "flights").paths.root
    with (
        replicas(root / ".siklus", tmp_path / "runs") as servers,
        scraped(tmp_path, servers) as prometheus,
    ):
        url = str(prometheus.client.base_url).rstrip("/")
        environment = {"SIKLUS_MONITOR__PROMETHEUS": url}
        prometheus.until('count(up{job="flights"} == 1) == 2')
        with watching(open_project(root, environment=environment)) as watch:
            watch.look(now=datetime.now(UTC))
            for server in servers:
                server.batch(ROWS)
            eventually(
                lambda: (
                    values(watch.look(now=datetime.now(UTC))).get("predictions_since_training")
                    == COUNT * len(ROWS)
                ),
                what="not all were counted",
            )
            refused = {"prediction_id": "0" * 36, "outcome": "yes"}
            for server in servers:
                assert server.client.post("/feedback", json=refused).status_code == 404
            prometheus.until('sum(ml_feedback_total{result="unknown_id"}) == 2')
        told = answered("quality", "--project", root, MONITOR__PROMETHEUS=url)["remarks"]
    assert [line for line in told if "it refused 2 " in line]


@contextmanager
def scraped(folder: Path, servers: list[Server]) -> Iterator[Prometheus]:
    targets = ", ".join(f'"127.0.0.1:{server.port}"' for server in servers)
    (folder / "prometheus.yml").write_text(SCRAPE.format(targets=targets))
    with running_prometheus(folder, folder / "data") as prometheus:
        yield prometheus


def test_a_run_directory_alone_says_nothing_to_answer_with(tmp_path: Path) -> None:
    process = start("-m", "siklus.serve", "--run", str(tmp_path), "--bundle", str(tmp_path))
    _, said = process.communicate(timeout=START_SECONDS)
    assert (process.returncode, "--run is for a server that shares its --state" in said) == (2, True)
