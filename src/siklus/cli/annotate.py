"""`siklus annotate`"""

from typing import Annotated

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.registered import registry_of

app = command_app()


@app.command()
def annotate(
    which: Annotated[str, typer.Argument(metavar="VERSION", help="A number, a stage or `latest`.")],
    text: Annotated[str, typer.Argument(help="What the next reader should know.")],
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Write a sentence beside a version."""
    project_file = opened(project)
    version = registry_of(project_file).annotate(project_file.settings.project.name, which, text)
    if as_json:
        print_json(version)
    else:
        results().print(f"Version {version.number}: {' / '.join(version.annotations)}", markup=False)
    return 0
