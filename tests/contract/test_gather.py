"""The quick ways through decode say just what a look at each cell by itself says."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.contract.cells import (
    decode_booleans,
    decode_categories,
    decode_numbers,
    decode_tensors,
    decode_texts,
)
from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Target,
    Tensor,
    Text,
)
from siklus.contract.decode import Decoded, decode_records
from siklus.contract.moments import decode_moments
from siklus.contract.problems import Problems
from siklus.table import objects
from tests.contract.strategies import LOOSE_CELLS, columns, contracts, kept_cells, kept_rows

DECODERS: Mapping[type, Callable[..., Any]] = {
    Number: decode_numbers,
    Integer: decode_numbers,
    Category: decode_categories,
    Boolean: decode_booleans,
    Datetime: decode_moments,
    Text: decode_texts,
    Tensor: decode_tensors,
}
ODD_NUMBERS = st.sampled_from(
    [1e39, -1e39, 10**39, 10**400, 2**53 + 1, 2**63, -0.0, 5e-324, float("nan"), float("inf"), True]
)


def same(left: Decoded, right: Decoded) -> bool:
    """Bit for bit, and the same said of it (but for the order of columns that a row should not have)."""
    if left.rows.matrix.tobytes() != right.rows.matrix.tobytes():
        return False
    words = all(list(left.rows.texts[name]) == list(right.rows.texts[name]) for name in left.rows.texts)
    numbers = all(
        left.rows.tensors[name].tobytes() == right.rows.tensors[name].tobytes() for name in left.rows.tensors
    )
    said = [repr(problem) for problem in left.problems] == [repr(problem) for problem in right.problems]
    counts = (left.problem_count, left.unseen, left.out_of_range)
    return words and numbers and said and counts == (right.problem_count, right.unseen, right.out_of_range)


@given(st.data())
def test_a_column_is_decoded_as_cell_by_cell(data: st.DataObject) -> None:
    column: Column = data.draw(columns(name="x"))
    cells = data.draw(st.lists(kept_cells(column) | LOOSE_CELLS | ODD_NUMBERS, min_size=1, max_size=6))
    if data.draw(st.booleans()):
        cells = [cell for cell in cells if type(cell) in (int, float)] or [1.5]
    contract = Contract(columns=(column,), target=Target(name="y"))
    problems = Problems()
    expected = DECODERS[type(column)](column, objects(cells), problems, nan_is_missing=False)
    decoded = decode_records([[cell] for cell in cells], contract)
    said = [problem for problem in decoded.problems if problem.code != "RW004"]
    assert [repr(problem) for problem in said] == [repr(problem) for problem in problems.kept]
    assert (decoded.unseen, decoded.out_of_range) == (problems.unseen, problems.out_of_range)
    match column:
        case Text():
            assert list(decoded.rows.texts["x"]) == list(expected)
        case Tensor():
            assert decoded.rows.tensors["x"].tobytes() == expected.tobytes()
        case _:
            assert decoded.rows.matrix.tobytes() == np.ascontiguousarray(expected).tobytes()


@given(st.data())
def test_rows_that_look_alike_are_decoded_as_rows_that_do_not(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    whole = [data.draw(kept_rows(contract)) for _ in range(data.draw(st.integers(1, 4)))]
    rows = [{name: row.get(name) for name in contract.names} for row in whole]
    listed: list[object] = [list(row.values()) for row in rows]
    by_name, by_place = decode_records(rows, contract), decode_records(listed, contract)
    # A tuple among the lists, an object among them: then each row is looked at by itself.
    mixed: list[object] = [tuple(row.values()) if i % 2 else row for i, row in enumerate(rows)]
    assert same(by_name, by_place)
    assert same(by_name, decode_records(mixed, contract))


@pytest.mark.parametrize("row", [{"a": 1.0, "c": 2.0}, [1.0], [1.0, 2.0, 3.0], "ab", None, {"a": 1.0}])
def test_one_other_row_among_many_is_named(row: object) -> None:
    contract = Contract(columns=(Number(name="a"), Number(name="b")), target=Target(name="y"))
    for good in ([1.0, 2.0], {"a": 1.0, "b": 2.0}):
        decoded = decode_records([good, row, good], contract)
        assert {problem.row for problem in decoded.problems} == {1}
        assert decoded.rows.matrix[[0, 2]].tolist() == [[1.0, 2.0], [1.0, 2.0]]
