"""`siklus promote`"""

from typing import Annotated, Literal

import typer

from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.policies import arm_of, current_policy, decide
from siklus.cli.registered import registry_of
from siklus.cli.staged import move_stages
from siklus.registry.policy import everything_to

app = command_app()


@app.command()
def promote(
    which: Annotated[str, typer.Argument(metavar="VERSION", help="A number, a stage or `latest`.")],
    stage: Annotated[
        Literal["production", "staging", "archived", "none"], typer.Option("--stage", help="Its new stage.")
    ] = "production",
    reason: ReasonOption = "",
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Give a version a stage. Whatever was in production is archived, and the new one gets all requests.

    A rollout or an experiment that goes on ends with it.
    """
    project_file = opened(project)
    registry = registry_of(project_file)
    name = project_file.settings.project.name
    # The bundle is fetched and verified first: a stage is never given to what could not be served.
    found = registry.resolve(name, which)
    registry.fetch(found, project_file.paths.bundles)
    if stage != "production":
        version = registry.promote(name, str(found.number), None if stage == "none" else stage)
    else:
        # Decided first: no stage moves when the policy cannot.
        seen = current_policy(project_file)
        allotment = everything_to(arm_of(found), after=None if seen is None else seen.allotment)
        why = reason or f"siklus promote {which}"
        decide(project_file, allotment, seen=seen, reason=why, kind="promotion")
        # Also where the policy has not changed: people may have moved the stage in MLflow.
        version = registry.promote(name, str(found.number), stage)
        move_stages(project_file)
    if as_json:
        print_json(version)
    else:
        held = f"in {version.stage}" if version.stage else "in no stage"
        results().print(f"Version {version.number} of {name} is {held}.", markup=False)
    return 0
