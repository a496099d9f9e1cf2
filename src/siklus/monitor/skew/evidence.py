"""Evidence of skew: single cells that differ, single rows that one side refuses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np

from siklus.contract.columns import Contract, slots_of
from siklus.contract.decode import Decoded, Rows
from siklus.errors import RowProblem
from siklus.monitor.skew.bits import Marks, bits_of
from siklus.records.reading import PredictionRecord
from siklus.stats.agreement import Places
from siklus.table import Table, is_missing

Way = Literal["training", "quick"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One cell that is not the same number twice.

    ``way``: which other decoding the request's was held against. ``column``: the slot, `departure.hour` where
    a column has several. ``request``: the cell as received; ``training``: as the training file gave it.
    ``served`` and ``other``: the float32 that each became (None: missing, or no number), with all its bits.
    """

    prediction_id: str
    way: Way
    column: str
    request: object
    training: object
    served: float | None
    other: float | None
    served_bits: str
    other_bits: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A row that the contract would refuse, though it was answered. ``code``: as in docs/problems.md."""

    prediction_id: str
    by: Literal["serving", "training"]
    column: str | None
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Records, decoded as the requests that they were; and what the training file gave for them."""

    contract: Contract
    records: Sequence[PredictionRecord]
    served: Rows
    table: Table

    def at(self, places: Places) -> "Chunk":
        records = [self.records[i] for i in places.tolist()]
        return replace(self, records=records, served=self.served.take(places), table=self.table.take(places))


def differences(chunk: Chunk, other: Rows, unlike: Mapping[str, Marks], *, way: Way) -> Iterator[Difference]:
    """The cells that `unequal` found between the chunk's rows and ``other``, one after another."""
    columns = {slot: column.name for column in chunk.contract.columns for slot in slots_of(column)}
    for slot, marks in unlike.items():
        name = columns.get(slot, slot)
        for row in np.flatnonzero(marks).tolist():
            record = chunk.records[row]
            served, served_bits = _number(chunk.served, chunk.contract, slot, row)
            number, bits = _number(other, chunk.contract, slot, row)
            yield Difference(
                prediction_id=record.prediction_id,
                way=way,
                column=slot,
                request=record.features.get(name),
                training=_cell(chunk.table, name, row),
                served=served,
                other=number,
                served_bits=served_bits,
                other_bits=bits,
            )


def refused_rows(decoded: Decoded, count: int, *, alone: Callable[[int], Decoded]) -> Marks:
    """Which of ``count`` rows break the contract. ``alone`` decodes one: not all problems are kept."""
    rows = np.zeros(count, dtype=bool)
    if decoded.problem_count == len(decoded.problems):
        for problem in decoded.problems:
            rows[slice(None) if problem.row is None else problem.row] = True
        return rows
    for i in range(count):
        rows[i] = alone(i).problem_count > 0
    return rows


def refusals(
    problems: Sequence[RowProblem], records: Sequence[PredictionRecord], *, by: Literal["serving", "training"]
) -> Iterator[Refusal]:
    """Each problem with the prediction that it is about; of a whole column, with the first."""
    for problem in problems:
        record = records[problem.row or 0]
        yield Refusal(
            prediction_id=record.prediction_id,
            by=by,
            column=problem.column,
            code=problem.code,
            message=f"{problem.message} (expected {problem.expected})",
        )


def _number(rows: Rows, contract: Contract, slot: str, row: int) -> tuple[float | None, str]:
    """A slot's float32 and its bits; of a tensor its first cell's, of a text none."""
    if slot in rows.texts:
        return None, ""
    cells = rows.tensors[slot][row] if slot in rows.tensors else rows.matrix[row, contract.slots.index(slot)]
    first = np.asarray(cells, dtype=np.float32).reshape(-1)[:1]
    value = float(first[0])
    return (None if np.isnan(value) else value), f"0x{int(bits_of(first)[0]):08x}"


def _cell(table: Table, name: str, row: int) -> Any:
    if name not in table:
        return None
    cells = table[name][row : row + 1]
    return None if is_missing(cells)[0] else cells.tolist()[0]
