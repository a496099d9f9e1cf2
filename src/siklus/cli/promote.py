"""`siklus promote`"""

from typing import Annotated, Literal

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.policies import arm_of, current_policy, decide
from siklus.cli.registered import registry_of
from siklus.registry.policy import everything_to

app = command_app()


@app.command()
def promote(
    which: Annotated[str, typer.Argument(metavar="VERSION", help="A number, a stage or `latest`.")],
    stage: Annotated[
        Literal["production", "staging", "archived", "none"], typer.Option("--stage", help="Its new stage.")
    ] = "production",
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Give a version a stage. Whatever was in production is archived, and the new one gets all requests."""
    project_file = opened(project)
    registry = registry_of(project_file)
    name = project_file.settings.project.name
    # The bundle is fetched and verified first: a stage is never given to what could not be served.
    registry.fetch(registry.resolve(name, which), project_file.paths.bundles)
    if stage != "production":
        version = registry.promote(name, which, None if stage == "none" else stage)
    else:
        # Asked beforehand: no stage moves when the policy cannot.
        seen = current_policy(project_file)
        version = registry.promote(name, which, stage)
        allotment = everything_to(arm_of(version), after=None if seen is None else seen.allotment)
        decide(project_file, allotment, seen=seen, reason=f"siklus promote {which}")
    if as_json:
        print_json(version)
    else:
        held = f"in {version.stage}" if version.stage else "in no stage"
        results().print(f"Version {version.number} of {name} is {held}.", markup=False)
    return 0
