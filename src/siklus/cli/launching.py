"""The server takes over: the command's process becomes the supervisor's."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from siklus.project.file import OpenProject
from siklus.project.sections import Serve
from siklus.serve.options import words_of

HostOption = Annotated[str | None, typer.Option("--host", help="Overrides [serve] host.", show_default=False)]
PortOption = Annotated[
    int | None,
    typer.Option("--port", help="Overrides [serve] port; 0 takes a free one.", show_default=False),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Overrides [serve] workers.", show_default=False)
]
SocketOption = Annotated[
    Path | None, typer.Option("--uds", help="A Unix socket instead of host and port.", show_default=False)
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Let other machines ask without a key.", show_default=False)
]


def changes_of(
    *, host: str | None, port: int | None, workers: int | None, uds: Path | None, insecure: bool
) -> dict[str, object]:
    """What the command line says instead of [serve]."""
    socket = None if uds is None else str(uds)
    given = {"host": host, "port": port, "workers": workers, "uds": socket, "insecure": insecure or None}
    return {name: value for name, value in given.items() if value is not None}


def served(project: OpenProject, changes: Mapping[str, object]) -> Serve:
    """[serve], with its paths from wherever one stands, and what the command line says instead."""
    settings = _absolute(project)
    return msgspec.structs.replace(settings, **dict(changes))


def launch(words: Sequence[str], settings: Serve, *, project: OpenProject | None) -> NoReturn:
    """Become the server. ``words``: what it answers with, and what runs beside it."""
    of_project = []
    if project is not None:
        of_project = words_of(project.settings.records)
        of_project += ["--state", str(project.paths.state.absolute())]
    sys.stdout.flush()
    command = [sys.executable, "-m", "siklus.serve", *words, *of_project, *words_of(settings)]
    # A process of its own, because this one has MLflow loaded: the server needs a tenth of that memory.
    os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted


def _absolute(project: OpenProject) -> Serve:
    """The paths in it, which the project file means from where it stands."""
    settings, root = project.settings.serve, project.paths.root
    paths = {name: getattr(settings, name) for name in ("uds", "tls_certificate", "tls_key")}
    found = {name: str((root / path).absolute()) for name, path in paths.items() if path is not None}
    trusted = tuple(str((root / file).absolute()) for file in settings.trusted_keys)
    return msgspec.structs.replace(settings, **found, trusted_keys=trusted)
