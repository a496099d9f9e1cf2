"""A CSV file's own text: its header and delimiter, and where exactly it breaks.

DuckDB guesses a dialect, and when a row is short it guesses until the file fits: the ragged file
becomes one column, or its first rows vanish. So the dialect is settled here, from the header line,
and DuckDB is told.
"""

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from siklus.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
CHUNK_BYTES = 1 << 20

_LINE = re.compile(r"CSV Error on Line: (\d+)\n(?:Original Line:.*\n)?(.*)")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Header:
    names: tuple[str, ...]
    delimiter: str


def read_header(path: Path, *, shown: str, delimiter: str | None = None) -> Header:
    """The first line's names, and the delimiter that splits it into most fields.

    A blank name becomes `column3` (counted from 0). DA003 for a name that stands twice, DA007 for
    another encoding than UTF-8, DA008 for a first line that is no header.
    """
    with gzip_errors(shown), _open(path) as file:
        start = file.read(4)
    if start.startswith(_UTF_16) or b"\0" in start:
        raise DataError("DA007", f"{shown}: line 1 is UTF-16 or binary", expected="text in UTF-8")
    try:
        rows = {mark: _first_row(path, mark, shown) for mark in ([delimiter] if delimiter else DELIMITERS)}
    except UnicodeDecodeError:
        raise not_utf8(path, shown=shown) from None
    found, row = max(rows.items(), key=lambda item: len(item[1]))
    cells = [cell.strip() for cell in row]
    if not any(cells):
        raise DataError(
            "DA008", f"{shown}: line 1 is blank", expected="a header line with the columns' names"
        )
    names = tuple(cell or f"column{i}" for i, cell in enumerate(cells))
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(
            "DA003",
            f"{shown}: line 1: named more than once: {', '.join(map(repr, doubled))}",
            expected="a header line in which each column has its own name",
        )
    return Header(names, found)


def broken_csv(message: str, *, path: Path, shown: str) -> DataError:
    """DuckDB's complaint about a CSV file as ours, with its line: DA007, DA008, or DA011 for a damaged gz."""
    if "not utf-8" in message or "Invalid unicode" in message:
        return not_utf8(path, shown=shown)
    if match := _LINE.search(message):
        line, what = match.groups()
        return DataError(
            "DA008",
            f"{shown}: line {line}: {what.strip()}",
            expected="one value a column, quoted where it has a delimiter",
        )
    first = message.strip().splitlines()[0]
    if "GZIP" in first:
        return DataError("DA011", f"{shown}: {first}", expected="a whole gzip file")
    return DataError(
        "DA008", f"{shown}: {first}", expected="CSV with one kind of line end, and quotes that close"
    )


def not_utf8(path: Path, *, shown: str) -> DataError:
    """DA007 that points at the first byte which is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, place = 1, ""
    for chunk in _chunks(path):
        pending = decoder.getstate()[0]
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as exc:
            line += (pending + chunk)[: exc.start].count(b"\n")
            place = f"line {line}: byte 0x{exc.object[exc.start]:02x}"
            break
        line += chunk.count(b"\n")
    return DataError(
        "DA007",
        f"{shown}: {place or 'the last line'} is not UTF-8",
        expected="text in UTF-8 (save or convert the file as such)",
    )


@contextmanager
def gzip_errors(shown: str) -> Iterator[None]:
    """Say a damaged gz file as DA011."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
        raise DataError("DA011", f"{shown}: {exc}", expected="a whole gzip file") from exc


def _first_row(path: Path, delimiter: str, shown: str) -> list[str]:
    with _open(path) as raw:
        text = codecs.getreader("utf-8-sig")(raw)
        try:
            return next(csv.reader(text, delimiter=delimiter), [])
        except csv.Error as exc:
            raise DataError(
                "DA008", f"{shown}: line 1: {exc}", expected="a header line with the columns' names"
            ) from exc


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _chunks(path: Path) -> Iterator[bytes]:
    with _open(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
