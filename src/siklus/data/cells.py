"""Cells from anywhere, as one of the five kinds of a Table: float64, int64, bool, datetime64[us], objects."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from siklus.errors import DataError
from siklus.table import Cells, is_missing, objects

INT64_MAX = np.iinfo(np.int64).max

_SCALARS = {str, bool, int, float, datetime, date, type(None)}

# What other libraries have as a cell, and subclasses of the above: an enumeration's member, a Timestamp.
_PLAIN: Mapping[type, Callable[..., object]] = {
    str: str.__str__,
    int: int,
    float: float,
    datetime: lambda moment: datetime.combine(moment.date(), moment.timetz()),
    Decimal: float,
    UUID: str,
    time: time.isoformat,
    timedelta: timedelta.total_seconds,
    bytes: bytes.hex,
    bytearray: bytearray.hex,
}
_MISSING_NAMES = {"NAType", "NaTType"}  # pandas' own: recognised by name, because pandas is not imported here


def cells_of(values: Sequence[object], *, where: str) -> Cells:
    """Python values as cells: numbers as int64 or (with gaps or mixed) float64, moments in UTC, else objects.

    ``where`` names the column in a message. DA016 for a type that no Table has.
    """
    kinds = set(map(type, values))
    if not kinds <= _SCALARS:
        values = [plain(value, where=where) for value in values]
        kinds = set(map(type, values))
    kinds.discard(type(None))
    if float in kinds and not kinds <= {int, float}:
        # NaN among strings, booleans or moments is how pandas says that nothing stands there.
        values = [None if isinstance(value, float) and value != value else value for value in values]
        kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return objects(values)
    if kinds <= {int, float}:
        return _numbers(values, whole=float not in kinds, where=where)
    if kinds == {bool} and None not in values:
        return np.array(values, dtype=bool)
    if kinds <= {datetime, date}:
        return np.array([_utc(value) for value in values], dtype="datetime64[us]")
    return objects(values)


def cells_of_array(array: Cells, *, where: str) -> Cells:
    """A numpy array as cells; from two dimensions on, each cell is a nested list."""
    if array.ndim > 1:
        return objects(array.tolist())
    match array.dtype.kind:
        case "b":
            return array.astype(bool)
        case "i":
            return array.astype(np.int64)
        case "u":
            return array.astype(np.int64 if not len(array) or array.max() <= INT64_MAX else np.float64)
        case "f":
            return array.astype(np.float64)
        case "M":
            return array.astype("datetime64[us]")
        case "m":
            seconds = array.astype("timedelta64[us]").astype(np.int64) / 1e6
            return np.where(np.isnat(array), np.nan, seconds)
        case "S":
            return cells_of([_decoded(value, where) for value in array.tolist()], where=where)
        case "O" | "U" | "T":
            return cells_of(array.tolist(), where=where)
        case _:
            raise _no_cell(array.dtype.name, where)


def plain(value: object, *, where: str) -> object:
    """One cell as str, bool, int, float, datetime, date, list, dict or None; DA016 for anything else."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, np.generic):
        return _unboxed(value, where)
    if isinstance(value, np.ndarray):  # a masked one too: what is masked comes out as None
        return [plain(item, where=where) for item in value.tolist()]
    if isinstance(value, list | tuple):
        return [_inner(item, where) for item in value]
    if isinstance(value, dict):
        return {str(key): _inner(item, where) for key, item in value.items()}
    if type(value).__name__ in _MISSING_NAMES:
        return None
    for kind, convert in _PLAIN.items():
        if isinstance(value, kind):
            return convert(value)
    raise _no_cell(type(value).__name__, where)


def moments(cells: Cells, *, where: str) -> Cells:
    """A time column ready for ordering: ISO 8601 strings as datetime64[us] in UTC, all else as it is.

    DA015 names the first cell that is no moment. Missing cells stay missing.
    """
    if cells.dtype.kind in "Mif":
        return cells
    found = np.full(len(cells), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    for row in np.flatnonzero(~is_missing(cells)):
        cell = cells[row]
        try:
            found[row] = _utc(datetime.fromisoformat(cell))
        except (TypeError, ValueError):
            raise DataError(
                "DA015",
                f"{where}, row {row} (counted from 0): {cell!r} is no moment",
                expected="ISO 8601 in each row, such as 2024-05-31 or 2024-05-31T12:00:00Z",
            ) from None
    return found


def _numbers(values: Sequence[object], *, whole: bool, where: str) -> Cells:
    try:
        if whole and None not in values:
            try:
                return np.array(values, dtype=np.int64)
            except OverflowError:  # beyond int64: float64 keeps the size, if not each digit
                pass
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    except OverflowError as exc:
        raise DataError(
            "DA016", f"{where}: an integer beyond float64", expected="numbers below 1e308"
        ) from exc


def _inner(value: object, where: str) -> object:
    """A value inside a list or an object, where a moment has to be text to be kept."""
    found = plain(value, where=where)
    return found.isoformat() if isinstance(found, date) else found


def _unboxed(value: np.generic, where: str) -> object:
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()
    if isinstance(value, np.timedelta64):
        return plain(value.astype("timedelta64[us]").item(), where=where)
    if isinstance(value, np.floating):
        return float(value)
    return plain(value.item(), where=where)


def _utc(value: Any) -> np.datetime64:
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")


def _decoded(value: bytes, where: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as exc:
        raise DataError(
            "DA016", f"{where}: bytes that are not UTF-8 text", expected="strings or numbers"
        ) from exc


def _no_cell(kind: str, where: str) -> DataError:
    return DataError(
        "DA016",
        f"{where}: cells of type {kind}",
        expected="numbers, booleans, strings, moments or lists of them",
    )
