"""`siklus demo`"""

import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
from numpy.typing import NDArray

from siklus.cli.asking import post, serving
from siklus.demo.flights import TARGET, make_project, month_of
from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results
from siklus.cli.progress import TrainingProgress
from siklus.cli.train import show_release
from siklus.contract.columns import Contract, kind_of, read_contract
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
SINGLE_ROWS = 100  # also asked one by one, to say how long a request takes
SHOWN_FLIGHTS = 3


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
    contract = read_contract(project.paths.contract)
    console.print(f"   its contract, inferred from January: {_kinds(contract)}", markup=False)
    console.print(
        "2. January: checked, searched, evaluated, exported with proof, gated, registered", markup=False
    )
    release = _train(project, show=not as_json)
    if not release.passed:
        if as_json:
            print_json({"passed": False, "gates": release.gates})
        return GATE_FAILED
    console.print(
        "\n3. February: every flight asked over HTTP, the answers held against what happened", markup=False
    )
    february = month_of(directory, FEBRUARY)
    asked = ask_server(contract, release, february)
    figures = {
        "passed": True,
        "version": release.version,
        "stage": release.stage,
        "heldout_mae": release.metrics["mae"],
        "served_rows": len(asked.answers),
        "served_mae": float(np.abs(asked.answers - february[TARGET].astype(np.float64)).mean()),
        "parity": release.parity,
        "request_ms_median": asked.median_ms,
        "seconds": round(time.monotonic() - started, 1),
        "project": str(directory),
    }
    if as_json:
        print_json(figures)
    else:
        results().print(_story(figures, _sample(february, asked), directory), markup=False)
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


@dataclass(frozen=True)
class Asked:
    """Answers to every row, shape (rows,), and how long a request for a single one took."""

    answers: NDArray[np.float64]
    median_ms: float


def ask_server(contract: Contract, release: Release, rows: Table) -> Asked:
    """Start the server on a free port, ask it for every row, stop it."""
    instances = instances_of(rows.select([name for name in rows if name in contract.names]), contract)
    answers: list[float] = []
    took: list[float] = []
    with serving(Path(release.bundle or ""), str(release.version)) as port:
        for start in range(0, len(instances), BATCH_ROWS):
            answer = post(port, "/predict/batch", {"instances": instances[start : start + BATCH_ROWS]})
            answers += answer["predictions"]
        for instance in instances[:SINGLE_ROWS]:
            began = time.perf_counter()
            post(port, "/predict", {"features": instance})
            took.append(1000 * (time.perf_counter() - began))
    return Asked(np.array(answers), round(float(np.median(took)), 2))


def _train(project: OpenProject, *, show: bool) -> Release:
    with TrainingProgress() as progress:
        setting = setting_of(project, now=datetime.now(UTC), trigger="siklus demo", listen=progress.trial)
        training = Training(setting, span=Span())
        release = training.run(told=progress.step)
    assert release is not None  # noqa: S101 - the span is whole, so the last step has run
    if show:
        show_release(release, training.results)
    return release


def _kinds(contract: Contract) -> str:
    kinds = [kind_of(column) for column in contract.columns]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _sample(rows: Table, asked: Asked) -> str:
    """A few flights, as a person would tell them."""
    places = np.linspace(0, len(rows) - 1, SHOWN_FLIGHTS + 2).astype(np.int64)[1:-1]
    flights = zip(rows.take(places).records(), asked.answers[places], strict=True)
    return "\n".join(
        f"  {flight['carrier']} {flight['origin']} → {flight['dest']}, {flight['time_hour']:%d %B}: "
        f"predicted {answer:.0f} minutes, flown {flight[TARGET]}"
        for flight, answer in flights
    )


def _story(figures: dict[str, Any], sample: str, directory: Path) -> str:
    # `make demo` leaves the shell as it is, so the command may not be on its path yet.
    here = Path(sys.executable).parent
    path = [] if shutil.which("siklus") else [f"  export PATH={shlex.quote(str(here))}:$PATH"]
    lines = [
        sample,
        "",
        "January's model, served over HTTP, misses February's time in the air by "
        f"{figures['served_mae']:.2f} minutes on average",
        f"({figures['served_rows']:,} flights; {figures['heldout_mae']:.2f} in January's last days, which it "
        f"had not seen). One request takes {figures['request_ms_median']} ms.",
        f"All of it took {figures['seconds']} s, and the project is yours to play with:",
        "",
        *path,
        f"  cd {shlex.quote(str(directory))}",
        f"  siklus models                        # version {figures['version']}, in {figures['stage']}",
        "  siklus serve                         # then open http://127.0.0.1:8000/docs",
        "  siklus train --plan                  # what would run again, and why",
        "  siklus contract check                # every row against the contract",
        "  siklus data checkout 1 --to rows.parquet",
        "  less siklus.toml contract.json       # all that the project is",
    ]
    return "\n".join(lines)
