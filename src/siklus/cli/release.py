"""Which release a command is about: a version of the project, or a bundle's folder alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from siklus.cli.options import opened
from siklus.cli.registered import fetched

VersionArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="VERSION",
        help="A number, a stage or `latest`; what is in production by default.",
        show_default=False,
    ),
]
BundleOption = Annotated[
    Path | None, typer.Option("--bundle", help="A bundle's folder instead of a version.", show_default=False)
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file; stdout by default.", show_default=False)
]


@dataclass(frozen=True, kw_only=True)
class ReleaseBundle:
    """``number``: the registered one, None for a bundle alone."""

    path: Path
    number: str | None


def release_bundle(which: str | None, bundle: Path | None, project: Path) -> ReleaseBundle:
    """The verified bundle of the version, or the one in the folder; typer.BadParameter for both."""
    if bundle is not None:
        if which is not None:
            raise typer.BadParameter("VERSION or --bundle, not both")
        return ReleaseBundle(path=bundle, number=None)
    version, path = fetched(opened(project), which)
    return ReleaseBundle(path=path, number=str(version.number))
