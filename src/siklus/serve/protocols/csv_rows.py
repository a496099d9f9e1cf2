"""CSV bodies: RFC 4180 with a header line, each cell read as the contract's column says.

Training reads numbers, booleans and moments out of CSV by the same words (data/csv_scan.py), but finds each
column's kind out from all of its rows; here the contract knows it.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
import numpy as np

from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Tensor,
    Text,
)
from siklus.errors import RequestError
from siklus.serve.protocols.csv_numbers import read_plain_numbers
from siklus.serve.protocols.documents import refuse_count
from siklus.table import Cells, Table, objects

# Missing in a column of numbers, booleans or moments, as in training's CSV. In one of words only the empty
# cell is: "NA" may be a country there.
MISSING_WORDS = frozenset({"", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "?"})
EXPECTED = "CSV as RFC 4180 has it: commas, a header line, one value a column, quotes that close"

# csv.reader takes a quote in the middle of a bare cell; every quantifier is possessive, so this is linear.
_QUOTED_WELL = re.compile(r'(?:(?:"(?:[^"]|"")*+"|[^",\r\n]*+)(?:,|\r\n|\n|\r|\Z))*+')


def read_csv(body: bytes, contract: Contract, *, max_rows: int) -> Table:
    """The rows below the header; an empty cell is missing.

    RequestError RQ034 for what is no such CSV, RQ006 and RQ007 for no rows or too many.
    """
    plain = read_plain_numbers(body, contract, missing=MISSING_WORDS, max_rows=max_rows)
    if plain is not None:
        return plain
    header, rows = _rows(_text(body), max_rows=max_rows)
    refuse_count(len(rows), max_rows=max_rows)
    known = {column.name: column for column in contract.columns}
    columns = zip(header, zip(*rows, strict=True), strict=True)
    return Table({name: _cells(known.get(name), cells) for name, cells in columns})


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _broken(f"byte {exc.start} is not UTF-8") from exc


def _rows(text: str, *, max_rows: int) -> tuple[list[str], list[list[str]]]:
    """The names, and the rows up to one more than allowed."""
    if '"' in text and not _QUOTED_WELL.fullmatch(text):
        raise _broken("a quote inside of a cell, or one that does not close")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        header = _header(next(reader, []))
        for row in reader:
            if len(row) != len(header):
                if not row:
                    if len(header) > 1:
                        continue  # a blank line
                    row = [""]  # noqa: PLW2901 - of a single column it is an empty cell
                else:
                    what = f"line {reader.line_num}: {len(row)} values, {len(header)} in the header"
                    raise _broken(what)
            rows.append(row)
            if len(rows) > max_rows:
                break
    except csv.Error as exc:
        raise _broken(f"line {reader.line_num}: {exc}") from exc
    return header, rows


def _header(row: list[str]) -> list[str]:
    names = [name.strip() for name in row]
    if not any(names):
        raise _broken("line 1 is blank")
    if len(set(names)) < len(names):
        raise _broken("line 1 names a column twice")
    return names


def _broken(what: str) -> RequestError:
    return RequestError("RQ034", f"the body is no sound CSV: {what}", expected=EXPECTED)


def _cells(column: Column | None, texts: Sequence[str]) -> Cells:
    """The cells of one column. What cannot be read stays text, which decode refuses by its place."""
    if column is None:
        return objects(texts)  # the target, an ignored column, or one that decode refuses
    return _READERS[type(column)](column, texts)


def _numbers(_column: Column, texts: Sequence[str]) -> Cells:
    # Python alone reads 1_000 and digits of other scripts, so texts with such are looked at one by one.
    joined = "".join(texts)
    if joined.isascii() and "_" not in joined:
        with suppress(ValueError):
            return np.array(list(map(float, texts if "" not in texts else [text or "nan" for text in texts])))
    return objects(map(_number, texts))


def _number(text: str) -> object:
    bare = text.strip(" ")
    if bare in MISSING_WORDS:
        return None
    if bare.isascii() and "_" not in bare:
        try:
            return float(bare)
        except ValueError:
            return text
    return text


def _words(column: Column, texts: Sequence[str]) -> Cells:
    if isinstance(column, Category) and isinstance(column.vocabulary[0], int):
        return objects(map(_whole_number, texts))
    return objects(text or None for text in texts)


def _whole_number(text: str) -> object:
    """An integer keeps all of its digits, however many: it may be a key."""
    bare = text.strip(" ")
    return int(bare) if re.fullmatch(r"[+-]?[0-9]{1,300}", bare) else _number(text)


def _booleans(_column: Column, texts: Sequence[str]) -> Cells:
    words: Mapping[str, object] = {"true": True, "false": False}
    return objects(
        None if text.strip(" ") in MISSING_WORDS else words.get(text.strip(" ").lower(), text)
        for text in texts
    )


def _moments(_column: Column, texts: Sequence[str]) -> Cells:
    bare = (text.strip(" ") for text in texts)
    return objects(None if text in MISSING_WORDS else text for text in bare)


def _tensors(_column: Column, texts: Sequence[str]) -> Cells:
    return objects(map(_tensor, texts))


def _tensor(text: str) -> object:
    """A cell holds the nested lists as JSON."""
    if text in MISSING_WORDS:
        return None
    try:
        found: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return found


_READERS: Mapping[type, Callable[[Column, Sequence[str]], Cells]] = {
    Number: _numbers,
    Integer: _numbers,
    Category: _words,
    Boolean: _booleans,
    Datetime: _moments,
    Text: _words,
    Tensor: _tensors,
}
