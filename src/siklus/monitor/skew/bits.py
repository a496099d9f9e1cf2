"""Bits: where two decodings of the same rows are not the very same numbers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Contract
from siklus.contract.decode import Rows
from siklus.table import FloatRows

Marks = NDArray[np.bool_]  # shape (rows,)


def unequal(one: Rows, other: Rows, contract: Contract) -> Mapping[str, Marks]:
    """By slot (`distance`, `departure.hour`, and a text's or a tensor's column): the rows that differ in it.

    By their bits: 0.0 is not -0.0, and a NaN is the same only as one of the same payload. Slots that do not
    differ anywhere are left out.
    """
    found: dict[str, Marks] = {}
    marks = bits_of(one.matrix) != bits_of(other.matrix)
    found.update((slot, marks[:, i]) for i, slot in enumerate(contract.slots))
    for name, cells in one.tensors.items():
        differing = bits_of(cells) != bits_of(other.tensors[name])
        found[name] = differing.reshape(len(differing), -1).any(axis=1)
    for name, cells in one.texts.items():
        pairs = zip(cells.tolist(), other.texts[name].tolist(), strict=True)
        found[name] = np.fromiter((a != b for a, b in pairs), dtype=bool, count=len(cells))
    return {slot: rows for slot, rows in found.items() if rows.any()}


def bits_of(rows: FloatRows) -> NDArray[np.uint32]:
    """Each float32 as the 32 bits that it is."""
    return np.ascontiguousarray(rows, dtype=np.float32).view(np.uint32)
