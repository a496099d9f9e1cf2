"""What a table holds, as numbers: one digest of all of it, and one hash a row."""

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from siklus.errors import DataError
from siklus.table import Cells, Table, is_missing

Hashes = NDArray[np.uint64]

_MISSING = np.uint64(0x9E3779B97F4A7C15)
_MOMENT = np.uint64(0xD1B54A32D192ED03)


def digest(table: Table) -> str:
    """SHA-256 of column names, types and cells in their order: equal tables have equal digests."""
    whole = hashlib.sha256()
    for name in table:
        cells = table[name]
        whole.update(json.dumps([name, cells.dtype.str, len(cells)]).encode())
        whole.update(_bytes(cells, name))
    return whole.hexdigest()


def object_json(cells: Cells, name: str) -> str:
    """Object cells as one JSON list, a missing one as null; DA016 for a cell that JSON does not have."""
    values = [None if gone else cell for cell, gone in zip(cells.tolist(), is_missing(cells), strict=True)]
    try:
        return json.dumps(values, separators=(",", ":"))
    except (TypeError, ValueError) as exc:
        raise DataError(
            "DA016", f"column {name!r}: {exc}", expected="strings, numbers, booleans or lists of them"
        ) from exc


def row_hashes(table: Table) -> Hashes:
    """A uint64 for each row, uniform, of what its cells say: shape (rows,).

    Neither the row's place nor the columns' order counts, nor a column's type: 3, 3.0 and 3 in a column
    of objects are one value. So a hash stays when rows are appended and a gap turns integers to floats.
    """
    total = np.zeros(len(table), dtype=np.uint64)
    for name in table:
        total += _mix(cell_hashes(table[name]) ^ _text_hash(name))
    return _mix(total)


def cell_hashes(cells: Cells) -> Hashes:
    """A uint64 for each cell, equal where the cells are equal."""
    if cells.dtype.kind in "biuf":
        hashes = _number_hashes(cells.astype(np.float64))
    elif cells.dtype.kind == "M":
        hashes = _mix(cells.astype("datetime64[us]").view(np.uint64) ^ _MOMENT)
    else:
        known, values = _ObjectHashes(), cells.tolist()
        nested = any(issubclass(kind, list | dict) for kind in set(map(type, values)))
        found = map(known.of if nested else known.__getitem__, values)
        hashes = np.fromiter(found, dtype=np.uint64, count=len(cells))
    hashes[is_missing(cells)] = _MISSING
    return hashes


class _ObjectHashes(dict[object, np.uint64]):
    """Each distinct cell is hashed once: tables repeat themselves."""

    def __missing__(self, cell: object) -> np.uint64:
        found: np.uint64
        if isinstance(cell, bool | int | float):
            try:
                found = _number_hashes(np.array([cell], dtype=np.float64))[0]
            except OverflowError:  # an integer beyond float64
                found = _text_hash(str(cell))
        else:
            found = _text_hash(cell if isinstance(cell, str) else json.dumps(cell, default=str))
        self[cell] = found
        return found

    def of(self, cell: object) -> np.uint64:
        known: object = json.dumps(cell, default=str) if isinstance(cell, list | dict) else cell
        return self[known]


def _bytes(cells: Cells, name: str) -> bytes:
    if cells.dtype.kind == "O":
        return object_json(cells, name).encode()
    if cells.dtype.kind == "f":
        # One bit pattern for all NaNs, and one for both zeros: equal tables have equal digests.
        cells = np.where(np.isnan(cells), np.array(np.nan, dtype=cells.dtype), cells + 0.0)
    return cells.tobytes()


def _number_hashes(values: NDArray[np.float64]) -> Hashes:
    return _mix((values + 0.0).view(np.uint64))  # + 0.0 makes one zero of the two


def _text_hash(text: str) -> np.uint64:
    raw = text.encode("utf-8", "surrogatepass")
    found: np.uint64 = np.frombuffer(hashlib.blake2b(raw, digest_size=8).digest(), dtype="<u8")[0]
    return found


def _mix(values: Hashes) -> Hashes:
    """SplitMix64's finalizer (Steele, Lea, Flood 2014): each input bit moves half of the output bits."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
