"""The two images, as `siklus deploy docker` writes them, built and run for real."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siklus.bundle.read import open_bundle
from siklus.bundle.write import digest_of
from siklus.contract.decode import decode_records
from tests.bundle.sealed import sealed
from tests.deploy.containers.engine import BASE, HARDENED, Container, podman, running
from tests.deploy.programs import eventually
from tests.figures import Figure
from tests.serve.published import placed, publish

pytestmark = [pytest.mark.slow, pytest.mark.containers]

PACKAGES_MB = 110  # on a base of about 120, which makes 230
ROW = {"a": -2.4, "b": -1.7, "c": -5.8, "d": 2.3, "e": -2.3, "f": -4.2}
USER = 10001


@pytest.fixture
def server(images: Mapping[str, str]) -> Iterator[Container]:
    with running(images["p:1"]) as container:
        container.ready()
        yield container


def image(name: str) -> Any:
    return msgspec.json.decode(podman("image", "inspect", name).stdout)[0]


def test_the_serving_image_is_small_and_says_what_is_in_it(
    images: Mapping[str, str], shipped: Path, figure: Figure
) -> None:
    seen, base = image(images["p:1"]), image(BASE)
    added = (seen["Size"] - base["Size"]) / 1e6
    figure("the serving image", f"{seen['Size'] / 1e6:.0f} MB on a base of {base['Size'] / 1e6:.0f} MB")
    assert added <= PACKAGES_MB
    labels = seen["Labels"]
    assert labels["siklus.digest"] == digest_of(shipped / "deploy" / "docker" / "bundle")
    assert labels["org.opencontainers.image.version"] == "1"
    config = seen["Config"]
    assert (config["User"], config["StopSignal"]) == (f"{USER}:{USER}", "SIGTERM")
    there = podman("run", "--rm", "--entrypoint=ls", images["p:1"], "/srv", "/srv/venv/bin").stdout.split()
    assert not {"pip", "siklus", "d.csv", "siklus.toml"} & set(there)


def test_a_container_that_may_do_nothing_answers_as_its_bundle_does(
    images: Mapping[str, str], shipped: Path, figure: Figure
) -> None:
    begun = time.monotonic()
    with running(images["p:1"]) as server:
        server.ready()
        answer = server.client.post("/predict", json={"features": ROW}).json()
        figure("from `podman run` to the first answer", f"{time.monotonic() - begun:.1f} s")
        bundle = open_bundle(shipped / "deploy" / "docker" / "bundle")
        expected = bundle.predict(decode_records([ROW], bundle.contract).accepted())
        assert (answer["prediction"], answer["version"]) == (bundle.labels(expected)[0], "1")
        status = podman("exec", server.name, "cat", "/proc/1/status").stdout
        told = dict(line.split(":\t", 1) for line in status.splitlines())
        assert {*told["Uid"].split()} == {str(USER)}
        assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
        assert told["NoNewPrivs"] == "1"
        assert podman("exec", server.name, "touch", "/srv/x", check=False).returncode != 0


def test_told_to_end_it_answers_what_was_asked_and_ends_well(server: Container) -> None:
    rows = [ROW] * 20_000  # some tenths of a second each
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(server.client.post, "/predict/batch", json={"instances": rows}) for _ in range(4)
        ]
        time.sleep(0.3)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 30
        assert [each.result().status_code for each in asked] == [200] * 4


def test_its_health_is_that_of_its_model(images: Mapping[str, str], tmp_path: Path, figure: Figure) -> None:
    """A damaged bundle is all there is at first; then a sound one arrives."""
    state = tmp_path / "state"
    broken = placed(state, 1, sealed(state / "draft"))
    with (state / "bundles" / broken.digest / "model.onnx").open("ab") as model:
        model.write(b"x")
    publish(state, 1, broken)
    for path in [state, *state.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    words = ["--state=/srv/state", "--run=/run/siklus", "--host=0.0.0.0", "--insecure"]
    options = (*HARDENED, f"--volume={state}:/srv/state", "--volume=/run/siklus")
    with running(images["p:1"], *words, options=options) as server:
        eventually(lambda: server.status("/ready"), lambda status: status == 503)
        assert not server.healthy()
        publish(state, 2, placed(state, 2, sealed(state / "draft", card="# sound\n")))
        for path in (state / "bundles").rglob("*"):
            path.chmod(0o777 if path.is_dir() else 0o666)
        server.ready()
        assert server.healthy()
        begun = time.monotonic()
        podman("exec", server.name, "python", "-m", "siklus.serve.health")
        figure("a health check with `podman exec`", f"{time.monotonic() - begun:.2f} s")


def test_an_image_of_another_bundle_is_not_built(images: Mapping[str, str], shipped: Path) -> None:
    words = ["--entrypoint=python", "--rm", images["p:1"], "-m", "siklus.deploy.images.rehearsal"]
    done = podman("run", *words, "/srv/bundle", "0" * 64, check=False)
    assert done.returncode == 1
    assert "BN005" in done.stderr


def test_the_loop_trains_as_nobody_into_its_volume(images: Mapping[str, str]) -> None:
    volume = f"siklus-test-{time.monotonic_ns()}"
    options = ("--rm", *HARDENED[:-1], "--memory=1g", f"--volume={volume}:/srv/state", "--network=none")
    try:
        podman("run", *options, images["p-loop:1"], "siklus", "train", seconds=600)
        found = podman("run", *options, images["p-loop:1"], "siklus", "models", "--json").stdout
        assert json.loads(found)
    finally:
        podman("volume", "rm", "--force", volume, check=False)
