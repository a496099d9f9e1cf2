"""What decoding finds: cells and rows that do not keep the contract, and what was let through but counted."""

import reprlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from siklus.errors import RowProblem
from siklus.table import Cells

PROBLEMS_KEPT = 20  # per column: enough to see a pattern, small enough for an HTTP answer
SHOWN_CHARACTERS = 60  # of a refused value, so that an answer never carries a whole payload back

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = SHOWN_CHARACTERS
_SHORT.maxlevel = 2


class Problems:
    """Collects what is wrong: all of it is counted, the first 20 a column are kept.

    ``hollow``: rows that were refused as a whole or lack a column; their empty cells are no further
    problems. ``unseen`` and ``out_of_range`` count, per column, what was let through.
    """

    def __init__(self) -> None:
        self.kept: list[RowProblem] = []
        self.count = 0
        self.hollow: set[int] = set()
        self.unseen: dict[str, int] = {}
        self.out_of_range: dict[str, int] = {}
        self._kept_of: dict[str | None, int] = {}

    def add(self, code: str, message: str, *, expected: str, column: str | None, row: int | None) -> None:
        """Note one problem. ``column`` None: of the whole row; ``row`` None: of the whole column."""
        self.count += 1
        if self._room(column):
            self._keep(RowProblem(code=code, row=row, column=column, message=message, expected=expected))

    def refuse(self, cell: object, code: str, *, expected: str, column: str, row: int) -> None:
        """Note a cell by its value."""
        self.count += 1
        if self._room(column):
            message = f"{shown(cell)} is refused"
            self._keep(RowProblem(code=code, row=row, column=column, message=message, expected=expected))

    def refuse_where(
        self, bad: NDArray[np.bool_], cells: Cells, code: str, *, expected: str, column: str
    ) -> None:
        """Note the cell at each true place."""
        rows = np.flatnonzero(bad)
        room = self._room(column)
        self.count += len(rows[room:])
        for i in rows[:room]:
            self.refuse(cells[i], code, expected=expected, column=column, row=int(i))

    def add_unknown(self, name: str, *, row: int | None, known: Sequence[str]) -> None:
        """Note a column that the contract does not have."""
        self.count += 1
        # They share the allowance of whole rows: a request makes up as many names as it likes.
        if self._room(None):
            self._kept_of[None] = self._kept_of.get(None, 0) + 1
            message, expected = f"the contract has no column {shown(name)}", f"only {', '.join(known)}"
            column = _cut(name)
            self.kept.append(
                RowProblem(code="RW001", row=row, column=column, message=message, expected=expected)
            )

    def _room(self, column: str | None) -> int:
        return PROBLEMS_KEPT - self._kept_of.get(column, 0)

    def _keep(self, problem: RowProblem) -> None:
        self._kept_of[problem.column] = self._kept_of.get(problem.column, 0) + 1
        self.kept.append(problem)


def shown(value: object) -> str:
    """The value as Python writes it, at most 60 characters, however large or deep it is."""
    plain = value.item() if isinstance(value, np.generic) else value
    try:
        text = _SHORT.repr(plain)
    except ValueError:  # Python refuses to write an integer of more than 4300 digits
        text = "an integer of thousands of digits"
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
