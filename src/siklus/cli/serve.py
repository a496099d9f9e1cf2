"""`siklus serve`"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import command_app
from siklus.cli.registered import fetched
from siklus.project.sections import Serve

app = command_app()


@app.command()
def serve(
    project: ProjectOption = HERE,
    which: Annotated[
        str | None,
        typer.Option(
            "--version", help="A number, a stage or `latest`; production by default.", show_default=False
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="A bundle's folder instead; no project is needed.", show_default=False),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Overrides [serve] host.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="Overrides [serve] port; 0 takes a free one.", show_default=False),
    ] = None,
) -> int:
    """Answer requests over HTTP with the version in production, until stopped."""
    settings, number = Serve(), None
    if bundle is None:
        project_file = opened(project)
        version, bundle = fetched(project_file, which)
        settings, number = project_file.settings.serve, str(version.number)
    given = {"host": host, "port": None if port is None else str(port)}
    words = ["--bundle", str(bundle.absolute()), *(["--version", number] if number else [])]
    for name in Serve.__struct_fields__:
        words += [f"--{name.replace('_', '-')}", given.get(name) or str(getattr(settings, name))]
    sys.stdout.flush()
    # A process of its own, because this one has MLflow loaded: the server needs a tenth of that memory.
    os.execv(sys.executable, [sys.executable, "-m", "siklus.serve", *words])  # noqa: S606 - no shell is wanted
