"""`siklus init`"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from siklus.cli.findings import findings_table
from siklus.cli.options import HERE, listed
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.rows import say_sample
from siklus.contract.columns import Task, kind_of, write_contract
from siklus.contract.infer import Inferred, infer
from siklus.data.reading import Reading
from siklus.data.sources import open_source
from siklus.errors import ProjectError
from siklus.files import write_atomic
from siklus.project.file import FILE_NAME
from siklus.project.scaffold import Scaffold, project_name, project_text
from siklus.project.sections import Data

app = command_app()

CONTRACT = "contract.json"


@app.command()
def init(
    target: Annotated[str, typer.Option("--target", help="The column to predict.")],
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where the project goes; here by default.")
    ] = HERE,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="CSV, Parquet or JSON lines (also .gz, .zip).", show_default=False),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            "--query", help="DuckDB SQL over files instead; paths start from DIR.", show_default=False
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="Split by this column: the latest rows judge.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The column that names a row for ever.")] = None,
    task: Annotated[
        Literal["classification", "regression"] | None,
        typer.Option("--task", help="Read off the target by default."),
    ] = None,
    drop: Annotated[str, typer.Option("--drop", help="Columns that the model must not see, by commas.")] = "",
    name: Annotated[str | None, typer.Option("--name", help="By default the folder's or the file's.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over an existing project file and contract.")
    ] = False,
    as_json: JsonFlag = False,
) -> int:
    """Write a commented siklus.toml and a contract inferred from the data, and say what was assumed."""
    wish = Wish(data=data, query=query, target=target, time=time, key=key, task=task, drop=listed(drop))
    _refuse_unclear(wish, directory, force=force)
    reading = _read(wish, directory)
    say_sample(reading)
    found = infer(reading.table, target=target, task=task, time=time, key=key, drop=wish.drop)
    write_contract(directory / CONTRACT, found.contract)
    write_atomic(directory / FILE_NAME, project_text(_scaffold(wish, directory, name=name, task=found.task)))
    if not (directory / ".gitignore").exists():
        write_atomic(directory / ".gitignore", ".siklus/\n")
    if as_json:
        print_json(_document(found, directory, reading))
    else:
        _show(found, directory, rows=len(reading.table))
    return 0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the command line asked for. One of ``data`` (a file) and ``query`` is given."""

    data: Path | None
    query: str | None
    target: str
    time: str | None
    key: str | None
    task: Task | None
    drop: tuple[str, ...]


def _refuse_unclear(wish: Wish, directory: Path, *, force: bool) -> None:
    if (wish.data is None) == (wish.query is None):
        wanted = "--data FILE or --query SQL"
        raise ProjectError("PJ009", "siklus init needs its rows from one place", expected=wanted)
    existing = [file for file in (directory / FILE_NAME, directory / CONTRACT) if file.exists()]
    if existing and not force:
        raise ProjectError("PJ011", f"{existing[0]} is there already", expected="another folder, or --force")


def _read(wish: Wish, directory: Path) -> Reading:
    # By the absolute path: the folder, and so the relative one, need not exist yet.
    path = None if wish.data is None else str(wish.data.resolve())
    data = Data(path=path, query=wish.query, target=wish.target, time=wish.time, key=wish.key)
    return open_source(data, directory=directory).read()


def _scaffold(wish: Wish, directory: Path, *, name: str | None, task: Task) -> Scaffold:
    if wish.data is None:
        source, fallback = {"query": wish.query or ""}, directory.resolve().name
    else:
        source = {"path": _relative(wish.data, directory)}
        fallback = wish.data.name.partition(".")[0] if directory == HERE else directory.resolve().name
    return Scaffold(
        name=project_name(name or fallback),
        task=task,
        source=source,
        target=wish.target,
        time=wish.time,
        key=wish.key,
    )


def _relative(data: Path, directory: Path) -> str:
    """As the project file has it: from the project's folder, so that the two can move together."""
    if data.is_absolute():
        return str(data)
    return os.path.relpath(data, directory)


def _document(found: Inferred, directory: Path, reading: Reading) -> dict[str, object]:
    return {
        "project": str(directory / FILE_NAME),
        "contract": str(directory / CONTRACT),
        "task": found.task,
        "rows": len(reading.table),
        "sampled_from": reading.sampled_from,
        "columns": {column.name: kind_of(column) for column in found.contract.columns},
        "ignored": found.contract.ignored,
        "findings": found.findings,
    }


def _show(found: Inferred, directory: Path, *, rows: int) -> None:
    console = results()
    contract = found.contract
    kinds: dict[str, list[str]] = {}
    for column in contract.columns:
        kinds.setdefault(kind_of(column), []).append(column.name)
    console.print(f"{found.task} of {contract.target.name!r} from {rows:,} rows", markup=False)
    if contract.target.classes is not None:
        console.print(f"Classes: {', '.join(map(str, contract.target.classes))}", markup=False)
    rows_of_kinds = [(kind, len(names), ", ".join(names)) for kind, names in kinds.items()]
    if contract.ignored:
        rows_of_kinds.append(("ignored", len(contract.ignored), ", ".join(contract.ignored)))
    console.print(table("", ["kind", "", "columns"], rows_of_kinds))
    if found.findings:
        console.print(findings_table(found.findings))
    console.print(
        f"\nWritten: {directory / FILE_NAME} and {directory / CONTRACT}. Read them, then:",
        markup=False,
    )
    where = "" if directory == HERE else f"cd {directory} && "
    console.print(f"  {where}siklus train", markup=False)
    console.print(
        "  siklus up               # serve it, watch it, train it anew, roll out or back", markup=False
    )
    console.print(
        "  siklus deploy docker    # an image of it; compose, kubernetes, github … likewise", markup=False
    )
