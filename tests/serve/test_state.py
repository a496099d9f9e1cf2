"""Before, without and beside a model: the server says how it is, at once, whatever the model does."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from siklus.bundle.read import Bundle, open_bundle
from siklus.errors import BundleError
from siklus.serve.app import create_app
from siklus.serve.desk import open_desk
from siklus.serve.plan import Plan
from tests.serve.bundles import ODD_ROW, classifier, slow_regressor
from tests.serve.servers import START_SECONDS, Server, app_of, ask, loaded, loaded_app, serving_bundle


def test_a_loaded_server_is_healthy(irises: Server) -> None:
    response = irises.client.get("/health")
    assert response.status_code == 200
    assert response.json() == {
        "status": "healthy",
        "model_loaded": True,
        "version": "7",
        "name": "irises",
        "task": "classification",
    }
    assert irises.client.get("/live").json() == {"status": "alive"}
    assert irises.client.get("/ready").json() == {"status": "ready"}


def test_without_a_number_the_digest_names_the_version(minutes: Server) -> None:
    version = minutes.client.get("/health").json()["version"]
    assert len(version) == 12
    assert minutes.predict([1, 1])["version"] == version


def test_while_a_model_loads_only_life_is_promised(bundles: Path) -> None:
    path, gate = classifier(bundles / "late"), threading.Event()

    def load() -> Bundle:
        gate.wait()
        return open_bundle(path)

    with app_of(load) as app:
        health, live, *others = ask(
            app,
            ("GET", "/health", None),
            ("GET", "/live", None),
            ("GET", "/ready", None),
            ("GET", "/openapi.json", None),
            ("POST", "/predict", {"features": ODD_ROW}),
            ("POST", "/predict/batch", {"instances": [ODD_ROW]}),
        )
        gate.set()
        loaded(app)
        predict = ("POST", "/predict", {"features": ODD_ROW})
        [answer, metrics] = ask(app, predict, ("GET", "/metrics", None))
    assert (live.status_code, health.status_code) == (200, 503)
    assert health.json() == {
        "status": "loading",
        "model_loaded": False,
        "version": None,
        "name": None,
        "task": None,
    }
    for response in others:
        assert (response.status_code, response.json()["error"]["code"]) == (503, "SV001")
        assert response.headers["retry-after"] == "1"
    assert answer.status_code == 200
    assert 'ml_predictions_total{endpoint="/predict",status="error",version="none"} 1.0' in metrics.text


def test_a_model_that_cannot_be_loaded_is_reported_and_nothing_is_answered() -> None:
    damage = BundleError("BN005", "/secret/path/model.onnx: differs", expected="sha256 00")

    def load() -> Bundle:
        raise damage

    with open_desk(Plan(bundle=load)) as desk:
        while desk.lifecycle.failure is None:
            time.sleep(0.005)
        health, ready, answer = ask(
            create_app(desk),
            ("GET", "/health", None),
            ("GET", "/ready", None),
            ("POST", "/predict", {"features": ODD_ROW}),
        )
    assert desk.lifecycle.failure is damage
    assert (health.status_code, health.json()["status"], health.json()["model_loaded"]) == (
        503,
        "failed",
        False,
    )
    assert [ready.status_code, answer.status_code] == [503, 503]
    assert answer.json()["error"]["code"] == "SV002"
    assert "BN005" in answer.text
    assert "secret" not in answer.text


def test_an_app_that_nobody_listens_to_logs_its_failure(
    caplog: pytest.LogCaptureFixture, bundles: Path
) -> None:
    with app_of(bundles / "nowhere") as app:
        give_up = time.monotonic() + START_SECONDS
        while "BN001" not in caplog.text:
            assert time.monotonic() < give_up, "nothing was logged"
            time.sleep(0.005)
        assert ask(app, ("GET", "/health", None))[0].json()["status"] == "failed"


def test_what_nobody_foresaw_shows_nothing_of_it(bundles: Path) -> None:
    path = classifier(bundles / "irises")

    async def broken() -> None:
        raise RuntimeError("the password is 12345")

    with loaded_app(path) as app:
        app.add_api_route("/broken", broken)
        [response] = ask(app, ("GET", "/broken", None))
    assert (response.status_code, response.json()["error"]["code"]) == (500, "SV005")
    assert "password" not in response.text


def test_the_server_is_alive_during_a_slow_prediction(bundles: Path) -> None:
    with serving_bundle(slow_regressor(bundles / "slow", rounds=60_000)) as server:
        began = time.monotonic()
        with ThreadPoolExecutor(2) as clients:
            slow = [clients.submit(server.predict, [3]), clients.submit(server.batch, [[3], [4]])]
            waits = []
            while not all(answer.done() for answer in slow):
                asked = time.monotonic()
                assert server.client.get("/live").status_code == 200
                waits.append(time.monotonic() - asked)
            slowest = time.monotonic() - began
        assert [answer.result().get("count", 1) for answer in slow] == [1, 2]
        assert len(waits) > 5
        assert sorted(waits)[len(waits) // 2] < slowest / 5, "a prediction held up everybody else"
