"""Rows that a command reads: all of a file that the command line names, or a project's, maybe sampled."""

from pathlib import Path

from siklus.cli.output import remarks
from siklus.data.reading import Reading, Source
from siklus.data.sources import open_source
from siklus.project.sections import Data

EVERY_ROW = 2**62  # a training may draw a sample, an answer may not


def file_source(file: Path) -> Source:
    """All rows of a file that the command line names."""
    return open_source(Data(path=str(file.absolute()), target="", max_rows=EVERY_ROW), directory=Path())


def say_sample(reading: Reading) -> None:
    """Whoever reads what follows should know that it was not read off all rows."""
    if reading.sampled_from is not None:
        sample = f"{len(reading.table):,} of {reading.sampled_from:,} rows"
        remarks().print(f"Read off a sample: {sample} ([data] max_rows says how many)", markup=False)
