"""Options that several commands share."""

import csv
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from siklus.project.durations import seconds_of
from siklus.project.file import OpenProject, open_project

ProjectOption = Annotated[
    Path, typer.Option("--project", "-C", help="The project's folder, or one below it.", show_default=False)
]
HERE = Path()
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for whoever reads it later.")]
WindowOption = Annotated[
    str | None, typer.Option("--window", help="The last 30m, 24h, 7d …; [monitor] window by default.")
]


def opened(project: Path) -> OpenProject:
    return open_project(project, environment=os.environ)


def refuse_options_before(context: typer.Context, *, project: Path, as_json: bool) -> None:
    """typer.BadParameter for options between a command and the one behind it, which would hear of none."""
    if project != HERE or as_json:
        told = f"options stand behind the command: {context.command_path} {context.invoked_subcommand} …"
        raise typer.BadParameter(told)


def seconds_given(text: str, *, option: str) -> int:
    """The seconds of a duration that ``option`` gave."""
    try:
        return seconds_of(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def moment_option(text: str, option: str) -> datetime:
    """ISO 8601; in UTC without an offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(
            f"{text!r} is no moment such as 2026-01-31T09:00", param_hint=option
        ) from exc
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def listed(words: str) -> tuple[str, ...]:
    """Column names by commas; one that has a comma itself stands in quotes.

    >>> listed('a, "b, c"')
    ('a', 'b, c')
    """
    return tuple(
        word.strip() for row in csv.reader([words], skipinitialspace=True) for word in row if word.strip()
    )
