"""Batches: 10,000 rows in one request, in the formats that a server takes."""

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

import msgspec

from benchmarks.serving.case import Case
from benchmarks.serving.dialects import Row
from benchmarks.serving.failures import BenchmarkError
from benchmarks.serving.load import Answered, answered
from benchmarks.serving.running import Running, post

PATH = "/predict/batch"
ROWS = 10_000

Encode: TypeAlias = Callable[[Sequence[Row], Sequence[str]], bytes]


@dataclass(frozen=True, kw_only=True)
class Form:
    """``needs``: the module that writes it, beside the standard library."""

    kind: str
    encode: Encode
    needs: str = "msgspec"


def _json(rows: Sequence[Row], _columns: Sequence[str]) -> bytes:
    return msgspec.json.encode({"instances": rows})


def _csv(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _arrow(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    table, sink = _table(rows, columns), io.BytesIO()
    with import_module("pyarrow.ipc").new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def _parquet(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    sink = io.BytesIO()
    import_module("pyarrow.parquet").write_table(_table(rows, columns), sink)
    return sink.getvalue()


def _table(rows: Sequence[Row], columns: Sequence[str]) -> Any:
    cells = map(list, zip(*rows, strict=True))
    return import_module("pyarrow").table(dict(zip(columns, cells, strict=True)))


FORMS: Mapping[str, Form] = {
    "json": Form(kind="application/json", encode=_json),
    "csv": Form(kind="text/csv", encode=_csv),
    "arrow": Form(kind="application/vnd.apache.arrow.stream", encode=_arrow, needs="pyarrow"),
    "parquet": Form(kind="application/vnd.apache.parquet", encode=_parquet, needs="pyarrow"),
}


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A body that is ready to be posted, and the classes that scikit-learn gives its rows."""

    form: str
    body: bytes
    classes: list[int]


def batches(case: Case) -> list[Batch]:
    """One in each format that can be written here."""
    times = -(-ROWS // len(case.rows))
    rows, classes = (case.rows * times)[:ROWS], list(case.classes * times)[:ROWS]
    return [
        Batch(form=name, body=form.encode(rows, case.columns), classes=classes)
        for name, form in FORMS.items()
        if find_spec(form.needs) is not None
    ]


def refusal(running: Running, batch: Batch) -> str | None:
    """Why this server does not answer this batch; None when it does, and rightly."""
    try:
        answer = post(running.port, PATH, batch.body, kind=FORMS[batch.form].kind)
    except (BenchmarkError, OSError) as exc:
        return str(exc)
    found = msgspec.json.decode(answer)["predictions"]
    return None if found == batch.classes else "its classes are not those of scikit-learn"


def ask_in_batches(running: Running, batch: Batch, *, seconds: float) -> Answered:
    """One request after the other, at least one; ``requests`` counts these, not the rows."""
    kind = FORMS[batch.form].kind
    latencies = []
    started = asked = time.perf_counter()
    while not latencies or asked - started < seconds:
        post(running.port, PATH, batch.body, kind=kind)
        now = time.perf_counter()
        latencies.append(now - asked)
        asked = now
    return answered(latencies, seconds=asked - started)
