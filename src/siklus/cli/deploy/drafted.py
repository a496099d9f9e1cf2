"""Drafted files from the command line: where they go, what a person has changed, what became of them."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from siklus.cli.output import print_json, results, table
from siklus.deploy.drafts import Compared, Draft, State, compare, write
from siklus.project.file import OpenProject

DONE: Mapping[State, str] = {
    "new": "written",
    "same": "as it was",
    "older": "written anew",
    "kept": "kept as you changed it",
    "changed": "replaced",
}

ToOption = Annotated[
    Path | None,
    typer.Option("--to", metavar="DIR", help="Where the files go; deploy/TARGET of the project by default."),
]
ForceFlag = Annotated[bool, typer.Option("--force", help="Replace files that a person has changed, too.")]


def usual(project: OpenProject, target: str) -> Path:
    return project.paths.root / "deploy" / target


def put(
    drafts: Sequence[Draft], directory: Path, *, force: bool, remarks: Sequence[str], as_json: bool
) -> int:
    found = compare(drafts, directory)
    if not force:
        _show_changes(found)
    write(found, directory, force=force)
    if as_json:
        files = [
            {"path": str(directory / each.draft.path), "state": _now(each, force=force)} for each in found
        ]
        print_json({"directory": str(directory), "files": files, "remarks": list(remarks)})
        return 0
    rows = [(directory / each.draft.path, DONE[_now(each, force=force)]) for each in found]
    results().print(table("", ["file", ""], rows))
    for remark in remarks:
        sys.stderr.write(f"{remark}\n")
    return 0


def _now(found: Compared, *, force: bool) -> State:
    return "changed" if force and found.state == "kept" else found.state


def _show_changes(found: Sequence[Compared]) -> None:
    """What a person has changed, before it is refused to replace that."""
    for each in found:
        if each.state == "changed":
            sys.stderr.write("".join(f"{line}\n" for line in each.difference))
