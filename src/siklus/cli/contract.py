"""`siklus contract infer|check|diff|export`"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from siklus.cli.findings import findings_table
from siklus.cli.options import HERE, ProjectOption, listed, opened
from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results, table
from siklus.cli.rows import file_source, say_sample
from siklus.contract.check import check as check_table
from siklus.contract.columns import contract_text, read_contract, write_contract
from siklus.contract.compare import compare
from siklus.contract.export import to_jsonschema, to_pandera
from siklus.contract.infer import infer as infer_contract
from siklus.data.sources import open_source
from siklus.project.file import OpenProject
from siklus.table import Table

app = command_app()

NO = 1


@app.command()
def infer(
    project: ProjectOption = HERE,
    drop: Annotated[str, typer.Option("--drop", help="Columns that the model must not see, by commas.")] = "",
    write: Annotated[bool, typer.Option("--write", help="Write it over the project's contract.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Propose a contract for the project's data as it is now; it is printed unless --write is said.

    What the present contract ignores stays ignored; to have such a column back, take it off that list.
    """
    project_file = opened(project)
    data = project_file.settings.data
    reading = open_source(data, directory=project_file.paths.root).read()
    say_sample(reading)
    found = infer_contract(
        reading.table,
        target=data.target,
        task=project_file.settings.project.task,
        time=data.time,
        key=data.key,
        drop=tuple(dict.fromkeys([*listed(drop), *_ignored(project_file, reading.table)])),
    )
    if write:
        write_contract(project_file.paths.contract, found.contract)
    if as_json:
        print_json({"contract": found.contract, "findings": found.findings})
        return 0
    # Without --write the contract is the result, and stdout holds nothing else.
    console = results() if write else remarks()
    if found.findings:
        console.print(findings_table(found.findings))
    if write:
        console.print(f"\nWritten: {project_file.paths.contract}", markup=False)
    else:
        print(contract_text(found.contract), end="")
    return 0


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="A file to check instead of the project's source.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Hold rows against the contract. Exit code 1: they break it."""
    project_file = opened(project)
    contract = read_contract(project_file.paths.contract)
    own = project_file.settings.data
    source = open_source(own, directory=project_file.paths.root) if file is None else file_source(file)
    reading = source.read()
    say_sample(reading)
    report = check_table(reading.table, contract)
    if as_json:
        print_json({"passed": report.passed, **msgspec.to_builtins(report)})
        return 0 if report.passed else NO
    console = results()
    if report.problems:
        rows = [
            ("" if p.row is None else p.row, p.column or "", p.code, p.message, p.expected)
            for p in report.problems
        ]
        console.print(table("", ["row", "column", "code", "what", "expected"], rows))
    if report.warnings:
        console.print(findings_table(report.warnings))
    verdict = (
        "keep the contract" if report.passed else f"break the contract in {report.problem_count:,} places"
    )
    console.print(f"\n{report.rows:,} rows {verdict}.", markup=False)
    return 0 if report.passed else NO


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A contract file.")],
    new: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: JsonFlag = False,
) -> int:
    """What a client of the old contract meets under the new one. Exit code 1: a breaking change."""
    found = compare(read_contract(old), read_contract(new))
    if as_json:
        print_json(found)
    else:
        console = results()
        if found.changes:
            rows = [(change.verdict, change.column or "", change.message) for change in found.changes]
            console.print(table("", ["verdict", "column", "what changed"], rows))
        console.print(f"\nThe change is: {found.verdict}.", markup=False)
    return NO if found.verdict == "breaking" else 0


@app.command()
def export(
    form: Annotated[Literal["jsonschema", "pandera"], typer.Option("--format", help="What to write it as.")],
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Print the contract as a JSON Schema, or as Python source for pandera."""
    contract = read_contract(opened(project).paths.contract)
    if form == "jsonschema":
        print_json(to_jsonschema(contract))
    elif as_json:
        print_json({"format": form, "source": to_pandera(contract)})
    else:
        print(to_pandera(contract))
    return 0


def _ignored(project: OpenProject, table: Table) -> list[str]:
    """What the present contract ignores, if there is one; the key is ignored by its role."""
    if not project.paths.contract.exists():
        return []
    data = project.settings.data
    ignored = read_contract(project.paths.contract).ignored
    return [name for name in ignored if name in table and name not in (data.target, data.time, data.key)]
