"""`siklus log`"""

import csv
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.records.layout import Layout
from siklus.records.query import query
from siklus.records.read import Tail, newest
from siklus.records.reading import PredictionRecord

FOLLOW_SECONDS = 0.5
FEATURES_SHOWN = 60  # characters of a row in a table; --json has them all

app = command_app()


@app.callback()
def log() -> None:
    """The answered predictions and their outcomes."""


@app.command()
def tail(
    count: Annotated[int, typer.Option("-n", min=0, help="How many of the newest.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Show the newest predictions; with --json a line each."""
    layout = Layout(opened(project).paths.records)
    following = Tail(layout) if follow else None
    records = newest(layout, count) if count else []
    _show(records, as_json=as_json)
    # What came between the two looks is in both.
    shown = {(record.log, record.sequence) for record in records}
    while following is not None:
        sys.stdout.flush()
        time.sleep(FOLLOW_SECONDS)
        came = [record for record in following.new() if (record.log, record.sequence) not in shown]
        _show(came, as_json=as_json)
    return 0


@app.command(name="query")
def ask(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Ask the views predictions, shadows, outcomes and joined in SQL (docs/records.md has their columns)."""
    answer = query(Layout(opened(project).paths.records), sql)
    if as_json:
        print_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)
    else:
        results().print(table("", answer.columns, answer.rows))
    return 0


def _show(records: Iterable[PredictionRecord], *, as_json: bool) -> None:
    for record in records:
        if as_json:
            print(msgspec.json.encode(record).decode())
            continue
        when = datetime.fromtimestamp(record.time_us / 1e6, UTC)
        features = msgspec.json.encode(record.features).decode()
        shown = features if len(features) <= FEATURES_SHOWN else features[: FEATURES_SHOWN - 1] + "…"
        sure = "" if record.probability is None else f" ({record.probability:.3f})"
        print(
            f"{when:%Y-%m-%d %H:%M:%S} {record.prediction_id} {record.version:>3} {record.arm} "
            f"{record.prediction}{sure} {record.latency_ms:.2f} ms {shown}"
        )
