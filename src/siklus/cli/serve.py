"""`siklus serve`"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from siklus.cli.answering import following, pinned, watched
from siklus.cli.launching import (
    HostOption,
    InsecureOption,
    PortOption,
    SocketOption,
    WorkersOption,
    changes_of,
    launch,
    served,
)
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
    host: HostOption = None,
    port: PortOption = None,
    workers: WorkersOption = None,
    uds: SocketOption = None,
    insecure: InsecureOption = False,
    trusted_key: Annotated[
        list[Path] | None,
        typer.Option(
            "--trusted-key",
            help="Only what this public key has signed; repeatable. Overrides [serve] trusted_keys.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Answer requests over HTTP with the versions that the traffic policy names, until stopped."""
    changes = changes_of(host=host, port=port, workers=workers, uds=uds, insecure=insecure)
    if trusted_key:
        changes["trusted_keys"] = tuple(str(file.absolute()) for file in trusted_key)
    if bundle is not None:
        words = ["--bundle", str(bundle.absolute())]
        words += [] if which is None else ["--version", which]
        launch(words, msgspec.structs.replace(Serve(), **changes), project=None)
    project_file = opened(project)
    words = following(project_file) if which is None else pinned(project_file, which)
    words += watched(project_file, words)
    launch(words, served(project_file, changes), project=project_file)
