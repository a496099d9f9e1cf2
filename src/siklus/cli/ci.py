"""`siklus ci`"""

import os
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results, table
from siklus.deploy.pipelines.record import PipelineRun, keep
from siklus.deploy.pipelines.running import Workbench, engine_here, lacking, run, scanner_here
from siklus.deploy.pipelines.stages import (
    RELEASE_STAGES,
    STAMPED,
    Shipping,
    Stage,
    Words,
    chosen,
    roll_back,
    stages_of,
    undeployable,
)
from siklus.errors import DeployError
from siklus.project.file import OpenProject
from siklus.tracking.provenance import SourceState, source_state

app = command_app()

NO = 1
TAG_LENGTH = 12  # of a commit: unmistakable, and still to be read


@app.command(name="ci")
def ci_command(
    stages: Annotated[
        list[str] | None,
        typer.Option("--stage", metavar="STAGE", help="Only this one; repeatable.", show_default=False),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Begin here.", show_default=False)
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="STAGE", help="End after this one.", show_default=False)
    ] = None,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Also push the images and release them, as [deploy] says.")
    ] = False,
    offer: Annotated[
        bool, typer.Option("--offer", help="With --deploy: the loop tries the version by [rollout] first.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run; run nothing.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Run the pipeline here, stage by stage, as GitHub and GitLab would. Exit code 1: a stage says no.

    What this machine lacks for a stage is said, and the stage left out.
    """
    found = opened(project)
    asked = {first, until, *(stages or ())}
    if undeployable(found.settings.deploy) and (deploy or asked & set(RELEASE_STAGES)):
        raise _undeployable(found)
    # An earlier run has written into them which version it built.
    source = source_state(found.paths.root, besides=STAMPED)
    shipping = _shipping(found, source, offer=offer)
    wanted = chosen(stages_of(shipping), names=stages or (), first=first, until=until)
    bench = _bench(found, remote=deploy, quiet=as_json)
    if dry_run:
        _show_plan(wanted, bench, as_json=as_json)
        return 0
    ran = run(wanted, bench, undo=roll_back(shipping))
    done = PipelineRun(
        time=datetime.now(UTC),
        passed=all(each.verdict != "no" for each in ran),
        commit=source.commit if source else None,
        dirty=source.dirty if source else None,
        stages=ran,
    )
    keep(done, found.paths.state)
    if as_json:
        print_json(done)
    else:
        _show(done)
    return 0 if done.passed else NO


def _undeployable(project: OpenProject) -> DeployError:
    lacks = ", ".join(undeployable(project.settings.deploy))
    return DeployError(
        "DP043",
        f"{project.paths.root}: [deploy] lacks {lacks}",
        expected="where the images go, and who runs them",
    )


def _shipping(project: OpenProject, source: SourceState | None, *, offer: bool) -> Shipping:
    return Shipping(
        name=project.settings.project.name,
        deploy=project.settings.deploy,
        tag=source.commit[:TAG_LENGTH] if source else "local",
        engine=engine_here(),
        scanner=scanner_here(),
        offer=offer,
    )


def _bench(project: OpenProject, *, remote: bool, quiet: bool) -> Workbench:
    root = project.paths.root
    environment = {
        **os.environ,
        # Without it podman leaves the health check out of the image.
        "BUILDAH_FORMAT": "docker",
        # A clean clone stays clean.
        "COVERAGE_FILE": str(project.paths.state.resolve() / "coverage"),
    }
    return Workbench(
        folder=root,
        environment=environment,
        remote=remote,
        told=_tell,
        output=sys.stderr if quiet else None,
    )


def _tell(what: Stage | Words) -> None:
    sys.stdout.flush()
    if isinstance(what, Stage):
        remarks().print(f"\n{what.name}: {what.about}", style="bold", markup=False)
    else:
        remarks().print(f"$ {shlex.join(what)}", markup=False, soft_wrap=True)


def _show_plan(stages: Sequence[Stage], bench: Workbench, *, as_json: bool) -> None:
    plan = [
        {
            "stage": stage.name,
            "about": stage.about,
            "commands": [shlex.join(words) for words in stage.commands],
            "left_out": lacking(stage, bench),
        }
        for stage in stages
    ]
    if as_json:
        print_json(plan)
        return
    rows = [(each["stage"], "\n".join(each["commands"]), each["left_out"]) for each in plan]
    results().print(table("", ["stage", "commands", "left out, because"], rows))


def _show(done: PipelineRun) -> None:
    rows = [
        (each.stage, each.verdict, f"{each.seconds:.1f}" if each.seconds else "", each.why)
        for each in done.stages
    ]
    console = results()
    console.print(table("", ["stage", "", "seconds", "why"], rows))
    total = sum(each.seconds for each in done.stages)
    said = "The pipeline passes" if done.passed else "The pipeline says no"
    console.print(f"\n{said}, after {total:.1f} s.", markup=False)
