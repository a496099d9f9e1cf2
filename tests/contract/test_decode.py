"""Decoding: a cell has one meaning, whichever way it comes."""

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

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
from siklus.contract.decode import Rows, decode_records, decode_table
from siklus.table import Table, objects
from tests.contract.strategies import contracts, kept_rows, loose_rows


def contract_of(*columns: Column) -> Contract:
    return Contract(columns=columns, target=Target(name="target"))


def whole(row: dict[str, Any], contract: Contract) -> dict[str, Any]:
    """The row with what was left out written in."""
    return {column.name: row.get(column.name, column.default) for column in contract.columns}


def bits(rows: Rows) -> tuple[object, ...]:
    """All that was decoded, so that NaN equals NaN and 0.0 differs from -0.0."""
    tensors = [(name, cells.shape, cells.tobytes()) for name, cells in rows.tensors.items()]
    return rows.matrix.tobytes(), [(name, list(cells)) for name, cells in rows.texts.items()], tensors


def typed(column: Column, cells: Sequence[Any]) -> NDArray[Any]:
    """The cells as a source gives them: numbers with NaN, moments as datetime64, the rest as objects."""
    match column:
        case Number() | Integer():
            return np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
        case Datetime():
            return np.array(cells, dtype="datetime64[us]")
        case Boolean() if None not in cells:
            return np.array(cells, dtype=bool)
        case Category(vocabulary=words) if isinstance(words[0], int) and None not in cells:
            return np.array(cells, dtype=np.int64)
    return objects(cells)


@st.composite
def kept(draw: st.DrawFn) -> tuple[Contract, list[dict[str, Any]]]:
    contract = draw(contracts())
    return contract, draw(st.lists(kept_rows(contract), min_size=1, max_size=5))


@given(kept(), st.randoms(use_true_random=False))
def test_every_way_in_gives_the_same_bits(found: tuple[Contract, list[dict[str, Any]]], chance: Any) -> None:
    contract, rows = found
    full = [whole(row, contract) for row in rows]
    columns = {column.name: [row[column.name] for row in full] for column in contract.columns}
    shuffled = [dict(chance.sample(list(row.items()), len(row))) for row in full]
    wanted = bits(decode_records(rows, contract).accepted())
    assert bits(decode_records(full, contract).accepted()) == wanted
    assert bits(decode_records(shuffled, contract).accepted()) == wanted
    assert bits(decode_records([list(row.values()) for row in full], contract).accepted()) == wanted
    as_objects = Table({name: objects(cells) for name, cells in columns.items()})
    assert bits(decode_table(as_objects, contract).accepted()) == wanted
    as_typed = Table({column.name: typed(column, columns[column.name]) for column in contract.columns})
    assert bits(decode_table(as_typed, contract).accepted()) == wanted


@given(kept())
def test_json_text_on_the_way_changes_nothing(found: tuple[Contract, list[dict[str, Any]]]) -> None:
    contract, rows = found
    wanted = bits(decode_records(rows, contract).accepted())
    assert bits(decode_records(json.loads(json.dumps(rows)), contract).accepted()) == wanted
    assert bits(decode_records(msgspec.json.decode(msgspec.json.encode(rows)), contract).accepted()) == wanted


@given(kept())
def test_a_batch_is_its_rows_one_by_one(found: tuple[Contract, list[dict[str, Any]]]) -> None:
    contract, rows = found
    together = decode_records(rows, contract)
    alone = [decode_records([row], contract) for row in rows]
    for i, one in enumerate(alone):
        assert bits(together.rows.take(slice(i, i + 1))) == bits(one.rows)
    for name in contract.names:
        assert together.unseen.get(name, 0) == sum(one.unseen.get(name, 0) for one in alone)
        assert together.out_of_range.get(name, 0) == sum(one.out_of_range.get(name, 0) for one in alone)


@st.composite
def loose(draw: st.DrawFn) -> tuple[Contract, list[Any]]:
    contract = draw(contracts())
    return contract, draw(st.lists(loose_rows(contract) | st.none() | st.integers(), max_size=4))


@given(loose())
def test_whatever_json_holds_is_decoded_or_refused_by_name(found: tuple[Contract, list[Any]]) -> None:
    contract, rows = found
    decoded = decode_records(rows, contract)
    assert len(decoded.rows) == len(rows)
    assert decoded.rows.matrix.shape == (len(rows), contract.width)
    assert not np.isinf(decoded.rows.matrix).any()
    assert bool(decoded.problems) == (decoded.problem_count > 0)
    for problem in decoded.problems:
        assert problem.row in range(len(rows))
        assert problem.code.startswith("RW")


# Values


def test_numbers_are_the_nearest_float32() -> None:
    contract = contract_of(Number(name="x"))
    cells = [0.1, -0.0, 1, 2**24 + 1, 3.4e38, 1e-50, 12345678901234567890]
    matrix = decode_records([[cell] for cell in cells], contract).accepted().matrix
    assert matrix.tobytes() == np.array(cells, dtype=np.float64).astype(np.float32).tobytes()


def test_a_category_is_its_place_in_the_vocabulary_and_a_bool_is_one_or_nothing() -> None:
    contract = contract_of(
        Category(name="word", vocabulary=("b", "a")),
        Category(name="code", vocabulary=(7, 3)),
        Boolean(name="flag"),
    )
    decoded = decode_records([["a", 7, True], ["b", 3.0, False], ["z", 8, True]], contract)
    assert decoded.accepted().matrix.tolist() == [[1, 0, 1], [0, 1, 0], [-1, -1, 1]]
    assert decoded.unseen == {"word": 1, "code": 1}


def test_a_tensor_keeps_its_shape_and_a_text_its_characters() -> None:
    contract = contract_of(
        Tensor(name="image", shape=(2, 2), nullable=True), Text(name="note", nullable=True)
    )
    rows = decode_records([[[[1, 2.5], [3, 4]], "né"], [None, None]], contract).accepted()
    assert rows.matrix.shape == (2, 0)
    assert rows.tensors["image"][0].tolist() == [[1, 2.5], [3, 4]]
    assert np.isnan(rows.tensors["image"][1]).all()
    assert rows.texts["note"].tolist() == ["né", None]


def test_what_was_left_out_reads_as_its_default() -> None:
    contract = contract_of(
        Number(name="x", optional=True, default=2.5),
        Category(name="c", vocabulary=("a", "b"), optional=True, default="b"),
        Number(name="y", optional=True, nullable=True),
    )
    assert decode_records([{}], contract).accepted().matrix.tolist()[0][:2] == [2.5, 1]
    table = decode_table(Table({"y": np.array([1.0, math.nan])}), contract).accepted()
    assert table.matrix[:, :2].tolist() == [[2.5, 1], [2.5, 1]]
