"""Alone: registry and database go while a server runs, its workers die, and it starts again without them."""

import json
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests.cli.projects import answered, new_project, spawned, straight_rows
from tests.figures import Figure
from tests.registry.postgres import running_postgres
from tests.serve.published import eventually
from tests.serve.servers import START_SECONDS

ROW = {"a": 1.0, "b": 2.0, "side": "l"}
ASKED_MEANWHILE = 50


@dataclass(frozen=True)
class Project:
    """A project with version 1 in production. ``lose`` takes its registry and its database away."""

    folder: Path
    lose: Callable[[], None]


@pytest.fixture(params=["sqlite", "postgresql"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    with ExitStack() as database:
        folder = tmp_path / "line"
        state = ""
        if request.param == "postgresql":
            state = f'\n[state]\ncontrol = "{database.enter_context(running_postgres())}"\n'
        new_project(folder, straight_rows(120), more=state)
        answered("train", "-C", folder)
        yield Project(folder, partial(lose, folder / ".siklus", database))


def lose(state: Path, database: ExitStack) -> None:
    """MLflow's database and artifacts, and the one of decisions, wherever it is."""
    database.close()
    for path in (*state.glob("mlflow.db*"), *state.glob("control.db*")):
        path.unlink()
    shutil.rmtree(state / "artifacts")


@contextmanager
def served(folder: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """`siklus serve` with two workers, once it answers."""
    process = spawned("serve", "-C", folder, "--port", "0", "--workers", "2")
    assert process.stderr is not None
    try:
        said = [process.stderr.readline()]
        while not (found := re.search(r'"url": "([^"]+)"', said[-1])):
            assert said[-1], "".join(said)
            said.append(process.stderr.readline())
        with httpx.Client(base_url=found[1], timeout=START_SECONDS) as client:
            eventually(lambda: client.get("/ready").status_code == 200, what="it never became ready")
            yield client, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def asked(client: httpx.Client, outcomes: Counter[str]) -> None:
    """A request over a connection of its own, counted by what became of it."""
    try:
        response = httpx.post(f"{client.base_url}/predict", json={"features": ROW}, timeout=START_SECONDS)
    except httpx.HTTPError as exc:
        outcomes[type(exc).__name__] += 1
    else:
        answer = json.loads(response.content)
        outcomes[f"version {answer['version']}" if response.status_code == 200 else response.text] += 1


def workers_of(supervisor: psutil.Process) -> list[psutil.Process]:
    """Without the companions, which are programs of their own."""
    return [each for each in supervisor.children() if each.cmdline() == supervisor.cmdline()]


def killed_one_by_one(client: httpx.Client, supervisor: psutil.Process, outcomes: Counter[str]) -> None:
    """Each worker is killed, and replaced before the next one is; asked all the while."""
    for worker in workers_of(supervisor):
        worker.kill()
        eventually(
            lambda gone=worker: asked(client, outcomes) or is_replaced(supervisor, gone.pid),
            what="no worker came back",
        )
        for _ in range(ASKED_MEANWHILE):
            asked(client, outcomes)


def is_replaced(supervisor: psutil.Process, gone: int) -> bool:
    pids = [each.pid for each in workers_of(supervisor)]
    return len(pids) == 2 and gone not in pids


@pytest.mark.slow  # two trainings; tests/cli/test_traffic.py and tests/serve/test_swaps.py try parts of it
def test_a_server_goes_on_and_starts_again_without_registry_and_database(
    project: Project, figure: Figure, request: pytest.FixtureRequest
) -> None:
    outcomes: Counter[str] = Counter()
    with served(project.folder) as (client, supervisor):
        asked(client, outcomes)
        project.lose()
        killed_one_by_one(client, supervisor, outcomes)
    with served(project.folder) as (client, supervisor):
        killed_one_by_one(client, supervisor, outcomes)
    database = request.node.callspec.params["project"]
    figure(f"registry and {database} database gone, workers killed: requests", dict(outcomes))
    assert outcomes.keys() == {"version 1"}
    assert outcomes.total() > 4 * ASKED_MEANWHILE
