"""The quick way reads what `decode_records` reads, to the bit, and leaves it all that it would refuse."""

import json
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.contract.columns import (
    Boolean,
    Category,
    Contract,
    Datetime,
    Integer,
    Number,
    Target,
    Tensor,
    Text,
)
from siklus.contract.decode import Decoded, decode_records
from siklus.contract.quick import QuickReader
from siklus.errors import RowsRefused

CONTRACT = Contract(
    columns=(
        Number(name="x y", minimum=-1, maximum=1),
        Number(name="größe", nullable=True, minimum=0, strict=True),
        Integer(name="count", optional=True, default=3, maximum=9),
        Category(name="origin", vocabulary=("JFK", "LGA"), nullable=True),
        Category(name="grade", vocabulary=(1, 2, 3), strict=True),
        Boolean(name="is_new", optional=True, nullable=True),
        Datetime(name="when", parts=("hour", "weekday"), nullable=True),
        Number(name="last"),
    ),
    target=Target(name="y"),
    ignored=("id", "note"),
)
READER = QuickReader(CONTRACT)

# JSON as text, so that every way to write a number is tried: -0, 1e400, 3.0, integers beyond 64 bits.
NUMBERS = st.one_of(
    st.floats(-2, 2).map(repr),
    st.integers(-10, 10).map(str),
    st.sampled_from(
        ["-0", "-0.0", "3.0", "2.5", "1e3", "1e30", "1e400", "3.5e38", "3.4028235677973366e38", "1" * 30]
    ),
    st.sampled_from(
        ["9007199254740991.0", "9007199254740991.4", "9007199254740992", "9007199254740993", "1e-400"]
    ),
    st.sampled_from(["null", "true", '"3"', "NaN", "Infinity", "[]", "{}"]),
)
CELLS: dict[str, st.SearchStrategy[str]] = {
    "x y": NUMBERS,
    "größe": NUMBERS,
    "count": NUMBERS,
    "origin": st.sampled_from(['"JFK"', '"LGA"', '"EWR"', '""', "null", "1", r'"\u004aFK"', r'"\ud800"']),
    "grade": st.sampled_from(["1", "2.0", "3", "4", "4.0", "1.5", "1e0", "-0.0", "null", '"1"', "true"]),
    "is_new": st.sampled_from(["true", "false", "null", "1", '"true"']),
    "when": st.sampled_from(['"2024-01-31T08:00:00Z"', '"2024-01-31"', '"soon"', "null", "5", '""']),
    "last": NUMBERS,
}
SOUND = {
    "x y": "0.5",
    "größe": "null",
    "count": "2",
    "origin": '"LGA"',
    "grade": "3",
    "is_new": "true",
    "when": '"2024-01-31T08:00:00Z"',
    "last": "7",
}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A row that is right but for a cell or two, by name or in order, in any of JSON's spacings."""
    row = dict(SOUND)
    for name in draw(st.lists(st.sampled_from(sorted(row)), max_size=2)):
        row[name] = draw(CELLS[name])
    gap = draw(st.sampled_from(["", " ", "\n\t"]))
    if draw(st.booleans()):
        cells = list(row.values())
        if draw(st.integers(0, 9)) == 0:
            cells.append("1")
        features = f"[{gap}{f'{gap},'.join(cells)}]"
    else:
        for name in draw(st.lists(st.sampled_from(["count", "is_new", "last"]), max_size=1)):
            del row[name]
        row |= draw(st.sampled_from([{}, {"id": '{"any": [1]}'}, {"unknown": "1"}]))
        members = draw(st.permutations([f"{json.dumps(name)}{gap}:{cell}" for name, cell in row.items()]))
        members += members[: draw(st.integers(0, 1))]  # a key that stands twice
        features = f"{{{f',{gap}'.join(members)}}}"
    return f'{gap}{{{gap}"features"{gap}:{gap}{features}{gap}}}'.encode()


def patient(body: bytes) -> Decoded | None:
    """What the app's own way says; None where it refuses."""
    try:
        found = decode_records([msgspec.json.decode(body)["features"]], CONTRACT)
        found.accepted()
    except (msgspec.DecodeError, RowsRefused):
        return None
    return found


@given(st.lists(bodies(), min_size=1, max_size=4))
def test_what_the_quick_way_reads_is_what_the_patient_way_reads(some: list[bytes]) -> None:
    rows = [READER.row(body) for body in some]
    plain = [(row, body) for row, body in zip(rows, some, strict=True) if row is not None]
    for row, body in plain:
        quick, slow = READER.rows([row]), patient(body)
        if quick is None:
            continue
        assert slow is not None, "read what is refused"
        assert quick.rows.matrix.tobytes() == slow.rows.matrix.tobytes()
        assert (quick.unseen, quick.out_of_range) == (slow.unseen, slow.out_of_range)
    alone = [READER.rows([row]) for row, _ in plain]
    together = READER.rows([row for row, _ in plain]) if plain else None
    if plain and all(found is not None for found in alone):
        assert together is not None
        assert together.rows.matrix.tobytes() == b"".join(
            found.rows.matrix.tobytes() for found in alone if found
        )
    else:
        assert together is None


@pytest.mark.parametrize("by_name", [True, False])
def test_a_row_that_keeps_the_contract_goes_the_quick_way(by_name: bool) -> None:
    row: Any = {name: json.loads(cell) for name, cell in SOUND.items()}
    body = json.dumps({"features": row if by_name else list(row.values())}).encode()
    cells = READER.row(body)
    assert cells is not None
    found = READER.rows([cells])
    assert found is not None
    # 2024-01-31 was a Wednesday, day 2 of a week that begins with 0.
    expected = [[0.5, np.nan, 2, 1, 2, 1, 8, 2, 7]]
    np.testing.assert_array_equal(found.rows.matrix, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize("by_name", [True, False])
def test_whole_numbers_that_a_table_with_gaps_sends_as_floats_go_the_quick_way(by_name: bool) -> None:
    frame = pd.DataFrame({"count": [2, None, 30], "grade": [1, 3, None], "floor": [None, -1, 0]})
    contract = Contract(
        columns=(
            Integer(name="count", nullable=True, maximum=9),
            Category(name="grade", vocabulary=(1, 2, 3), nullable=True),
            Integer(name="floor", nullable=True, minimum=-1, strict=True),
        ),
        target=Target(name="y"),
    )
    sent = [row if by_name else list(row.values()) for row in frame.replace(np.nan, None).to_dict("records")]
    bodies = [json.dumps({"features": row}) for row in sent]
    assert "2.0" in bodies[0]  # no integer any more: pandas has none beside a gap
    reader = QuickReader(contract)
    cells = [reader.row(body.encode()) for body in bodies]
    found = reader.rows([row for row in cells if row is not None])
    assert found is not None
    expected = [[2, 0, np.nan], [np.nan, 2, -1], [30, np.nan, 0]]
    np.testing.assert_array_equal(found.rows.matrix, np.array(expected, dtype=np.float32))
    assert found.out_of_range == {"count": 1}


@pytest.mark.parametrize("cell", ["2.5", "true", '"2"', "1e400", "9007199254740993", "-9007199254740993.0"])
def test_what_is_no_whole_number_or_would_be_rounded_is_left_to_the_patient_way(cell: str) -> None:
    for column in (Integer(name="n"), Category(name="n", vocabulary=(1, 2**53))):
        reader = QuickReader(Contract(columns=(column,), target=Target(name="y")))
        assert reader.row(f'{{"features": [{cell}]}}'.encode()) is None


def test_unseen_words_and_numbers_out_of_range_are_counted_row_by_row() -> None:
    some = []
    for word, number in [("EWR", 0.5), ("JFK", 5), ("SFO", -5)]:
        row = {name: json.loads(cell) for name, cell in SOUND.items()} | {"origin": word, "x y": number}
        some.append(READER.row(json.dumps({"features": row}).encode()))
    found = READER.rows([row for row in some if row is not None])
    assert found is not None
    assert found.unseen == {"origin": 2}
    assert found.out_of_range == {"x y": 2}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"features": 1}',
        b'{"features": null}',
        b'{"feature": [1]}',
        b'{"features": [1], "more": 2}',
    ],
)
def test_what_is_no_row_is_left_to_the_patient_way(body: bytes) -> None:
    assert READER.row(body) is None


def test_a_contract_with_text_or_tensors_has_no_quick_way() -> None:
    for column in (Text(name="t"), Tensor(name="t", shape=(2,))):
        assert not QuickReader.can_read(Contract(columns=(column,), target=Target(name="y")))
