"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer

from siklus.project.file import OpenProject, open_project

ProjectOption = Annotated[
    Path, typer.Option("--project", "-C", help="The project's folder, or one below it.", show_default=False)
]
HERE = Path()


def opened(project: Path) -> OpenProject:
    return open_project(project, environment=os.environ)
