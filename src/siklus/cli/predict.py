"""`siklus predict`"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from siklus.bundle.read import Bundle, open_bundle
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, remarks
from siklus.cli.registered import opened_version
from siklus.cli.rows import file_source
from siklus.contract.decode import decode_table
from siklus.data.output import print_csv, write_table
from siklus.table import Cells, Table, objects

app = command_app()

ANSWER, PROBABILITY = "prediction", "probability"


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(help="Rows to score: CSV, Parquet or JSON lines (also .gz, .zip).")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="A .csv or .parquet file; CSV on stdout by default.", show_default=False
        ),
    ] = None,
    which: Annotated[
        str | None,
        typer.Option(
            "--version", help="A number, a stage or `latest`; production by default.", show_default=False
        ),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="A bundle's folder instead.", show_default=False)
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Score a file: all its rows come back with `prediction` beside them, and `probability` for classes.

    A column that has such a name already keeps it; the answer's then ends in an underscore. Rows that
    break the contract stop it: exit code 1.
    """
    opened_bundle = open_bundle(bundle) if bundle else opened_version(opened(project), which)[1]
    table = file_source(file).read().table
    scored = score(table, opened_bundle)
    if out is not None:
        write_table(scored, out)
        remarks().print(
            f"{len(scored):,} rows scored with version {opened_bundle.version} → {out}", markup=False
        )
    if as_json:
        answers = {name: scored[name].tolist() for name in scored if name not in table}
        print_json({"version": opened_bundle.version, "rows": len(scored), **answers})
    elif out is None:
        print_csv(scored)
    return 0


def score(table: Table, bundle: Bundle) -> Table:
    """The table with `prediction`, and for classes `probability` (of the predicted one)."""
    predictions = bundle.predict(decode_table(table, bundle.contract).accepted())
    scored = table.with_column(free_name(ANSWER, table), cells_of_answers(bundle.labels(predictions)))
    if predictions.probabilities is not None:
        probabilities = np.asarray(predictions.probabilities, dtype=np.float64)
        scored = scored.with_column(free_name(PROBABILITY, table), probabilities)
    return scored


def cells_of_answers(answers: Sequence[Any]) -> Cells:
    """A column of one type where the answers have one, so that a Parquet file holds numbers as numbers.

    >>> cells_of_answers([1, 2]).dtype
    dtype('int64')
    """
    kinds = {type(answer) for answer in answers}
    return np.array(answers) if kinds in ({float}, {int}, {bool}) else objects(answers)


def free_name(name: str, table: Table) -> str:
    """The name, with as many underscores behind it as it takes to be no column of the table.

    >>> free_name("prediction", Table({"prediction": np.zeros(1)}))
    'prediction_'
    """
    while name in table:
        name += "_"
    return name
