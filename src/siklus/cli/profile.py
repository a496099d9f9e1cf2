"""`siklus profile`"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from siklus import __version__
from siklus.cli.findings import findings_table
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.rows import file_source, say_sample
from siklus.contract.columns import read_contract
from siklus.data.reading import Reading, Source
from siklus.data.sources import open_source
from siklus.errors import MonitorError, ProjectError
from siklus.files import write_atomic
from siklus.monitor.pages.profile_page import About, profile_page
from siklus.monitor.portrait.data import Asked, Portrait, portray
from siklus.project.file import OpenProject

app = command_app()

PAGE = Path("profile.html")


@app.command()
def profile(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="A file instead of the project's source.", show_default=False),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", help="The column to predict; that of [data] by default.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The page; profile.html here by default.", show_default=False),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Write an HTML page of the data before training: what it holds, what is missing or may be a leak.

    A file needs no project. With --json the numbers come instead, and a page only where --out names it.
    """
    project_file = _project(project, needed=data is None)
    source = _source(project_file, data)
    reading = source.read()
    say_sample(reading)
    portrait = _portrait(reading, project_file, target=target)
    page = out or (None if as_json else PAGE)
    if page is not None:
        name = project_file.settings.project.name if project_file else Path(source.describe()).name
        about = About(name=name, source=source.describe(), made=datetime.now(UTC), version=__version__)
        write_atomic(page, profile_page(portrait, about))
    if as_json:
        print_json(portrait)
    else:
        _say(portrait, page)
    return 0


def _project(place: Path, *, needed: bool) -> OpenProject | None:
    """The project; None where there is none and a file can be looked at without."""
    try:
        return opened(place)
    except ProjectError as exc:
        if needed or exc.code != "PJ001":
            raise
        return None


def _source(project: OpenProject | None, data: Path | None) -> Source:
    if project is None or data is not None:
        return file_source(data or Path())
    return open_source(project.settings.data, directory=project.paths.root)


def _portrait(reading: Reading, project: OpenProject | None, *, target: str | None) -> Portrait:
    if target is not None and target not in reading.table:
        raise MonitorError(
            "MO040", f"no column {target!r} to predict", expected=f"one of {', '.join(reading.table.names)}"
        )
    if project is None:
        return portray(reading.table, Asked(target=target), rows_in_all=reading.sampled_from)
    own = project.settings.data
    other = target is not None and target != own.target
    asked = Asked(
        target=target or own.target,
        task=None if other else project.settings.project.task,
        time=own.time,
        key=own.key,
    )
    # A contract says what one target is predicted from.
    contract = (
        read_contract(project.paths.contract) if project.paths.contract.exists() and not other else None
    )
    return portray(reading.table, asked, contract=contract, rows_in_all=reading.sampled_from)


def _say(portrait: Portrait, page: Path | None) -> None:
    console = results()
    if portrait.findings:
        console.print(findings_table(portrait.findings))
    if portrait.refusal:
        console.print(f"\nNothing can be learned from these rows yet: {portrait.refusal}", markup=False)
    rows = f"{portrait.rows_in_all:,} rows, {len(portrait.columns)} columns"
    if portrait.rows < portrait.rows_in_all:
        rows += f" (a sample of {portrait.rows:,} rows was looked at)"
    console.print(f"\n{rows} → {page}", markup=False)
