"""`siklus init`"""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from siklus.cli.findings import findings_table
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.contract.columns import kind_of, write_contract
from siklus.contract.infer import Inferred, infer
from siklus.data.sources import open_source
from siklus.errors import ProjectError
from siklus.files import write_atomic
from siklus.project.file import FILE_NAME
from siklus.project.scaffold import Scaffold, project_name, project_text
from siklus.project.sections import Data

app = command_app()


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the project goes; here by default.")] = Path(),
    data: Annotated[
        Path | None, typer.Option("--data", help="CSV, Parquet or JSON lines (also .gz, .zip).", show_default=False)
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", help="DuckDB SQL over files instead; paths start from DIR.", show_default=False)
    ] = None,
    target: Annotated[str, typer.Option("--target", help="The column to predict.")] = ...,  # type: ignore[assignment]
    time: Annotated[str | None, typer.Option("--time", help="Split by this column: the latest rows judge.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="The column that names a row for ever.")] = None,
    task: Annotated[
        Literal["classification", "regression"] | None, typer.Option("--task", help="Read off the target by default.")
    ] = None,
    drop: Annotated[str, typer.Option("--drop", help="Columns that the model must not see, by commas.")] = "",
    name: Annotated[str | None, typer.Option("--name", help="By default the folder's or the file's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing project file and contract.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Write a commented siklus.toml and a contract inferred from the data, and say what was assumed."""
    if (data is None) == (query is None):
        raise ProjectError("PJ009", "siklus init needs its rows from one place", expected="--data FILE or --query SQL")
    existing = [file for file in (directory / FILE_NAME, directory / "contract.json") if file.exists()]
    if existing and not force:
        raise ProjectError("PJ011", f"{existing[0]} is there already", expected="another folder, or --force")
    # Read by the absolute path: the folder, and so the relative one, need not exist yet.
    read = {"query": query} if data is None else {"path": str(data.resolve())}
    reading = open_source(Data(target=target, time=time, key=key, **read), directory=directory).read()
    dropped = [column.strip() for column in drop.split(",") if column.strip()]
    found = infer(reading.table, target=target, task=task, time=time, key=key, drop=dropped)
    fallback = directory.resolve().name if directory != Path() or data is None else data.name.partition(".")[0]
    source = read if data is None else {"path": _relative(data, directory)}
    scaffold = Scaffold(
        name=project_name(name or fallback), task=found.task, source=source, target=target, time=time, key=key
    )
    write_contract(directory / "contract.json", found.contract)
    write_atomic(directory / FILE_NAME, project_text(scaffold))
    if not (directory / ".gitignore").exists():
        write_atomic(directory / ".gitignore", ".siklus/\n")
    if as_json:
        print_json(_document(found, directory, rows=len(reading.table)))
    else:
        _show(found, directory, rows=len(reading.table))
    return 0


def _relative(data: Path, directory: Path) -> str:
    """As the project file has it: from the project's folder, so that the two can move together."""
    if data.is_absolute():
        return str(data)
    return os.path.relpath(data.resolve(), directory.resolve())


def _document(found: Inferred, directory: Path, *, rows: int) -> dict[str, object]:
    return {
        "project": str(directory / FILE_NAME),
        "contract": str(directory / "contract.json"),
        "task": found.task,
        "rows": rows,
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
    console.print(f"\nWritten: {directory / FILE_NAME} and {directory / 'contract.json'}. Read them, then:", markup=False)
    where = "" if directory == Path() else f"cd {directory} && "
    console.print(f"  {where}siklus train", markup=False)
