"""`siklus serve`"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from siklus.cli.answering import following, pinned, watched
from siklus.cli.launching import changes_of, launch, served
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import command_app
from siklus.project.sections import Serve

app = command_app()


@app.command()
def serve(
    project: ProjectOption = HERE,
    which: Annotated[
        str | None,
        typer.Option("--version", help="Only this one: a number, a stage or `latest`.", show_default=False),
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
    workers: Annotated[
        int | None, typer.Option("--workers", help="Overrides [serve] workers.", show_default=False)
    ] = None,
    uds: Annotated[
        Path | None,
        typer.Option("--uds", help="A Unix socket instead of host and port.", show_default=False),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let other machines ask without a key.", show_default=False)
    ] = False,
) -> int:
    """Answer requests over HTTP with the versions that the traffic policy names, until stopped."""
    asked = None if uds is None else str(uds)
    changes = changes_of(host=host, port=port, workers=workers, uds=asked, insecure=insecure)
    if bundle is not None:
        words = ["--bundle", str(bundle.absolute())]
        words += [] if which is None else ["--version", which]
        launch(words, msgspec.structs.replace(Serve(), **changes), project=None)
    project_file = opened(project)
    words = following(project_file) if which is None else pinned(project_file, which)
    words += watched(project_file, words)
    launch(words, served(project_file, changes), project=project_file)
