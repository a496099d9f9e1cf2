"""Manifests at work: the pods of servers, loop and training, with what begins them, in real containers."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.clusters import built, pods
from tests.deploy.containers.played import Played, playing
from tests.deploy.programs import free_port
from tests.deploy.projects import deployed

pytestmark = [pytest.mark.slow, pytest.mark.containers]

ROW, CLASSES = [-2.4, -1.7, -5.8, 2.3, -2.3, -4.2], (0, 1)
TRAINING_SECONDS = 300
CONTROL = "sqlite:////srv/state/control.db"


@pytest.fixture
def played(tmp_path: Path, images: Mapping[str, str]) -> Iterator[Played]:
    with playing(tmp_path, images, {"control-url": CONTROL}) as found:
        yield found


def asked(port: int, row: list[float]) -> Any:
    """The answer to a row, as soon as there is one."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:

        def ready() -> bool:
            try:
                return client.get("/ready").status_code == 200
            except httpx.HTTPError:
                return False

        give_up = time.monotonic() + TRAINING_SECONDS
        while not ready():
            assert time.monotonic() < give_up, f"nobody is ready at port {port}"
            time.sleep(0.5)
        return client.post("/predict", json={"features": row}).json()


def with_training(directory: Path) -> Path:
    """The same files, in which the overlay for one machine has a training of its own, too."""
    file = directory / "overlays" / "development" / "kustomization.yaml"
    component = "  - ../../components/loop\n"
    text = file.read_text().replace(component, component + component.replace("loop", "retraining"))
    file.write_text(text)
    return directory


def test_a_sealed_pod_answers_as_nobody_and_ends_when_told(played: Played, shipped: Path) -> None:
    overlay = built(deployed(shipped, "kubernetes", "--force") / "overlays" / "sealed")
    port = free_port()
    server = played.start(overlay, "p-api", port=port)
    assert asked(port, ROW)["prediction"] in CLASSES
    seen = played.inspected(server)
    assert seen["Config"]["User"] == "10001:10001"
    assert seen["HostConfig"]["ReadonlyRootfs"] is True
    assert not seen["EffectiveCaps"]
    memory = pods(overlay)["p-api"]["containers"][0]["resources"]["limits"]["memory"]
    assert seen["HostConfig"]["Memory"] == int(memory.removesuffix("Mi")) * 2**20
    assert played.stop(server, seconds=40) == 0


def test_the_loop_trains_and_the_servers_follow_it(played: Played, shipped: Path) -> None:
    """From an empty volume: the loop trains, a server answers, and the outcome finds home."""
    overlay = built(with_training(deployed(shipped, "kubernetes", "--force")) / "overlays" / "development")
    home, port = free_port(), free_port()
    for settings in (each["data"] for each in overlay if each["kind"] == "ConfigMap"):
        if "FEEDBACK_URL" in settings:  # the names of services are not known here
            settings["FEEDBACK_URL"] = f"http://127.0.0.1:{home}"
    loop = played.start(overlay, "p-loop", port=home)
    first = asked(home, ROW)
    assert first["version"] == "1", played.said(loop)
    init = played.start(overlay, "p-api", init=True)
    assert played.ended(init) == 0, played.said(init)
    server = played.start(overlay, "p-api", port=port)
    answer = asked(port, ROW)
    assert (answer["version"], answer["prediction"]) == ("1", first["prediction"])
    told = httpx.post(
        f"http://127.0.0.1:{port}/feedback",
        json={"prediction_id": answer["prediction_id"], "outcome": answer["prediction"]},
        follow_redirects=True,
    )
    assert (told.json(), [each.status_code for each in told.history]) == ({"count": 1, "new": 1}, [307])
    assert played.stop(server, seconds=40) == 0
    training = played.start(overlay, "p-training")
    assert played.ended(training) == 0, played.said(training)
