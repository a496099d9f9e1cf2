"""The same rows as each protocol asks for them, and what it answers, brought to one form."""

import csv
import io
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siklus.contract.columns import Boolean, Category, Column, Contract, Datetime, Integer

Row = Mapping[str, Any]
Encode = Callable[[list[Row], Contract], tuple[bytes, dict[str, str]]]

JSON = {"content-type": "application/json"}
STREAM = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Answered:
    """Predictions, and the probability of each row's predicted class where the protocol tells one."""

    predictions: list[Any]
    probabilities: list[float] | None


@dataclass(frozen=True)
class Way:
    """One way to ask: where, with which body, and how its answer is read."""

    path: str
    encode: Encode
    read: Callable[[httpx.Response, Contract], Answered]
    accept: str = "*/*"

    def ask(self, client: httpx.Client, rows: list[Row], contract: Contract) -> Answered:
        body, headers = self.encode(rows, contract)
        response = client.post(self.path, content=body, headers={**headers, "accept": self.accept})
        assert response.status_code == 200, response.text
        return self.read(response, contract)


def table_of(rows: list[Row], contract: Contract, *, dictionaries: bool = False) -> pa.Table:
    columns = {}
    for column in contract.columns:
        cells = [row[column.name] for row in rows]
        match column:
            case Datetime():
                columns[column.name] = pa.array([datetime.fromisoformat(cell) for cell in cells])
            case Category() if dictionaries:
                columns[column.name] = pa.array(cells).dictionary_encode()
            case _:
                columns[column.name] = pa.array(cells, pa.float64() if None in cells else None)
    return pa.table(columns)


def stream_of(table: pa.Table, *, compression: str | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=2)
    return bytes(sink.getvalue())


def file_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def parquet_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def csv_of(rows: list[Row], contract: Contract) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, contract.names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def tensors_of(rows: list[Row], contract: Contract, *, raw: bool) -> tuple[bytes, dict[str, str]]:
    inputs, tail = [], b""
    for i, column in enumerate(contract.columns):
        shape = [len(rows), 1] if i % 2 else [len(rows)]
        cells = [row[column.name] for row in rows]
        tensor: dict[str, Any] = {"name": column.name, "shape": shape, "datatype": datatype_of(column)}
        if raw:
            own = raw_of(column, cells)
            tensor["parameters"] = {"binary_data_size": len(own)}
            tail += own
        else:
            tensor["data"] = [[cell] for cell in cells] if i % 4 == 1 else cells
        inputs.append(tensor)
    head = json.dumps({"inputs": inputs, "id": "one"}).encode()
    return head + tail, {**JSON, "Inference-Header-Content-Length": str(len(head))} if raw else JSON


def datatype_of(column: Column) -> str:
    match column:
        case Boolean():
            return "BOOL"
        case Integer():
            return "INT64"
        case Category(vocabulary=words):
            return "BYTES" if isinstance(words[0], str) else "INT64"
        case Datetime():
            return "BYTES"
    return "FP64"


def raw_of(column: Column, cells: list[Any]) -> bytes:
    match datatype_of(column):
        case "BOOL":
            return np.array(cells, dtype="?").tobytes()
        case "INT64":
            return np.array(cells, dtype="<i8").tobytes()
        case "FP64":
            return np.array(cells, dtype="<f8").tobytes()
    words = [word.encode() for word in cells]
    return b"".join(struct.pack("<I", len(word)) + word for word in words)


def as_json(make: Callable[[list[Row], Contract], object]) -> Encode:
    return lambda rows, contract: (json.dumps(make(rows, contract)).encode(), JSON)


def as_kind(kind: str, make: Callable[[list[Row], Contract], bytes]) -> Encode:
    return lambda rows, contract: (make(rows, contract), {"content-type": kind})


def listed(rows: list[Row], contract: Contract) -> list[list[Any]]:
    return [[row[name] for name in contract.names] for row in rows]


def turned(rows: list[Row], contract: Contract) -> dict[str, list[Any]]:
    """Columns, in the opposite of the contract's order."""
    return {name: [row[name] for row in rows] for name in reversed(contract.names)}


def split(rows: list[Row], contract: Contract) -> dict[str, Any]:
    names = list(reversed(contract.names))
    return {"columns": names, "index": list(range(len(rows))), "data": [[r[n] for n in names] for r in rows]}


def from_json(response: httpx.Response, _contract: Contract) -> Answered:
    answer = response.json()
    return Answered(answer["predictions"], answer.get("probabilities"))


def from_tensors(response: httpx.Response, _contract: Contract) -> Answered:
    answer = response.json()
    assert answer["id"] == "one"
    found = {output["name"]: output for output in answer["outputs"]}
    assert len(set(found["prediction_id"]["data"])) == found["prediction"]["shape"][0]
    probabilities = None
    if "probabilities" in found:
        shape = found["probabilities"]["shape"]
        probabilities = np.reshape(found["probabilities"]["data"], shape).max(axis=1).tolist()
    return Answered(found["prediction"]["data"], probabilities)


def from_csv(response: httpx.Response, contract: Contract) -> Answered:
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert all(row["version"] and row["prediction_id"] for row in rows)
    if contract.task == "regression":
        return Answered([float(row["prediction"]) for row in rows], None)
    return Answered([row["prediction"] for row in rows], [float(row["probability"]) for row in rows])


def from_arrow(response: httpx.Response, contract: Contract) -> Answered:
    assert response.headers["content-type"] == STREAM
    found = pa.ipc.open_stream(response.content).read_all().to_pydict()
    return Answered(found["prediction"], found.get("probability"))


BATCH, CALLED = "/predict/batch", "/invocations"
WAYS: Mapping[str, Way] = {
    "json by place": Way(BATCH, as_json(lambda r, c: {"instances": listed(r, c)}), from_json),
    "json to csv": Way(BATCH, as_json(lambda r, c: {"instances": r}), from_csv, "text/csv"),
    "json to arrow": Way(BATCH, as_json(lambda r, c: {"instances": r}), from_arrow, STREAM),
    "csv": Way(BATCH, as_kind("text/csv", csv_of), from_json),
    "arrow stream": Way(BATCH, as_kind(STREAM, lambda r, c: stream_of(table_of(r, c))), from_json),
    "arrow stream, packed": Way(
        BATCH,
        as_kind(STREAM, lambda r, c: stream_of(table_of(r, c, dictionaries=True), compression="lz4")),
        from_arrow,
        STREAM,
    ),
    "arrow file": Way(
        BATCH,
        as_kind("application/vnd.apache.arrow.file", lambda r, c: file_of(table_of(r, c))),
        from_json,
    ),
    "parquet": Way(
        BATCH, as_kind("application/x-parquet", lambda r, c: parquet_of(table_of(r, c))), from_json
    ),
    "v1 instances": Way("/v1/models/{name}:predict", as_json(lambda r, c: {"instances": r}), from_json),
    "v1 inputs": Way("/v1/models/{name}:predict", as_json(lambda r, c: {"inputs": turned(r, c)}), from_json),
    "v2": Way("/v2/models/{name}/infer", lambda r, c: tensors_of(r, c, raw=False), from_tensors),
    "v2 raw": Way("/v2/models/{name}/infer", lambda r, c: tensors_of(r, c, raw=True), from_tensors),
    "mlflow split": Way(CALLED, as_json(lambda r, c: {"dataframe_split": split(r, c)}), from_json),
    "mlflow records": Way(CALLED, as_json(lambda r, c: {"dataframe_records": r}), from_json),
    "mlflow instances": Way(CALLED, as_json(lambda r, c: {"instances": listed(r, c)}), from_json),
    "mlflow inputs": Way(CALLED, as_json(lambda r, c: {"inputs": turned(r, c)}), from_json),
    "mlflow csv": Way(CALLED, as_kind("text/csv; charset=utf-8", csv_of), from_json),
    "mlflow parquet": Way(
        CALLED,
        as_kind("application/vnd.apache.parquet", lambda r, c: parquet_of(table_of(r, c))),
        from_json,
    ),
}
