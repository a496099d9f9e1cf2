"""Window rows: a file's rows or the log's, decoded as far as they can be, with what the model answered.

A server refuses a row that breaks the contract. Here it is a finding: what cannot be read counts as missing,
what is out of range or a new word counts as that, and a column that is not there has not one cell.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from siklus.contract.columns import Contract
from siklus.contract.decode import Decoded, class_indices, decode_records, decode_table
from siklus.contract.profiles import count_rows, profile_rows, recount
from siklus.errors import RowProblem
from siklus.records.reading import PredictionRecord
from siklus.stats.profile import ColumnProfile, Counts, Profile, profile_numbers, profile_words
from siklus.table import FloatRows, Table, objects

ROWS_AT_ONCE = 5_000  # of the log: their cells are Python objects, several kilobytes a row

# A number, or the index of a class (−1 none of the contract's); NaN where there is none. Shape (rows,).
Answers = NDArray[np.float64]


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
    """All rows, whatever breaks the contract in them."""
    return decode_table(table, lenient(contract))


def rows_of_table(decoded: Decoded, answers: Answers | None, *, contract: Contract) -> WindowRows:
    """The rows of a file (`decode_leniently`), and what the model says to them."""
    return WindowRows(contract, decoded.rows.matrix, answers, decoded.problem_count, tuple(decoded.problems))


def rows_of_records(records: Iterable[PredictionRecord], *, contract: Contract) -> WindowRows:
    """Logged rows with the answers that they got, without the sensitive columns, which no log keeps."""
    hidden = tuple(column.name for column in contract.columns if column.sensitive)
    kept = replace(
        lenient(contract),
        columns=tuple(column for column in lenient(contract).columns if not column.sensitive),
        ignored=(*contract.ignored, *hidden),
    )
    matrices, answers = [np.empty((0, kept.width), np.float32)], [np.empty(0)]
    refused, problems = 0, list[RowProblem]()
    for some in _batches(records):
        decoded = decode_records([record.features for record in some], kept)
        matrices.append(decoded.rows.matrix)
        answers.append(_answers([record.prediction for record in some], kept))
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


def without_answers(profile: Profile) -> Profile:
    """The profile as if no prediction had been seen, so that none is compared."""
    seen = profile.prediction
    none = Counts(bins=(0,) * len(seen.counts.bins))
    return replace(profile, prediction=replace(seen, counts=none))


def _answers(predictions: Sequence[object], contract: Contract) -> Answers:
    classes = contract.target.classes
    if classes is not None:
        return class_indices(objects(predictions), classes).astype(np.float64)
    return np.array([value if isinstance(value, int | float) else np.nan for value in predictions])


def _batches(records: Iterable[PredictionRecord]) -> Iterator[list[PredictionRecord]]:
    remaining = iter(records)
    while some := list(islice(remaining, ROWS_AT_ONCE)):
        yield some
