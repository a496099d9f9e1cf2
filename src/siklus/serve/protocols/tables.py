"""Tables: the bodies of a batch that are no JSON, and answers as a table, each under its content type."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from siklus.contract.columns import Contract, label_text
from siklus.errors import RequestError
from siklus.extras import need
from siklus.project.sections import Serve
from siklus.serve.answers import JSON
from siklus.serve.bodies import is_read_as_json, media_type
from siklus.serve.payload import batch_body, read_instances
from siklus.serve.protocols.arrow import EXTRA, read_arrow_file, read_arrow_stream, read_parquet
from siklus.serve.protocols.csv_rows import read_csv
from siklus.serve.scoring import Given, Scored
from siklus.table import Table

ARROW_STREAM = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv"

UNPACKED = 8  # times the largest body: what a packed one may become


@dataclass(frozen=True, kw_only=True)
class Limits:
    """``rows`` of a request, and the ``bytes`` that it may have when unpacked."""

    rows: int
    bytes: int


def limits_of(settings: Serve) -> Limits:
    return Limits(rows=settings.max_batch_rows, bytes=UNPACKED * settings.max_body_bytes)


Reader: TypeAlias = Callable[[bytes, Contract, Limits], Table]

READERS: Mapping[str, Reader] = {
    ARROW_STREAM: lambda body, contract, limits: read_arrow_stream(
        body, contract, max_rows=limits.rows, max_bytes=limits.bytes
    ),
    ARROW_FILE: lambda body, contract, limits: read_arrow_file(
        body, contract, max_rows=limits.rows, max_bytes=limits.bytes
    ),
    PARQUET: lambda body, contract, limits: read_parquet(
        body, contract, max_rows=limits.rows, max_bytes=limits.bytes
    ),
    "application/x-parquet": lambda body, contract, limits: read_parquet(
        body, contract, max_rows=limits.rows, max_bytes=limits.bytes
    ),
    CSV: lambda body, contract, limits: read_csv(body, contract, max_rows=limits.rows),
}
FORMS = frozenset(READERS)


def read_table(body: bytes, content_type: str, contract: Contract, limits: Limits) -> Table:
    """The rows of a body in one of ``FORMS``; RequestError RQ006, RQ007, RQ009, RQ034 to RQ037."""
    refuse_parameters(content_type)
    return READERS[media_type(content_type)](body, contract, limits)


def refuse_parameters(content_type: str) -> None:
    """RequestError RQ009 for anything behind the type but UTF-8 and a header line, which are read anyway."""
    for given in content_type.split(";")[1:]:
        told = given.strip().lower().replace('"', "")
        if told not in ("", "charset=utf-8", "charset=utf8", "charset=us-ascii", "header=present"):
            raise RequestError(
                "RQ009", f"content-type with {told[:60]!r}", expected="charset=utf-8, or nothing"
            )


class Batch:
    """One batch: read by its content type once the contract is known, answered in the form it asks for."""

    def __init__(self, body: bytes, *, content_type: str, accept: str, limits: Limits) -> None:
        self._body = body
        self._content_type = content_type
        self._form = answer_form(accept)
        self._limits = limits

    def read(self, contract: Contract) -> Given:
        """The rows. Errors are those of `read_table` and of `payload.read_instances`."""
        if self._form == ARROW_STREAM:
            need("pyarrow", extra=EXTRA)  # before anything is scored that could not be answered
        if is_read_as_json(self._content_type):
            return read_instances(self._body, contract, max_rows=self._limits.rows)
        return read_table(self._body, self._content_type, contract, self._limits)

    def answer(self, scored: Scored, *, seconds: float, every_class: bool) -> tuple[bytes, str]:
        """The body, and its content type."""
        if self._form == ARROW_STREAM:
            return arrow_body(scored, every_class=every_class), ARROW_STREAM
        if self._form == CSV:
            return csv_body(scored, every_class=every_class), f"{CSV}; charset=utf-8; header=present"
        return batch_body(scored, seconds=seconds, every_class=every_class), JSON


def answer_form(accept: str) -> str:
    """The form that the header asks for most: Arrow's stream or CSV where it is named, else JSON."""
    best, weight = JSON, 0.0
    for part in accept.split(","):
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        if name in (JSON, ARROW_STREAM, CSV) and (q := _quality(parameters)) > weight:
            best, weight = name, q
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def csv_body(scored: Scored, *, every_class: bool) -> bytes:
    """A header line and a line a row; true and false in small letters, as JSON has them."""
    text = io.StringIO()
    columns = _answered(scored, every_class=every_class)
    writer = csv.writer(text)
    writer.writerow(columns)
    lists = [values if isinstance(values, list) else values.tolist() for values in columns.values()]
    lists[0] = [label_text(label) if isinstance(label, bool) else label for label in lists[0]]
    writer.writerows(zip(*lists, strict=True))
    return text.getvalue().encode()


def arrow_body(scored: Scored, *, every_class: bool) -> bytes:
    """An IPC stream of one batch. MissingExtra without pyarrow."""
    pa = need("pyarrow", extra=EXTRA)
    columns = _answered(scored, every_class=every_class)
    batch = pa.record_batch([_written(pa, values) for values in columns.values()], names=list(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _answered(scored: Scored, *, every_class: bool) -> dict[str, Any]:
    """The columns of an answer; a regression has no probability."""
    found = scored.predictions
    classes = scored.bundle.contract.target.classes
    columns: dict[str, Any] = {"prediction": found.values if classes is None else scored.labels}
    if found.probabilities is not None:
        columns["probability"] = found.probabilities
    columns |= {"prediction_id": scored.ids, "version": [scored.bundle.version] * len(scored)}
    if every_class and classes is not None:
        columns |= {f"probability.{label_text(label)}": found.raw[:, i] for i, label in enumerate(classes)}
    return columns


def _written(pa: Any, values: Any) -> Any:
    if isinstance(values, list) and len(set(map(type, values))) > 1:
        return pa.array(
            [label_text(label) for label in values]
        )  # classes of several types have text in common
    return pa.array(values)
