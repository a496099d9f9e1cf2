"""The rendered stack, running: two replicas behind the proxy, real stores, a mail that arrives."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cli.projects import answered, append_csv, new_project, straight_rows
from tests.deploy.containers.engine import podman
from tests.deploy.containers.stacks import (
    Stack,
    eventually,
    make_images,
    make_wheel,
    require_compose,
    running,
)

pytestmark = pytest.mark.slow

NAME = "stacked"
ROW = {"a": 0.5, "b": -0.5, "side": "l"}
ALERT_ABOVE = 150
MORE = f"""
[deploy]
siklus = "deploy/WHEEL"

[notify.ops]
kind = "mail"
to = ["ops@example.com"]
smtp = "smtp://sink:8025"

[[alerts]]
signal = "predictions_since_training"
above = {ALERT_ABOVE}
for = "0s"
advice = "Consider retraining."

[monitor]
look = "5s"
"""
SHARED = 200  # predictions, one after the other
HAMMERS = 4
AT_ONCE = 5  # answers to one of them within the 10 ms that the log gathers records
NAMES = "SELECT prediction_id AS id FROM predictions"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    require_compose()
    home = tmp_path_factory.mktemp("stack")
    project, rows = home / NAME, straight_rows(240)
    wheel = make_wheel(project / "deploy")
    new_project(project, rows[:200], "--key", "id", more=MORE.replace("WHEEL", wheel))
    answered("train", "-C", project)
    append_csv(project / "rows.csv", rows[200:])
    answered("train", "-C", project)
    answered("deploy", "docker", "-C", project)
    hurry = ("--every", "2s", "--group-wait", "1s", "--group-interval", "5s")
    answered("deploy", "compose", "-C", project, *hurry)
    make_images(project, NAME)
    with running(project, NAME) as found:
        yield found


def asked(client: httpx.Client) -> dict[str, Any]:
    answer = client.post("/predict", json={"features": ROW})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def logged(stack: Stack) -> dict[str, int]:
    """Predictions by version."""
    sql = "SELECT version, count(DISTINCT prediction_id) AS n FROM predictions GROUP BY 1"
    rows = json.loads(stack.within("loop", "siklus", "log", "query", sql, "--json"))
    return {str(row["version"]): int(row["n"]) for row in rows}


def test_no_container_is_root_or_can_write_to_itself(stack: Stack) -> None:
    for service in ("proxy", "api", "loop", "mlflow", "postgres", "objects", "prometheus", "alertmanager"):
        found: Any = stack.inspected(service)
        assert found["HostConfig"]["ReadonlyRootfs"], service
        assert found["EffectiveCaps"] in (None, []), service
        assert found["Config"]["User"] not in ("", "root", "0"), service
        assert found["HostConfig"]["Memory"], service


def test_two_replicas_share_the_load_and_prometheus_adds_them_up(stack: Stack) -> None:
    with stack.client() as client, stack.prometheus() as prometheus:
        answers = [asked(client) for _ in range(SHARED)]
        assert len({answer["prediction_id"] for answer in answers}) == SHARED
        total = f'sum(ml_predictions_total{{job="{NAME}",status="success"}})'
        prometheus.until(f"{total} == {SHARED}")
        each = prometheus.values(total.replace("sum", "sum by (instance) "), by="instance")
        assert len(each) == 2
        assert min(each.values()) > SHARED / 5, each
        # Either takes an outcome, whoever answered.
        outcomes = [{"prediction_id": answer["prediction_id"], "outcome": 1.5} for answer in answers]
        taken = [client.post("/feedback", json=outcome).json()["new"] for outcome in outcomes]
        assert sum(taken) == SHARED
        assert client.get("/metrics").status_code == 404
    assert sum(logged(stack).values()) == SHARED


def test_an_alert_of_both_replicas_together_is_mailed(stack: Stack) -> None:
    """Neither has answered so many rows alone."""
    found = eventually(stack.mails, lambda text: "Consider retraining." in text, what="no mail")
    assert f"Subject: {NAME}: predictions_since_training" in found


def test_what_the_loop_decides_reaches_both(stack: Stack) -> None:
    stack.within("loop", "siklus", "promote", "2")
    show = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/health').read().decode())"
    for number in (1, 2):
        eventually(
            lambda number=number: json.loads(stack.within("api", "python", "-c", show, number=number)),
            lambda health: health["version"] == "2",
            what="another version answers",
        )


def test_replicas_that_restart_or_die_cost_nobody_an_answer(stack: Stack) -> None:
    before, stopped = sum(logged(stack).values()), threading.Event()
    codes: Counter[int] = Counter()
    ids: set[str] = set()

    def hammer() -> None:
        with stack.client() as client:
            while not stopped.is_set():
                answer = client.post("/predict", json={"features": ROW})
                codes[answer.status_code] += 1
                ids.add(answer.json()["prediction_id"])

    threads = [threading.Thread(target=hammer) for _ in range(HAMMERS)]
    for thread in threads:
        thread.start()
    try:
        podman("restart", "--time", "40", stack.container("api", 1))
        both_answer(stack)
        podman("kill", stack.container("api", 2))
        podman("start", stack.container("api", 2))
        both_answer(stack)
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
    assert set(codes) == {200}, codes
    assert len(ids) == sum(codes.values())
    # What was killed was within milliseconds of writing its last answers down; all else is there.
    names = json.loads(stack.within("loop", "siklus", "log", "query", NAMES, "--json"))
    assert len(ids - {row["id"] for row in names}) <= HAMMERS * AT_ONCE
    assert len(names) <= before + len(ids) + HAMMERS  # and at most what the proxy has asked another one again


def both_answer(stack: Stack) -> None:
    """The proxy knows of both, of which one may have another address than before."""
    for number in (1, 2):
        stack.healthy("api", number)
    with stack.prometheus() as prometheus:
        up = 'sum(haproxy_server_status{proxy="replicas",state="UP"}) == 2'
        prometheus.until(f"{up} and on () (timestamp(up{{job='proxy'}}) > {time.time()})")


def test_without_its_stores_the_service_answers_and_afterwards_nothing_is_gone(
    stack: Stack,
) -> None:
    podman("stop", "--time", "20", stack.container("postgres"), stack.container("mlflow"))
    podman("restart", "--time", "40", stack.container("api", 1))
    stack.healthy("api", 1)  # from what was published
    with stack.client() as client:
        assert asked(client)["version"] == "2"
    podman("start", stack.container("postgres"), stack.container("mlflow"))
    stack.healthy("postgres")
    stack.healthy("mlflow")
    podman("restart", "--time", "40", stack.container("loop"))
    stack.healthy("loop")
    models = json.loads(stack.within("loop", "siklus", "models", "--json"))
    assert [(each["number"], each["stage"]) for each in models] == [(2, "production"), (1, "archived")]
    kinds = [each["kind"] for each in json.loads(stack.within("loop", "siklus", "history", "--json"))]
    assert "promotion" in kinds
