"""`siklus demo`"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from siklus.cli.flights import TARGET, make_project, month_of
from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results
from siklus.cli.progress import TrainingProgress
from siklus.cli.train import show_release
from siklus.contract.columns import read_contract
from siklus.errors import ServeError
from siklus.project.file import OpenProject
from siklus.table import Table
from siklus.train.results import Release
from siklus.train.run import Training
from siklus.train.sealing import instances_of
from siklus.train.setting import setting_of
from siklus.train.steps import Span

app = command_app()

GATE_FAILED = 1
FEBRUARY = 2
BATCH_ROWS = 500
START_SECONDS = 30.0


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Where the project is made, and kept.")] = Path(
        "siklus-demo"
    ),
    fast: Annotated[bool, typer.Option("--fast", help="Fewer trials: done within 45 seconds.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Real flights: January trains a model of the time in the air, February's are answered over HTTP."""
    started = time.monotonic()
    console = remarks()
    console.print(f"1. The project, with flights out of New York in 2013: {directory}/", markup=False)
    project = tuned(make_project(directory), fast=fast)
    console.print(
        "2. January: checked, searched, evaluated, exported with proof, gated, registered", markup=False
    )
    with TrainingProgress() as progress:
        setting = setting_of(project, now=datetime.now(UTC), trigger="siklus demo", listen=progress.trial)
        training = Training(setting, span=Span())
        release = training.run(told=progress.step)
    assert release is not None  # the span is whole, so the last step has run
    if not as_json:
        show_release(release, training.results.evaluation.metrics)
    if not release.passed:
        if as_json:
            print_json({"passed": False, "gates": release.gates})
        return GATE_FAILED
    console.print(
        "\n3. February: every flight asked over HTTP, the answers held against what happened", markup=False
    )
    february = month_of(directory, FEBRUARY)
    answers, milliseconds = ask_server(project, release, february)
    error = float(np.abs(answers - february[TARGET].astype(np.float64)).mean())
    figures = {
        "passed": True,
        "version": release.version,
        "heldout_mae": release.metrics["mae"],
        "served_rows": len(answers),
        "served_mae": error,
        "parity": release.parity,
        "request_ms_median": milliseconds,
        "seconds": round(time.monotonic() - started, 1),
        "project": str(directory),
    }
    if as_json:
        print_json(figures)
    else:
        results().print(_story(figures, directory), markup=False)
    return 0


def tuned(project: OpenProject, *, fast: bool) -> OpenProject:
    """The demo's own pace; the project file keeps the defaults that a person would start from."""
    train = msgspec.structs.replace(
        project.settings.train,
        candidates=("hist-gradient-boosting",) if fast else project.settings.train.candidates,
        trials=4 if fast else 12,
        seconds=15.0 if fast else 60.0,
    )
    return OpenProject(msgspec.structs.replace(project.settings, train=train), project.paths)


def ask_server(project: OpenProject, release: Release, rows: Table) -> tuple[np.ndarray[Any, Any], float]:
    """Start the server on a free port, ask it for every row, stop it: the answers, and a request's median ms."""
    contract = read_contract(project.paths.contract)
    instances = instances_of(rows.select([name for name in rows if name in contract.names]), contract)
    answers: list[float] = []
    took: list[float] = []
    with serving(Path(release.bundle or ""), str(release.version)) as port:
        for start in range(0, len(instances), BATCH_ROWS):
            answer = post(port, "/predict/batch", {"instances": instances[start : start + BATCH_ROWS]})
            answers += answer["predictions"]
        for instance in instances[:100]:
            began = time.perf_counter()
            post(port, "/predict", {"features": instance})
            took.append(1000 * (time.perf_counter() - began))
    return np.array(answers), round(float(np.median(took)), 2)


@contextmanager
def serving(bundle: Path, version: str) -> Iterator[int]:
    """`python -m siklus.serve` on a free port of this machine, ready to answer; ended with the block."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    words = ["--bundle", str(bundle), "--version", version, "--port", str(port)]
    server = subprocess.Popen([sys.executable, "-m", "siklus.serve", *words], stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(server, port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)


def post(port: int, path: str, body: object) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer: dict[str, Any] = json.loads(response.read())
    if response.status != 200:
        raise ServeError("SV010", f"{path} answered {response.status}: {answer}", expected="an answer")
    return answer


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise ServeError("SV011", "the server did not become ready", expected="`siklus serve` shows why")


def _story(figures: dict[str, Any], directory: Path) -> str:
    return f"""
January's model, served over HTTP, misses February's time in the air by {figures["served_mae"]:.2f} minutes on average
({figures["served_rows"]:,} flights; {figures["heldout_mae"]:.2f} on January's held-out last days). One request takes {figures["request_ms_median"]} ms.
All of it took {figures["seconds"]} s, and the project is yours to play with:

  cd {directory}
  siklus models                        # version {figures["version"]}, in production
  siklus serve                         # then open http://127.0.0.1:8000/docs
  siklus train --plan                  # what would run again, and why
  siklus contract check                # every row against the contract
  siklus data checkout 1 --to rows.parquet
  less siklus.toml contract.json       # all that the project is
"""
