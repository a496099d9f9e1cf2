"""What every source promises, and what it gives."""

from dataclasses import dataclass
from typing import Protocol

from siklus.data.cells import moments
from siklus.errors import DataError
from siklus.table import Table


@dataclass(frozen=True)
class Reading:
    """The rows that were read. ``sampled_from``: how many the source has, where only a sample was taken."""

    table: Table
    sampled_from: int | None = None


class Source(Protocol):
    """A place that rows come from. Reading it twice, unchanged, gives the same rows in the same order."""

    def read(self) -> Reading:
        """All rows, or a sample of max_rows of them; DataError when there are none or they cannot be read."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal, another one as soon as a cell or the question changes."""
        ...

    def describe(self) -> str:
        """The source in a line, without passwords."""
        ...


def usable(reading: Reading, *, where: str, time: str | None) -> Reading:
    """The reading with its time column as moments; DA009 without any row, DA015 for a time that is none."""
    if not len(reading.table):
        raise DataError("DA009", f"{where}: no rows", expected="at least one row below the header")
    if time is None:
        return reading
    column = moments(reading.table[time], where=f"{where}: time column {time!r}")
    return Reading(reading.table.with_column(time, column), reading.sampled_from)
