"""Tables on their way out: a file by its suffix, or CSV on standard output."""

import csv
import sys
import tempfile
from pathlib import Path

from siklus.data.snapshot import check_out, keep
from siklus.table import Table


def write_table(table: Table, to: Path) -> None:
    """A .parquet or .csv file, whole or not at all; DA006 for another suffix."""
    with tempfile.TemporaryDirectory() as folder:
        kept = keep(table, directory=Path(folder))
        check_out(kept.digest, Path(folder), to=to)


def print_csv(table: Table) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table.names)
    writer.writerows(row.values() for row in table.records())
