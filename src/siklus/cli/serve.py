"""`siklus serve`"""

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from siklus.cli.answering import following, pinned, watched
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import command_app
from siklus.project.sections import Serve
from siklus.serve.options import words_of

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
    given = {"host": host, "port": port, "workers": workers, "uds": None if uds is None else str(uds)}
    changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if insecure:
        changes["insecure"] = True
    words: list[str] = []
    settings = Serve()
    if bundle is not None:
        words += ["--bundle", str(bundle.absolute())]
        words += [] if which is None else ["--version", which]
    else:
        project_file = opened(project)
        words += following(project_file) if which is None else pinned(project_file, which)
        words += watched(project_file, words)
        settings = _absolute(project_file.settings.serve, project_file.paths.root)
        words += words_of(project_file.settings.records)
        words += ["--state", str(project_file.paths.state.absolute())]
    words += words_of(msgspec.structs.replace(settings, **changes))
    sys.stdout.flush()
    # A process of its own, because this one has MLflow loaded: the server needs a tenth of that memory.
    os.execv(sys.executable, [sys.executable, "-m", "siklus.serve", *words])  # noqa: S606 - no shell is wanted


def _absolute(settings: Serve, root: Path) -> Serve:
    """The paths in it, which the project file means from where it stands."""
    paths = {name: getattr(settings, name) for name in ("uds", "tls_certificate", "tls_key")}
    found = {name: str((root / path).absolute()) for name, path in paths.items() if path is not None}
    return msgspec.structs.replace(settings, **found)
