"""Check: does a table keep a contract, and what did it let through?"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from siklus.contract.columns import Category, Contract, Integer, Number, slots_of
from siklus.contract.decode import FloatRows, decode_table, decode_target
from siklus.contract.findings import Finding, finding
from siklus.errors import RowProblem, RowsRefused
from siklus.table import Cells, Table, is_missing

WORDS_SHOWN = 3  # of an unseen vocabulary, the most frequent ones


@dataclass(frozen=True, kw_only=True)
class Report:
    """The answer of a check.

    ``problems``: the first 20 a column, by row; ``problem_count`` counts all. ``warnings``: what the
    contract lets through, with its share (findings `out-of-range`, `unseen`, `target-missing`).
    ``missing``: per column of the contract and for the target, the share of missing cells, 0 to 1.
    """

    rows: int
    problems: tuple[RowProblem, ...]
    problem_count: int
    warnings: tuple[Finding, ...]
    missing: Mapping[str, float]

    @property
    def passed(self) -> bool:
        return self.problem_count == 0


def check(table: Table, contract: Contract) -> Report:
    """Hold a training table against the contract: what `decode_table` and `decode_target` say, and warnings.

    A missing target is a warning (such rows are left out of a training), a wrong one a problem.
    """
    decoded = decode_table(table, contract)
    wrong, wrong_count = _target_problems(table, contract)
    warnings = [
        *_out_of_range(decoded.out_of_range, decoded.rows.matrix, contract),
        *_unseen(decoded.unseen, decoded.rows.matrix, table, contract),
        *_target_missing(table, contract),
    ]
    problems = sorted([*decoded.problems, *wrong], key=_by_row)
    names = [name for name in (*contract.names, contract.target.name) if name in table]
    return Report(
        rows=len(table),
        problems=tuple(problems),
        problem_count=decoded.problem_count + wrong_count,
        warnings=tuple(warnings),
        missing={name: _share_missing(table[name]) for name in names},
    )


def _target_problems(table: Table, contract: Contract) -> tuple[list[RowProblem], int]:
    name = contract.target.name
    if name not in table:
        problem = RowProblem(
            code="RW002",
            row=None,
            column=name,
            message="the target is missing",
            expected=f"a column {name!r}",
        )
        return [problem], 1
    given = np.flatnonzero(~is_missing(table[name]))
    try:
        decode_target(table.select([name]).take(given), contract)
    except RowsRefused as exc:
        placed = [p if p.row is None else replace(p, row=int(given[p.row])) for p in exc.problems]
        return placed, exc.total
    return [], 0


def _out_of_range(counts: Mapping[str, int], matrix: FloatRows, contract: Contract) -> list[Finding]:
    found = []
    for name, count in counts.items():
        column, values = contract.column(name), _slot(name, matrix, contract)
        if isinstance(column, Number | Integer):
            bounds = f"{_bound(column.minimum)} to {_bound(column.maximum)}"
            seen = f"lowest {np.nanmin(values):g}, highest {np.nanmax(values):g}"
            message = f"{_share(count, len(matrix))} outside {bounds}: {seen}"
            found.append(finding("out-of-range", name, message))
    return found


def _unseen(counts: Mapping[str, int], matrix: FloatRows, table: Table, contract: Contract) -> list[Finding]:
    found = []
    for name, count in counts.items():
        if not isinstance(contract.column(name), Category) or name not in table:
            continue
        cells = table[name][_slot(name, matrix, contract) < 0].tolist()
        shown = ", ".join(f"{word!r} ({times})" for word, times in Counter(cells).most_common(WORDS_SHOWN))
        found.append(finding("unseen", name, f"{_share(count, len(matrix))} hold unseen words: {shown}"))
    return found


def _target_missing(table: Table, contract: Contract) -> list[Finding]:
    name = contract.target.name
    count = int(is_missing(table[name]).sum()) if name in table else 0
    if not count:
        return []
    return [finding("target-missing", name, f"{_share(count, len(table))} have no target and are left out")]


def _slot(name: str, matrix: FloatRows, contract: Contract) -> FloatRows:
    """The one float a row of a number or a category."""
    (slot,) = slots_of(contract.column(name))
    return matrix[:, contract.slots.index(slot)]


def _share(count: int, rows: int) -> str:
    return f"{count} of {rows} rows ({count / rows:.1%})"


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


def _share_missing(cells: Cells) -> float:
    return float(is_missing(cells).mean()) if len(cells) else 0.0


def _by_row(problem: RowProblem) -> tuple[int, str]:
    return (-1 if problem.row is None else problem.row, problem.column or "")
