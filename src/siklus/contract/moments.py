"""Moments: what counts as one, and its declared parts as numbers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Datetime, TimePart
from siklus.contract.problems import Problems
from siklus.table import Cells, FloatRows, is_nan

Moments: TypeAlias = NDArray[np.datetime64]  # in microseconds, UTC, NaT where missing

_DAY = np.timedelta64(1, "D")


def decode_moments(column: Datetime, cells: Cells, problems: Problems, *, nan_is_missing: bool) -> FloatRows:
    """One float a declared part, shape (rows, len(column.parts)); NaN where missing or refused (RW009)."""
    if cells.dtype.kind == "M":
        return parts_of(cells.astype("datetime64[us]"), column.parts)
    moments = np.full(len(cells), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    for i, cell in enumerate(cells.tolist()):
        if cell is None or (nan_is_missing and is_nan(cell)):
            continue
        moment = moment_of(cell)
        if moment is None:
            problems.refuse(cell, "RW009", expected="a moment as ISO 8601", column=column.name, row=i)
        else:
            moments[i] = moment
    return parts_of(moments, column.parts)


def moment_of(cell: object) -> np.datetime64 | None:
    """The moment in UTC, which a text or datetime without an offset is taken to be in; None when it is none.

    >>> moment_of("2013-01-01T05:15:00-05:00")
    np.datetime64('2013-01-01T10:15:00.000000')
    """
    found = cell
    if isinstance(cell, str):
        try:
            found = datetime.fromisoformat(cell)
        except ValueError:
            return None
    if isinstance(found, datetime):
        try:
            return np.datetime64(found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found, "us")
        except OverflowError:  # an offset that leads out of the years 1 to 9999
            return None
    if isinstance(found, date):
        return np.datetime64(found, "us")
    return None


def parts_of(moments: Moments, parts: Sequence[TimePart]) -> FloatRows:
    """The parts of each moment, float32, shape (rows, parts), NaN where there is none.

    month, day, dayofyear from 1; weekday from 0 (Monday); hour 0 to 23; minute 0 to 59; `days` since
    1970 with its fraction (to about two minutes today: float32 has 24 bits).
    """
    block = np.stack([_PARTS[part](moments) for part in parts], axis=1).astype(np.float32)
    block[np.isnat(moments)] = np.nan
    return block


def _weekday(moments: Moments) -> NDArray[np.float64]:
    days = moments.astype("datetime64[D]").astype(np.int64)
    return ((days + 3) % 7).astype(np.float64)  # 1970-01-01 was a Thursday


_PARTS: Mapping[TimePart, Callable[[Moments], NDArray[np.float64]]] = {
    "year": lambda t: t.astype("datetime64[Y]").astype(np.int64).astype(np.float64) + 1970,
    "month": lambda t: (t.astype("datetime64[M]").astype(np.int64) % 12).astype(np.float64) + 1,
    "day": lambda t: (
        (t.astype("datetime64[D]") - t.astype("datetime64[M]").astype("datetime64[D]")) / _DAY + 1
    ),
    "weekday": _weekday,
    "hour": lambda t: np.floor((t - t.astype("datetime64[D]")) / np.timedelta64(1, "h")),
    "minute": lambda t: np.floor((t - t.astype("datetime64[h]")) / np.timedelta64(1, "m")),
    "dayofyear": lambda t: (
        (t.astype("datetime64[D]") - t.astype("datetime64[Y]").astype("datetime64[D]")) / _DAY + 1
    ),
    "days": lambda t: (t - np.datetime64("1970-01-01", "us")) / _DAY,
}
