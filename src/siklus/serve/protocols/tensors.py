"""Tensors of the Open Inference Protocol: named arrays of one datatype and shape, as JSON or as raw bytes."""

import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from types import NoneType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.errors import RequestError
from siklus.serve.protocols.documents import no_rows
from siklus.table import objects

BYTES = "BYTES"
DATATYPES: Mapping[str, str] = {
    "BOOL": "?",
    **{f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}
# What a JSON element may be, by the first letter of the datatype; null is a missing cell.
ELEMENTS: Mapping[str, frozenset[type]] = {
    "F": frozenset({int, float, NoneType}),
    "I": frozenset({int, NoneType}),
    "U": frozenset({int, NoneType}),
    "BO": frozenset({bool, NoneType}),
    "BY": frozenset({str, NoneType}),
}
INT64_MAX = np.iinfo(np.int64).max


class InputTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One input as the protocol has it. Without ``data`` it follows the JSON as raw bytes."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | msgspec.UnsetType | None = msgspec.UNSET
    parameters: dict[str, Any] | None = None

    @property
    def raw_size(self) -> int | None:
        """The bytes that belong to it behind the JSON; None for a tensor within the JSON."""
        size = (self.parameters or {}).get("binary_data_size")
        if size is None:
            return None
        if type(size) is not int or size < 0 or self.data:
            raise broken(self, "its binary_data_size is no size, or stands beside data")
        return size


def array_of(tensor: InputTensor, raw: memoryview | None) -> NDArray[Any]:
    """The elements, in the tensor's shape: float64, int64, bool, or objects (str, and None where missing).

    RequestError RQ038 where datatype, shape and data do not fit each other.
    """
    if tensor.datatype != BYTES and tensor.datatype not in DATATYPES:
        raise broken(tensor, f"datatype {tensor.datatype[:20]!r}", expected=", ".join([*DATATYPES, BYTES]))
    if tensor.shape[:1] == [0]:
        raise no_rows()
    if not tensor.shape or min(tensor.shape) < 1:
        raise broken(tensor, f"shape {tensor.shape[:8]}", expected="[rows], or rows and more dimensions")
    flat = _of_json(tensor) if raw is None else _of_raw(tensor, raw)
    return flat.reshape(tensor.shape)


def broken(tensor: InputTensor, what: str, *, expected: str = "what datatype and shape say") -> RequestError:
    return RequestError("RQ038", f"input {tensor.name[:60]!r}: {what}", expected=expected)


def raw_words(words: Sequence[str]) -> bytes:
    """BYTES as raw bytes: each word behind its length, four bytes, little-endian."""
    encoded = [word.encode() for word in words]
    return b"".join(struct.pack("<I", len(word)) + word for word in encoded)


def _of_json(tensor: InputTensor) -> NDArray[Any]:
    flat = _flat(tensor)
    datatype = tensor.datatype
    kinds = set(map(type, flat))
    if not kinds <= ELEMENTS[datatype[:2] if datatype[0] == "B" else datatype[0]]:
        raise broken(tensor, "an element of another type", expected=f"{datatype}, or null where missing")
    if datatype == BYTES:
        return objects(flat)
    if datatype == "BOOL":
        return objects(flat) if NoneType in kinds else np.array(flat, dtype=bool)
    return _numbers(tensor, flat, gaps=NoneType in kinds)


def _numbers(tensor: InputTensor, flat: list[Any], *, gaps: bool) -> NDArray[Any]:
    """Whole numbers as int64 where that holds them all; the rest as float64, null as NaN."""
    kind = np.dtype(DATATYPES[tensor.datatype])
    beyond = broken(tensor, "a number that the datatype does not hold", expected=tensor.datatype)
    if kind.kind != "f" and not _hold(kind, [cell for cell in flat if cell is not None] if gaps else flat):
        raise beyond
    if kind.kind != "f" and not gaps and max(flat, default=0) <= INT64_MAX:
        return np.array(flat, dtype=np.int64)
    try:
        numbers = np.array(flat, dtype=np.float64)
    except OverflowError as exc:  # an integer beyond float64
        raise beyond from exc
    if kind.kind == "f" and (np.abs(numbers) > np.finfo(kind).max).any():
        raise beyond
    return numbers


def _hold(kind: np.dtype[Any], whole: list[int]) -> bool:
    allowed = np.iinfo(kind)
    return not whole or bool(allowed.min <= min(whole) and max(whole) <= allowed.max)


def _flat(tensor: InputTensor) -> list[Any]:
    """The data as one list, in row-major order, whether it came flat or nested as the shape says."""
    found: list[Any] = tensor.data or []
    if found and isinstance(found[0], list):
        if len(found) != tensor.shape[0]:
            raise broken(tensor, f"{len(found)} rows for shape {tensor.shape[:8]}")
        for size in tensor.shape[1:]:
            if not all(isinstance(part, list) and len(part) == size for part in found):
                raise broken(tensor, "data nested otherwise than its shape")
            found = list(chain.from_iterable(found))
    if len(found) != prod(tensor.shape):
        raise broken(tensor, f"{len(found)} elements for shape {tensor.shape[:8]}")
    return found


def _of_raw(tensor: InputTensor, raw: memoryview) -> NDArray[Any]:
    count = prod(tensor.shape)
    if tensor.datatype == BYTES:
        return objects(_raw_words(tensor, raw, count))
    kind = np.dtype(DATATYPES[tensor.datatype])
    if len(raw) != count * kind.itemsize:
        raise broken(tensor, f"{len(raw)} bytes for shape {tensor.shape[:8]}")
    found = np.frombuffer(raw, dtype=np.uint8 if kind.kind == "b" else kind)
    if kind.kind == "b":
        return found.astype(bool)
    if kind.kind == "u" and count and found.max() > INT64_MAX:
        return found.astype(np.float64)
    return found.astype(np.float64 if kind.kind == "f" else np.int64)


def _raw_words(tensor: InputTensor, raw: memoryview, count: int) -> list[str]:
    words: list[str] = []
    at = 0
    try:
        while at < len(raw) and len(words) <= count:
            (size,) = struct.unpack_from("<I", raw, at)
            at += 4 + size
            words.append(bytes(raw[at - size : at]).decode())
    except (struct.error, UnicodeDecodeError) as exc:
        raise broken(tensor, "its bytes are no words in UTF-8 behind their lengths") from exc
    if len(words) != count or at != len(raw):
        raise broken(tensor, f"{len(words)} words for shape {tensor.shape[:8]}")
    return words
