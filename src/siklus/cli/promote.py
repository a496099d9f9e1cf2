"""`siklus promote`"""

from typing import Annotated, Literal

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.registered import registry_of

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
    """Give a version a stage. What was in production before is archived."""
    project_file = opened(project)
    registry = registry_of(project_file)
    name = project_file.settings.project.name
    # The bundle is fetched and verified first: a stage is never given to what could not be served.
    registry.fetch(registry.resolve(name, which), project_file.paths.bundles)
    version = registry.promote(name, which, None if stage == "none" else stage)
    if as_json:
        print_json(version)
    else:
        held = f"in {version.stage}" if version.stage else "in no stage"
        results().print(f"Version {version.number} of {name} is {held}.", markup=False)
    return 0
