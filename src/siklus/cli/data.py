"""`siklus data checkout`"""

from pathlib import Path
from typing import Annotated

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.registered import registry_of, resolved
from siklus.data.snapshot import check_out
from siklus.errors import DataError

app = command_app()


@app.callback()
def data() -> None:
    """The rows behind a version."""


@app.command()
def checkout(
    which: Annotated[str, typer.Argument(metavar="VERSION", help="A number, a stage or `latest`.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="A .parquet or .csv file.", show_default=False)
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Write the very rows that a version was trained on (with those that judged it)."""
    project_file = opened(project)
    version = resolved(project_file, registry_of(project_file), which)
    if version.data_digest is None:
        raise DataError(
            "DA050",
            f"version {version.number} names no snapshot",
            expected="a version that siklus train made",
        )
    target = to or Path(f"{version.name}-{version.number}.parquet")
    rows = check_out(version.data_digest, project_file.paths.snapshots, to=target)
    if as_json:
        print_json(
            {"version": version.number, "digest": version.data_digest, "rows": rows, "file": str(target)}
        )
    else:
        results().print(
            f"{rows:,} rows of version {version.number} (snapshot {version.data_digest[:12]}) → {target}",
            markup=False,
        )
    return 0
