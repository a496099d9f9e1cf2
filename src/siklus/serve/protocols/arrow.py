"""Arrow and Parquet bodies: sizes first, then types, and only then cells.

pyarrow is an extra. Nothing but plain columns is read: no extension types, no pandas metadata, no dictionary
of dictionaries. Whatever claims to be larger than allowed is refused before it is unpacked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from siklus.contract.columns import Contract
from siklus.errors import RequestError
from siklus.extras import need
from siklus.serve.protocols.arrow_frames import unpacked_bytes
from siklus.serve.protocols.documents import refuse_count
from siklus.table import Cells, Table, objects

EXTRA = "arrow"
FURTHER_COLUMNS = 32  # that the contract does not know: enough to name them, too few to cost anything
BATCH_ROWS = 4096  # of Parquet at once: so much is unpacked before its size is looked at

SIGNED = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
REAL = frozenset({"halffloat", "float", "double"})
WORDS = frozenset({"string", "large_string", "string_view"})
LISTS = ("list<", "large_list<", "fixed_size_list<")


@dataclass(frozen=True)
class Most:
    """What a body may have at most: rows, and bytes once it is unpacked."""

    rows: int
    bytes: int


def read_arrow_stream(body: bytes, contract: Contract, *, max_rows: int, max_bytes: int) -> Table:
    """An IPC stream. RequestError RQ006, RQ007, RQ035 to RQ037; MissingExtra without pyarrow."""
    pa = need("pyarrow", extra=EXTRA)
    with _damage("an Arrow stream"):
        _refuse_size(unpacked_bytes(body), max_bytes)
        reader = pa.ipc.open_stream(pa.BufferReader(body))
        return _table_of(reader, reader.schema, contract, Most(max_rows, max_bytes))


def read_arrow_file(body: bytes, contract: Contract, *, max_rows: int, max_bytes: int) -> Table:
    """An IPC file, also called Feather 2. Errors are those of a stream."""
    pa = need("pyarrow", extra=EXTRA)
    with _damage("an Arrow file"):
        # The file is a stream between a magic word and a footer; read as such, nothing is read twice.
        if not body.startswith(b"ARROW1\0\0"):
            raise RequestError("RQ036", "the body is no Arrow file: it begins otherwise", expected="ARROW1")
        stream = memoryview(body)[8:]
        _refuse_size(unpacked_bytes(stream), max_bytes)
        reader = pa.ipc.open_stream(pa.BufferReader(pa.py_buffer(stream)))
        return _table_of(reader, reader.schema, contract, Most(max_rows, max_bytes))


def read_parquet(body: bytes, contract: Contract, *, max_rows: int, max_bytes: int) -> Table:
    """A Parquet file. Errors are those of a stream."""
    pa = need("pyarrow", extra=EXTRA)
    pq = need("pyarrow.parquet", extra=EXTRA)
    with _damage("a Parquet file"):
        source = pa.BufferReader(body)
        footer = pq.read_metadata(source)
        refuse_count(footer.num_rows, max_rows=max_rows)
        groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
        _refuse_size(sum(group.total_byte_size for group in groups), max_bytes)
        arrow_schema = footer.schema.to_arrow_schema()
        # As dictionaries words are not unpacked: one long word in each row stays one long word.
        words = [field.name for field in arrow_schema if str(field.type) in WORDS]
        source.seek(0)
        file = pq.ParquetFile(source, metadata=footer, read_dictionary=words, page_checksum_verification=True)
        batches = _bounded(file.iter_batches(batch_size=BATCH_ROWS, use_threads=False), max_bytes)
        return _table_of(batches, file.schema_arrow, contract, Most(max_rows, max_bytes))


def _bounded(batches: Iterator[Any], max_bytes: int) -> Iterator[Any]:
    """The batches while they hold what the footer promised."""
    size = 0
    for batch in batches:
        size += batch.get_total_buffer_size()
        _refuse_size(size, 4 * max_bytes)  # a slice counts all that it is a slice of
        yield batch


def _table_of(batches: Iterator[Any], arrow_schema: Any, contract: Contract, most: Most) -> Table:
    names = _names(arrow_schema, contract)
    for field in arrow_schema:
        _refuse_type(field.name, str(field.type), field.type)
    parts: list[Any] = []
    count = 0
    for batch in batches:
        count += batch.num_rows
        if count > most.rows:
            raise RequestError(
                "RQ007", f"{count} rows or more", expected=f"at most {most.rows} in one request"
            )
        batch.validate(full=True)
        _refuse_size(sum(map(_viewed_bytes, batch.columns)), most.bytes)
        parts.append(batch)
    refuse_count(count, max_rows=most.rows)
    pa = need("pyarrow", extra=EXTRA)
    table = pa.Table.from_batches(parts, schema=arrow_schema)
    return Table({name: _cells(table.column(i)) for i, name in enumerate(names)})


def _names(arrow_schema: Any, contract: Contract) -> list[str]:
    names: list[str] = list(arrow_schema.names)
    most = len(contract.names) + len(contract.ignored) + FURTHER_COLUMNS
    if len(names) > most:
        raise RequestError("RQ037", f"{len(names)} columns", expected=f"the contract's {len(contract.names)}")
    if len(set(names)) < len(names):
        raise RequestError("RQ037", "a column stands twice", expected="each column with its own name")
    return names


def _refuse_type(name: str, kind: str, arrow_type: Any) -> None:
    if not _is_plain(kind, arrow_type):
        raise RequestError(
            "RQ037",
            f"column {name[:60]!r} is of type {kind[:60]}",
            expected="numbers, booleans, strings, timestamps, dates, dictionaries of such, lists of numbers",
        )


def _is_plain(kind: str, arrow_type: Any) -> bool:
    if kind.startswith("dictionary<"):
        inner = str(arrow_type.value_type)
        return inner in WORDS or inner in SIGNED or inner in REAL
    if kind.startswith(LISTS):
        inner = str(arrow_type.value_type)
        return inner in SIGNED or inner in REAL or _is_plain_list(inner, arrow_type.value_type)
    simple = kind in SIGNED or kind in REAL or kind in WORDS
    return simple or kind in ("bool", "null", "date32[day]", "date64[ms]") or kind.startswith("timestamp[")


def _is_plain_list(kind: str, arrow_type: Any) -> bool:
    return kind.startswith(LISTS) and _is_plain(kind, arrow_type)


def _cells(column: Any) -> Cells:
    """A column as a table has it: numbers as float64 or int64, moments in UTC, words as objects."""
    kind = str(column.type)
    if kind in REAL or kind in SIGNED:
        return _numbers(column, kind)
    if kind.startswith(("timestamp[", "date")):
        return _moments(column)
    if kind == "bool" and not column.null_count:
        return np.asarray(column.to_numpy(), dtype=bool)
    if kind.startswith("dictionary<"):
        return np.concatenate([_dictionary(chunk) for chunk in column.chunks] or [objects([])])
    return objects(column.to_pylist())


def _numbers(column: Any, kind: str) -> Cells:
    if column.null_count or kind in REAL:
        # With gaps integers come as floats, a null as NaN.
        return np.asarray(column.to_numpy()).astype(np.float64)
    found = np.asarray(column.to_numpy())
    beyond = kind == "uint64" and len(found) and found.max() > np.iinfo(np.int64).max
    return found.astype(np.float64 if beyond else np.int64)


def _moments(column: Any) -> Cells:
    """Arrow keeps a moment with a zone in UTC; one without is taken to be in it, as everywhere."""
    moments: Cells = np.asarray(column.to_numpy()).astype("datetime64[us]")
    return moments


def _dictionary(chunk: Any) -> Cells:
    words = [*chunk.dictionary.to_pylist(), None]
    places = chunk.indices.fill_null(len(words) - 1) if chunk.null_count else chunk.indices
    return objects(words)[np.asarray(places.to_numpy(zero_copy_only=False), dtype=np.int64)]


def _viewed_bytes(array: Any) -> int:
    """The bytes of all words of a view, which may all be the same bytes; 0 for any other column."""
    if str(array.type) != "string_view":
        return 0
    # A view has 16 bytes, of which the first four are its length.
    views = np.frombuffer(array.buffers()[1], dtype="<i4")
    return int(views[4 * array.offset :: 4][: len(array)].sum(dtype=np.int64))


def _refuse_size(size: int, most: int) -> None:
    if size > most:
        raise RequestError("RQ035", f"{size} bytes when unpacked", expected=f"at most {most}")


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Whatever pyarrow says of a damaged body, as RQ036."""
    pa = need("pyarrow", extra=EXTRA)
    kinds: tuple[type[Exception], ...] = (pa.ArrowException, OSError, OverflowError, ValueError, KeyError)
    try:
        yield
    except kinds as exc:
        said = " ".join(str(exc).split())[:200]
        raise RequestError(
            "RQ036", f"the body is no sound {what.split(' ', 1)[1]}: {said}", expected=what
        ) from exc
