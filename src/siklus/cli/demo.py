"""`siklus demo`"""

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results
from siklus.cli.progress import TrainingProgress
from siklus.cli.train import show_release
from siklus.contract.columns import Contract, kind_of, read_contract
from siklus.demo.chart import HTML, PNG, write_charts
from siklus.demo.live import PlainView, view_on
from siklus.demo.pace import FAST, WHOLE, Pace
from siklus.demo.story import live_through, new_project
from siklus.demo.summary import Summary, story
from siklus.project.file import OpenProject
from siklus.train.results import Release
from siklus.train.run import Training
from siklus.train.setting import setting_of
from siklus.train.steps import Span

app = command_app()

GATE_FAILED = 1


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Where the project is made, and kept.")] = Path(
        "siklus-demo"
    ),
    fast: Annotated[
        bool, typer.Option("--fast", help="Every fourth flight, one kind of model: within three minutes.")
    ] = False,
    as_json: JsonFlag = False,
) -> int:
    """A year of real flights through the whole loop: January trains, the other months are answered over HTTP,
    and a model that has become bad is replaced by itself."""
    started = time.monotonic()
    told = remarks()
    told.print(f"1. The project, with flights out of New York in 2013: {directory}/", markup=False)
    pace = FAST if fast else WHOLE
    project = new_project(directory, pace=pace)
    contract = read_contract(project.paths.contract)
    told.print(f"   its contract, inferred from January: {_kinds(contract)}", markup=False)
    told.print(
        "2. January: checked, searched, evaluated, exported with proof, gated, registered", markup=False
    )
    release = _train(project, show=not as_json)
    if not release.passed:
        if as_json:
            print_json({"passed": False, "gates": release.gates})
        return GATE_FAILED
    told.print(
        f"\n3. February to December, over HTTP: labels come two days late, and the loop has its turn each "
        f"{'day' if pace.days == 1 else f'{pace.days} days'}",
        markup=False,
    )
    summary = _lived(project, release, pace, plain=as_json)
    write_charts(summary, directory)
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        print_json(figures(summary, release, seconds=seconds, project=directory))
    else:
        results().print("\n".join(["", *story(summary), "", *_next(directory, seconds)]), markup=False)
    return 0


def figures(summary: Summary, release: Release, *, seconds: float, project: Path) -> dict[str, Any]:
    """What `--json` prints: errors in minutes, times in seconds but where the name says otherwise."""
    counted = summary.counted
    return {
        "passed": True,
        "version": release.version,
        "stage": release.stage,
        "heldout_mae": summary.heldout_mae,
        "parity": release.parity,
        "months": [
            {"name": month.name, **msgspec.structs.asdict(month)}  # a struct's properties are not in it
            for month in summary.months
        ],
        "mean_mae_with_loop": summary.mean_mae_with_loop,
        "mean_mae_static": summary.mean_mae_static,
        "retrainings": counted.retrainings,
        "promotions": counted.promotions,
        "refused": counted.refused,
        "rolled_back": counted.rolled_back,
        "given_up": counted.given_up,
        "failed_retrainings": counted.failed,
        "served_rows": summary.served_rows,
        "failed_requests": summary.failed_requests,
        "request_ms_median": round(summary.request_ms, 2),
        "seconds": seconds,
        "project": str(project),
        "chart": str(project / PNG),
        "page": str(project / HTML),
    }


def _lived(project: OpenProject, release: Release, pace: Pace, *, plain: bool) -> Summary:
    console = remarks()
    with _compiled_once(), PlainView(console) if plain else view_on(console) as view:
        return live_through(project, release, pace=pace, show=view.show)


@contextmanager
def _compiled_once() -> Iterator[None]:
    """Dozens of processes start in a demo. Where Python may not keep what it compiles, each of them would
    compile all of its libraries again: for seconds, which is longer than most of them work."""
    if not sys.dont_write_bytecode:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="siklus-bytecode-") as folder:
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        yield


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


def _next(directory: Path, seconds: float) -> list[str]:
    # `make demo` leaves the shell as it is, so the command may not be on its path yet.
    here = Path(sys.executable).parent
    path = [] if shutil.which("siklus") else [f"  export PATH={shlex.quote(str(here))}:$PATH"]
    return [
        f"The year as a picture: {directory / PNG}, and as a page: {directory / HTML}.",
        f"All of it took {seconds:.0f} s, and the project is yours to play with:",
        "",
        *path,
        f"  cd {shlex.quote(str(directory))}",
        "  siklus history                       # what was decided, by whom and why",
        "  siklus rollout                       # how the last new version came to its requests",
        "  siklus models                        # every version, with its stage",
        "  siklus report                        # a page of the last traffic: drift, quality, alerts",
        "  siklus up                            # serve and watch it, and go on with the loop",
        "  less siklus.toml contract.json       # all that the project is",
    ]
