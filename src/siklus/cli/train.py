"""`siklus train`"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus.bundle.signatures import short
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.progress import TrainingProgress
from siklus.stats.intervals import Estimate
from siklus.train.gates import GateResult
from siklus.train.results import Gated, LeaderboardRow, Release, Results, Searched
from siklus.train.run import Training
from siklus.train.setting import setting_of
from siklus.train.steps import Planned, Span

app = command_app()

GATE_FAILED = 1
MLFLOW_RUN = "MLFLOW_RUN_ID"  # how `mlflow run` says which run it has begun


@app.command()
def train(
    project: ProjectOption = HERE,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the steps, what would run and why; run nothing.")
    ] = False,
    until: Annotated[str | None, typer.Option("--until", help="Stop after this step.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="Run this step and those after it anew.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run every step anew.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Check, split, prepare, search, evaluate, export with proof, gate and register.

    A step whose inputs, settings and code are unchanged is not run again. Exit code 1: a gate fails.
    """
    with TrainingProgress() as progress:
        setting = setting_of(
            opened(project),
            now=datetime.now(UTC),
            trigger="siklus train",
            listen=progress.trial,
            parent=os.environ.get(MLFLOW_RUN),
        )
        training = Training(setting, span=Span(first=first, until=until, force=force))
        if plan:
            _show_plan(training.planned, as_json=as_json)
            return 0
        release = training.run(told=progress.step)
    if release is None:
        return _judged(training.results, until=until, as_json=as_json)
    if as_json:
        print_json(release)
    else:
        show_release(release, training.results)
    return 0 if release.passed else GATE_FAILED


def _judged(made: Results, *, until: str | None, as_json: bool) -> int:
    """What the gates say of a training that ends before anything is registered, where it has come so far."""
    gated = made.of("gate", Gated) if until == "gate" else None
    if as_json:
        print_json({"until": until, "passed": None if gated is None else gated.passed})
    elif gated is not None:
        _show_model(made.of("search", Searched).candidate, gated.gates, made)
        results().print("\nEvery gate holds." if gated.passed else "\nA gate fails.", markup=False)
    return 0 if gated is None or gated.passed else GATE_FAILED


def show_release(release: Release, made: Results) -> None:
    _show_model(release.model, release.gates, made)
    if release.passed:
        held = f"in {release.stage}" if release.stage else "in no stage"
        signed = "".join(f", signed by {short(key)}" for key in release.signers)
        results().print(f"\nVersion {release.version} is registered, {held}{signed}.", markup=False)
    else:
        results().print("\nA gate fails: nothing is registered.", markup=False)


def _show_model(model: str, gates: Sequence[GateResult], made: Results) -> None:
    console = results()
    searched, metrics = made.of("search", Searched), made.evaluation.metrics
    headings = ["candidate", searched.metric, "seconds", "parameters"]
    board = table(
        "\nThe best of each candidate, on held-out rows", headings, map(_entry, searched.best_of_each)
    )
    console.print(board)
    console.print(
        table(
            f"\n{model} on the test rows",
            ["metric", "value", "95 % interval"],
            map(_line, metrics.items()),
        )
    )
    if gates:
        console.print(table("\nGates", ["gate", "bound", "value", "verdict", "why"], map(_gate, gates)))


def _show_plan(planned: list[Planned], *, as_json: bool) -> None:
    rows = [(item.step.name, item.verdict, item.why, item.step.about) for item in planned]
    if as_json:
        print_json([dict(zip(("step", "verdict", "why", "about"), row, strict=True)) for row in rows])
    else:
        results().print(table("", ["step", "", "why", "what it does"], rows))


def _entry(row: LeaderboardRow) -> tuple[str, str, str, str]:
    parameters = ", ".join(f"{name} {value:.4g}" for name, value in row.parameters.items())
    return row.candidate, f"{row.score:.5g}", f"{row.seconds:.1f}", parameters


def _line(item: tuple[str, Estimate]) -> tuple[str, str, str]:
    name, found = item
    value = "undefined" if found.value is None else f"{found.value:.4g}"
    interval = "" if found.low is None else f"{found.low:.4g} to {found.high:.4g}"
    return name, value, interval


def _gate(gate: GateResult) -> tuple[str, str, str, str, str]:
    value = "" if gate.value is None else f"{gate.value:.4g}"
    return gate.name, gate.bound, value, "holds" if gate.passed else "FAILS", gate.why
