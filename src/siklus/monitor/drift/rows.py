"""Window rows: a file's rows or the log's, decoded as far as they can be, with what the model answered.

A server refuses a row that breaks the contract. Here it is a finding: what cannot be read counts as missing,
what is out of range or a new word counts as that, and a column that is not there has not one cell.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from siklus.contract.columns import Contract, Integer, Number, label_text
from siklus.contract.decode import Decoded, decode_records, decode_table
from siklus.contract.profiles import count_rows, profile_rows, recount
from siklus.errors import RowProblem
from siklus.records.reading import PredictionRecord
from siklus.stats.profile import ColumnProfile, Profile, profile_numbers, profile_words
from siklus.table import FloatRows, Table, objects

ROWS_AT_ONCE = 5_000  # of the log: their cells are Python objects, several kilobytes a row

# A number, or the index of a class (−1 none of the contract's); NaN where there is none. Shape (rows,).
Answers: TypeAlias = NDArray[np.float64]
Instance: TypeAlias = tuple[object, object]  # a row as JSON has it, and what was answered


@dataclass(frozen=True)
class WindowRows:
    """``matrix``: as ``contract`` decodes rows, which may be a part of the version's own.

    ``answers``: what the model predicted; None where nobody knows. ``refused``: cells that count as missing
    because they break the contract, and the first of these problems. ``unlogged``: columns that the log does
    not keep because they are sensitive.
    """

    contract: Contract
    matrix: FloatRows
    answers: Answers | None
    refused: int = 0
    problems: tuple[RowProblem, ...] = ()
    unlogged: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.matrix)


def lenient(contract: Contract) -> Contract:
    """The contract without what it forbids, so that a new word is a new word and not a broken row."""
    columns = tuple(replace(column, strict=False, nullable=True) for column in contract.columns)
    return replace(contract, columns=columns)


def decode_leniently(table: Table, contract: Contract) -> Decoded:
    """All rows, whatever breaks the contract in them.

    One stray text makes texts of all numbers of a CSV's column: those that can be read are numbers again.
    """
    for column in contract.columns:
        if isinstance(column, Number | Integer) and column.name in table:
            cells = table[column.name]
            if cells.dtype.kind == "O":
                table = table.with_column(column.name, objects(map(_read, cells.tolist())))
    return decode_table(table, lenient(contract))


def rows_of_table(decoded: Decoded, answers: Answers | None, *, contract: Contract) -> WindowRows:
    """The rows of a file (`decode_leniently`), and what the model says to them."""
    return WindowRows(contract, decoded.rows.matrix, answers, decoded.problem_count, tuple(decoded.problems))


def rows_of_records(records: Iterable[PredictionRecord], *, contract: Contract) -> WindowRows:
    """Logged rows with the answers that they got, without the sensitive columns, which no log keeps."""
    return rows_of_instances(((record.features, record.prediction) for record in records), contract=contract)


def rows_of_instances(instances: Iterable[Instance], *, contract: Contract) -> WindowRows:
    """The same of rows as JSON has them, each with its answer; a class may be there as its text."""
    hidden = tuple(column.name for column in contract.columns if column.sensitive)
    kept = replace(
        lenient(contract),
        columns=tuple(column for column in lenient(contract).columns if not column.sensitive),
        ignored=(*contract.ignored, *hidden),
    )
    matrices, answers = [np.empty((0, kept.width), np.float32)], [np.empty(0)]
    refused, problems = 0, list[RowProblem]()
    for some in _batches(instances):
        decoded = decode_records([features for features, _ in some], kept)
        matrices.append(decoded.rows.matrix)
        answers.append(_answers([answer for _, answer in some], kept))
        refused += decoded.problem_count
        problems += decoded.problems
    return WindowRows(
        kept, np.concatenate(matrices), np.concatenate(answers), refused, tuple(problems), hidden
    )


def profile_window(rows: WindowRows, reference: Profile) -> Profile:
    """The rows over the reference's bins; columns that the rows cannot have are left out."""
    prediction = reference.prediction
    return Profile(
        rows=len(rows),
        columns=count_rows(reference.columns, rows.contract, rows.matrix),
        prediction=recount(prediction, np.empty(0) if rows.answers is None else rows.answers),
    )


def profile_reference(rows: WindowRows) -> Profile:
    """The rows as a reference, with bins chosen from them."""
    classes = rows.contract.target.classes
    answers = np.empty(0) if rows.answers is None else rows.answers
    prediction: ColumnProfile = profile_numbers(answers)
    if classes is not None:
        prediction = profile_words(answers, classes)
    return Profile(rows=len(rows), columns=profile_rows(rows.contract, rows.matrix), prediction=prediction)


def _answers(predictions: Sequence[object], contract: Contract) -> Answers:
    classes = contract.target.classes
    if classes is None:
        return np.array([_number(value) for value in predictions])
    index = {label_text(label): place for place, label in enumerate(classes)}
    texts = (label_text(value) if isinstance(value, str | int) else None for value in predictions)
    return np.array([np.nan if text is None else index.get(text, -1) for text in texts], dtype=np.float64)


def _number(value: object) -> float:
    read = _read(value)
    return float(read) if isinstance(read, int | float) else np.nan


def _read(cell: object) -> object:
    """The number that a text says; anything else as it is."""
    try:
        return float(cell) if isinstance(cell, str) else cell
    except ValueError:
        return cell


def _batches(instances: Iterable[Instance]) -> Iterator[list[Instance]]:
    remaining = iter(instances)
    while some := list(islice(remaining, ROWS_AT_ONCE)):
        yield some
