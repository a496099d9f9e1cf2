"""`siklus up`: one command for the whole loop, once a project, from the first version on."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from siklus.cli.launching import served
from siklus.cli.up import introduction
from siklus.contract.columns import read_contract, write_contract
from siklus.project.file import open_project
from siklus.project.sections import Serve
from tests.cli.projects import new_project, siklus, straight_rows
from tests.reliability.living import SETTINGS, Living, living, until

WAIT_SECONDS = 120.0
ROW = {"a": 1.0, "b": 2.0, "side": "l"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A project that had no version when its `siklus up` began."""
    folder = new_project(tmp_path_factory.mktemp("up") / "line", straight_rows(150), more=SETTINGS)
    with living(folder, clients=0) as found:
        yield found


def answered(running: Living) -> str:
    found = httpx.post(f"{running.world.url}/predict", json={"features": ROW}, timeout=WAIT_SECONDS)
    return str(found.json()["version"])


def test_where_there_is_no_version_it_trains_the_first(running: Living) -> None:
    said = running.log.read_text()
    assert "has no version yet: training the first" in said
    assert "version 1 is registered" in said
    assert answered(running) == "1"


def test_a_second_one_on_the_same_project_is_refused(running: Living) -> None:
    found = siklus("up", "-C", running.folder)
    assert found.code == 2
    assert f"already running here, as process {running.process.pid}" in found.err
    assert answered(running) == "1"


def test_the_server_outlives_the_loop_which_is_started_again(running: Living) -> None:
    until(running.is_looping, seconds=WAIT_SECONDS, what=running.log.read_text)
    before = running.loops()[0]
    before.kill()
    for _ in range(20):
        assert answered(running) == "1"
    until(
        lambda: running.is_looping() and running.loops()[0].pid != before.pid,
        seconds=WAIT_SECONDS,
        what=running.log.read_text,
    )


def test_told_to_end_it_takes_everything_with_it(running: Living) -> None:
    """The last one to use it."""
    until(running.is_looping, seconds=WAIT_SECONDS, what=running.log.read_text)
    family = psutil.Process(running.process.pid).children(recursive=True)
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.process.wait(timeout=WAIT_SECONDS) == 0
    give_up = time.monotonic() + WAIT_SECONDS
    while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family):
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_a_first_version_that_fails_its_gates_is_not_served(tmp_path: Path) -> None:
    folder = new_project(tmp_path / "line", straight_rows(150))
    project = folder / "siklus.toml"
    project.write_text(project.read_text().replace("[gates]", '[gates]\nmae = "<= 0.000001"'))
    found = siklus("up", "-C", folder)
    assert found.code == 1
    assert "gates fail (mae), so there is nothing to serve" in found.err


def test_without_looks_there_is_nothing_to_decide_on(tmp_path: Path) -> None:
    folder = new_project(tmp_path / "line", straight_rows(50), more="[monitor]\nenabled = false\n")
    found = siklus("up", "-C", folder)
    assert found.code == 2
    assert "AU091" in found.err


def test_a_port_that_somebody_has_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    folder = new_project(tmp_path / "line", straight_rows(50))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = siklus("up", "-C", folder, "--port", str(taken.getsockname()[1]))
    assert found.code == 2
    assert "SV003" in found.err
    assert "training" not in found.err
    assert found.out == ""


@pytest.mark.parametrize(
    ("more", "sensitive", "why"),
    [
        ("[records]\nenabled = false\n", False, "[records] enabled = false"),
        ("", True, "'a' is sensitive, and not logged"),
    ],
)
def test_a_loop_that_cannot_learn_says_so(tmp_path: Path, more: str, sensitive: bool, why: str) -> None:
    folder = new_project(tmp_path / "line", straight_rows(50), more=more)
    if sensitive:
        contract = read_contract(folder / "contract.json")
        first, *others = contract.columns
        columns = (msgspec.structs.replace(first, sensitive=True), *others)
        write_contract(folder / "contract.json", msgspec.structs.replace(contract, columns=columns))
    project = open_project(folder, environment={})
    assert f"learns nothing from what it answers: {why}" in "\n".join(introduction(project, Serve()))
    assert (
        f"Nothing can be learnt from what is answered: {why}"
        in siklus("retrain", "--dry-run", "-C", folder).out
    )


def test_it_says_once_what_it_will_do(tmp_path: Path) -> None:
    more = '[rollout]\nsteps = ["shadow", 0.05, 1.0]\nhold = "2h"\n[retrain]\non = ["drift"]\nnotify = []\n'
    project = open_project(new_project(tmp_path / "line", straight_rows(50), more=more), environment={})
    said = "\n".join(introduction(project, served(project, {"port": 8123})))
    assert "line answers at http://127.0.0.1:8123" in said
    assert "retrains   on drift; at most 2 a day, 6h apart, each after 2,000 new outcomes" in said
    assert "learns nothing" not in said
    assert "by shadow, 5 %, 100 %, at least 2h on each" in said
    assert "tells      nobody" in said
