"""Tables as bodies of a batch: what is read, what is refused, and how large they may become."""

import contextlib
import io
import struct
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
from siklus.contract.decode import Decoded, decode_table
from siklus.data.sources import open_source
from siklus.errors import MissingExtra, RequestError
from siklus.project.sections import Data
from siklus.serve.protocols.arrow import read_arrow_file, read_arrow_stream, read_parquet
from siklus.serve.protocols.csv_rows import read_csv
from siklus.serve.refusals import status_of
from tests.serve.asking import STREAM, file_of, parquet_of, stream_of
from tests.serve.servers import Server

MOST = {"max_rows": 1000, "max_bytes": 1_000_000}
CONTRACT = Contract(
    columns=(
        Number(name="n", nullable=True),
        Integer(name="i", nullable=True),
        Category(name="w", vocabulary=("a", "b,c", 'd"e', "f\ng"), nullable=True),
        Category(name="k", vocabulary=(1, 2**40 + 1), nullable=True),
        Boolean(name="b", nullable=True),
        Datetime(name="m", parts=("days", "hour"), nullable=True),
    ),
    target=Target(name="y"),
    ignored=("row",),
)
ALONE = Contract(columns=(Number(name="n", nullable=True),), target=Target(name="y"))
PICTURE = Contract(columns=(Text(name="t"), Tensor(name="x", shape=(2, 2))), target=Target(name="y"))


def from_csv(text: str, contract: Contract = CONTRACT) -> Decoded:
    return decode_table(read_csv(text.encode(), contract, max_rows=1000), contract)


def matrix(decoded: Decoded) -> list[list[float | None]]:
    return [[None if np.isnan(cell) else cell for cell in row] for row in decoded.accepted().matrix.tolist()]


def code_of(text: bytes, contract: Contract = CONTRACT) -> str:
    with pytest.raises(RequestError) as caught:
        read_csv(text, contract, max_rows=3)
    return caught.value.code


def test_cells_are_read_as_their_columns_say() -> None:
    text = (
        "b,i,k,m,n,w,row\r\n"
        'TRUE,3,1,1970-01-02T06:00:00,1.5,"b,c",x\r\n'
        'false,-4.0,1099511627777,1970-01-01,1e-3,"d""e",\r\n'
        ' true , 5 ,1.0,1970-01-01 01:00, 2 ,"f\ng",y\r\n'
        ",,,,,,\r\n"
        "NA,nan,?,null,None,NA,z\r\n"
    )
    assert matrix(from_csv(text)) == [
        [1.5, 3, 1, 0, 1, 1.25, 6],
        [np.float32(1e-3), -4, 2, 1, 0, 0, 0],
        [2, 5, 3, 0, 1, np.float32(1 / 24), 1],
        [None] * 7,
        [None, None, -1, None, None, None, None],  # "NA" may be a country
    ]


def test_training_reads_the_same_file_to_the_same_cells(tmp_path: Path) -> None:
    text = (
        'n,i,w,k,b,m\n1.5,3,a,1,true,2024-01-02 03:04:05\n,,"b,c",,,\n'
        '-2e30,NA,"d""e",1099511627777,FALSE,NA\n"7",-4,,1,True,1999-12-31 23:00:00\n'
    )
    (tmp_path / "rows.csv").write_text(text)
    read = open_source(Data(path="rows.csv", target="y"), directory=tmp_path).read().table
    trained = decode_table(read, CONTRACT).accepted()
    assert from_csv(text).accepted().matrix.tobytes() == trained.matrix.tobytes()


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("n", "one"),
        ("n", "1_000"),
        ("n", "٣"),  # a digit to Python
        ("n", "0x10"),
        ("n", "true"),
        ("i", "1.5"),
        ("k", "one"),
        ("b", "yes"),
        ("b", "1"),
        ("m", "yesterday"),
    ],
)
def test_a_cell_of_another_kind_is_refused_by_its_place(column: str, cell: str) -> None:
    names = ["n", "i", "w", "k", "b", "m"]
    row = ",".join(cell if name == column else "" for name in names)
    decoded = from_csv(f"{','.join(names)}\n,,,,,\n{row}\n")
    [problem] = decoded.problems
    assert (problem.row, problem.column) == (1, column)
    assert problem.code in ("RW003", "RW009")


def test_one_column_has_a_missing_cell_where_a_line_is_blank() -> None:
    assert matrix(from_csv("n\n1\n\n2\n", ALONE)) == [[1], [None], [2]]
    assert matrix(from_csv("\ufeffn\r1\r2", ALONE)) == [[1], [2]]


def test_texts_and_tensors_come_in_csv_too() -> None:
    decoded = from_csv('t,x\n" two  words ","[[1, 2], [3, 4.5]]"\n', PICTURE)
    assert list(decoded.accepted().texts["t"]) == [" two  words "]
    assert decoded.rows.tensors["x"].tolist() == [[[1, 2], [3, 4.5]]]
    assert [problem.code for problem in from_csv('t,x\na,"[[1, 2]"\n', PICTURE).problems] == ["RW010"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n1\n",
        b"n,n\n1,2\n",
        b"n,i\n1\n",
        b"n,i\n1,2,3\n",
        b'n\n"1\n',
        b'n\n1"2\n',
        b'n\n"1"2\n',
        b"n\n\xff\n",
        b"\xff\xfen\x00\n\x00",
        b"n\n" + b"1" * 200_000,
    ],
)
def test_what_is_no_csv_is_refused(text: bytes) -> None:
    assert code_of(text) == "RQ034"


def test_rows_are_counted() -> None:
    assert code_of(b"n\n") == "RQ006"
    assert code_of(b"n\n1\n2\n3\n4\n") == "RQ007"
    assert len(read_csv(b"n\n1\n2\n3\n", CONTRACT, max_rows=3)) == 3


def test_many_quotes_cost_no_more_than_others() -> None:
    for text in (b'n\n"' + b'""' * 50_000, b"n\n" + b'"",' * 50_000 + b'"', b'"' * 100_001):
        assert code_of(text) == "RQ034"


ARROW = pa.table(
    {
        "n": pa.array([1.5, None], pa.float32()),
        "i": pa.array([3, None], pa.int8()),
        "w": pa.array(["b,c", None]).dictionary_encode(),
        "k": pa.array([2**40 + 1, None], pa.uint64()),
        "b": pa.array([True, None]),
        "m": pa.array([date(1970, 1, 2), None], pa.date32()),
    }
)


@pytest.mark.parametrize(
    ("read", "write"),
    [(read_arrow_stream, stream_of), (read_arrow_file, file_of), (read_parquet, parquet_of)],
)
def test_arrow_types_become_the_contracts_kinds(read: Any, write: Any) -> None:
    expected = [[1.5, 3, 1, 1, 1, 1, 0], [None] * 7]
    assert matrix(decode_table(read(write(ARROW), CONTRACT, **MOST), CONTRACT)) == expected
    zoned = ARROW.set_column(5, "m", pa.array([86_400_000, None], pa.timestamp("ms", "Asia/Tokyo")))
    assert matrix(decode_table(read(write(zoned), CONTRACT, **MOST), CONTRACT)) == expected
    large = ARROW.set_column(2, "w", pa.array(["b,c", None], pa.large_string()))
    assert matrix(decode_table(read(write(large), CONTRACT, **MOST), CONTRACT)) == expected
    nothing = ARROW.set_column(0, "n", pa.nulls(2))
    assert matrix(decode_table(read(write(nothing), CONTRACT, **MOST), CONTRACT))[0][0] is None


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"raw", b""]),
        pa.array([{"a": 1}, None]),
        pa.array([1, 2], pa.decimal128(5)),
        pa.array([1, 2], pa.time32("s")),
        pa.array([1, 2], pa.duration("s")),
        pa.array([["a"], ["b"]]),
        pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    ],
)
def test_other_arrow_types_are_refused(column: pa.Array) -> None:
    for read, write in ((read_arrow_stream, stream_of), (read_parquet, parquet_of)):
        table = pa.table({"n": column})
        with pytest.raises(RequestError) as caught:
            read(write(table), ALONE, **MOST)
        assert caught.value.code == "RQ037"


def test_a_column_twice_and_too_many_columns_are_refused() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    many = pa.table({f"x{i}": [1] for i in range(40)})
    for table in (twice, many):
        with pytest.raises(RequestError) as caught:
            read_arrow_stream(stream_of(table), ALONE, **MOST)
        assert caught.value.code == "RQ037"


def refusal_of(read: Any, body: bytes) -> str:
    with pytest.raises(RequestError) as caught:
        read(body, ALONE, **MOST)
    return caught.value.code


ZEROS = pa.table({"n": np.zeros(900_000)})
LONG_WORD = pa.table({"n": pa.array(["z" * 100_000] * 900).dictionary_encode()})


def test_a_packed_body_is_refused_before_it_is_unpacked() -> None:
    for codec in ("lz4", "zstd"):
        packed = stream_of(pa.table({"n": np.zeros(600)}), compression=codec)
        assert len(read_arrow_stream(packed, ALONE, **MOST)) == 600
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.ipc.new_stream(sink, ZEROS.schema, options=options) as writer:
            writer.write_table(ZEROS)
        bomb = bytes(sink.getvalue())
        assert len(bomb) < 100_000
        assert refusal_of(read_arrow_stream, bomb) == "RQ035"


def test_a_long_word_in_each_row_of_a_parquet_file_stays_one_word() -> None:
    sink = io.BytesIO()
    pq.write_table(LONG_WORD, sink, compression="zstd")
    assert len(sink.getvalue()) < 10_000
    table = read_parquet(sink.getvalue(), ALONE, **MOST)
    assert len({id(cell) for cell in table["n"]}) == 1


def test_views_of_the_same_bytes_are_counted_each() -> None:
    """A string view is 16 bytes, however long its word; here all of them show the same word."""
    word = pa.py_buffer(b"z" * 100_000)
    views = pa.py_buffer(struct.pack("<i4sii", 100_000, b"zzzz", 0, 0) * 900)
    column = pa.Array.from_buffers(pa.string_view(), 900, [None, views, word])
    assert refusal_of(read_arrow_stream, stream_of(pa.table({"n": column}))) == "RQ035"


def test_a_batch_of_rows_without_bytes_is_counted() -> None:
    assert refusal_of(read_arrow_stream, stream_of(pa.table({"n": pa.nulls(5000)}))) == "RQ007"
    sink = pa.BufferOutputStream()
    nulls = pa.table({"n": pa.nulls(10**9)})
    with pa.ipc.new_stream(sink, nulls.schema) as writer:
        writer.write_table(nulls)
    assert refusal_of(read_arrow_stream, bytes(sink.getvalue())) == "RQ007"


def test_damaged_tables_are_refused() -> None:
    chance = np.random.default_rng(0)
    for read, body in (
        (read_arrow_stream, stream_of(ARROW, compression="zstd")),
        (read_arrow_stream, stream_of(ARROW)),
        (read_arrow_file, file_of(ARROW)),
        (read_parquet, parquet_of(ARROW)),
    ):
        damaged = [body[:size] for size in range(0, len(body), 37)]
        for _ in range(150):
            bits = bytearray(body)
            for place in chance.integers(0, len(body), chance.integers(1, 4)):
                bits[place] ^= 1 << int(chance.integers(8))
            damaged.append(bytes(bits))
        for one in damaged:
            # Some damage changes a value, a name, or nothing that is read.
            with contextlib.suppress(RequestError):
                decode_table(read(one, CONTRACT, **MOST), CONTRACT)


def test_without_pyarrow_its_forms_are_refused_and_csv_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = {read_arrow_stream: stream_of(ARROW), read_arrow_file: file_of(ARROW)}
    bodies[read_parquet] = parquet_of(ARROW)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for read, body in bodies.items():
        with pytest.raises(MissingExtra, match=r"siklus\[arrow\]") as caught:
            read(body, CONTRACT, **MOST)
        assert status_of(caught.value) == 415
    assert matrix(from_csv("n\n1\n", ALONE)) == [[1]]


WRITTEN = [
    "1", "-2.5", "+3", " 4 ", "5.", ".5", "1e5", "1E-5", "1e999", "1e-999", "inf", "-Infinity", "nan", "NaN",
    "-nan", "nan(1)", "", "NA", " NA", "null", "1_000", "0x10", "1d5", "x", "true",
    "\t7", "007", "\u0663", "1.5f", "9007199254740993", "123456789012345678901234567890",
    "0.10000000000000000555111512312", '"8"',
]  # fmt: skip
PAIR = Contract(
    columns=(Number(name="a", nullable=True), Integer(name="b", nullable=True)), target=Target(name="y")
)


@pytest.mark.parametrize("cell", WRITTEN)
def test_a_large_body_is_read_as_a_small_one(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "b,a\r\n" + "12345,0.123456789\r\n" * 6000 + f"7,{cell}\r\n\r\n,\r\n{cell},1"

    def said() -> object:
        decoded = decode_table(read_csv(text.encode(), PAIR, max_rows=10_000), PAIR)
        return decoded.rows.matrix.tobytes(), [repr(problem) for problem in decoded.problems]

    quickly = said()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert said() == quickly


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, application/xhtml+xml", "application/json"),
        ("text/csv", "text/csv; charset=utf-8; header=present"),
        ("text/csv;q=0.5, application/json", "application/json"),
        (f"application/json;q=0.1, {STREAM};q=0.9", STREAM),
        ("text/csv;q=nonsense", "application/json"),
    ],
)
def test_the_answer_has_the_form_that_is_asked_for(accept: str, kind: str, minutes: Server) -> None:
    response = minutes.client.post("/predict/batch", json={"instances": [[1, 2]]}, headers={"accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == kind


def test_every_class_comes_in_columns_of_its_own(irises: Server) -> None:
    row = "petal length,count,origin,grade,when,größe.cm\n1.5,2,JFK,1,2024-01-31,\n"
    headers = {"content-type": "text/csv", "accept": "text/csv"}
    response = irises.client.post("/predict/batch?probabilities=all", content=row.encode(), headers=headers)
    header, first = response.text.splitlines()
    names = "prediction,probability,prediction_id,version"
    assert header == f"{names},probability.setosa,probability.versicolor,probability.virginica"
    cells = first.split(",")
    assert float(cells[1]) == max(map(float, cells[4:]))
    assert sum(map(float, cells[4:])) == pytest.approx(1, abs=1e-6)
