"""`siklus train`"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.progress import TrainingProgress
from siklus.stats.intervals import Estimate
from siklus.train.gates import GateResult
from siklus.train.results import LeaderboardRow, Release, Results, Searched
from siklus.train.run import Training
from siklus.train.setting import setting_of
from siklus.train.steps import Planned, Span

app = command_app()

GATE_FAILED = 1


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
            opened(project), now=datetime.now(UTC), trigger="siklus train", listen=progress.trial
        )
        training = Training(setting, span=Span(first=first, until=until, force=force))
        if plan:
            _show_plan(training.planned, as_json=as_json)
            return 0
        release = training.run(told=progress.step)
    if release is None:
        if as_json:
            print_json({"until": until, "passed": None})
        return 0
    if as_json:
        print_json(release)
    else:
        show_release(release, training.results)
    return 0 if release.passed else GATE_FAILED


def show_release(release: Release, made: Results) -> None:
    console = results()
    searched, metrics = made.of("search", Searched), made.evaluation.metrics
    headings = ["candidate", searched.metric, "seconds", "parameters"]
    board = table(
        "\nThe best of each candidate, on held-out rows", headings, map(_entry, searched.best_of_each)
    )
    console.print(board)
    console.print(
        table(
            f"\n{release.model} on the test rows",
            ["metric", "value", "95 % interval"],
            map(_line, metrics.items()),
        )
    )
    if release.gates:
        console.print(
            table("\nGates", ["gate", "bound", "value", "verdict", "why"], map(_gate, release.gates))
        )
    if release.passed:
        held = f"in {release.stage}" if release.stage else "in no stage"
        console.print(f"\nVersion {release.version} is registered, {held}.", markup=False)
    else:
        console.print("\nA gate fails: nothing is registered.", markup=False)


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
