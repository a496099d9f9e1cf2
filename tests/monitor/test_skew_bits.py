"""Bits: what counts as the same number, the same text and the same tensor."""

import numpy as np
import pytest

from siklus.contract.columns import (
    Contract,
    Number,
    Target,
    Tensor,
    Text,
)
from siklus.contract.decode import Rows
from siklus.monitor.skew.bits import unequal
from siklus.table import objects

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def rows_of(*values: float | np.float32) -> Rows:
    return Rows(np.array([values], dtype=np.float32).T, {}, {})


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        (np.float32(0.1), np.float32(0.1), False),
        (0.0, -0.0, True),
        (np.float32(np.float64(16777217)), np.float32(16777216), False),  # the same float32
        (np.float32(16777218), np.float32(16777216), True),
        (np.nan, np.nan, False),
        (np.nan, np.uint32(0x7FC00001).view(np.float32), True),
        (np.nan, -np.float32(np.nan), True),
        (np.float32(1e-45), 0.0, True),  # the smallest subnormal
        (np.inf, np.finfo(np.float32).max, True),
    ],
)
def test_a_float_is_its_bits(one: float, other: float, differ: bool) -> None:
    contract = Contract(columns=(Number(name="a"),), target=Target(name="b"))
    assert (unequal(rows_of(1.0, one), rows_of(1.0, other), contract) != {}) is differ


def test_texts_and_tensors_are_their_letters_and_bits() -> None:
    contract = Contract(columns=(Text(name="note"), Tensor(name="t", shape=(2,))), target=Target(name="b"))

    def rows(note: str | None, *cells: float) -> Rows:
        return Rows(
            np.empty((1, 0), dtype=np.float32),
            {"note": objects([note])},
            {"t": np.array([cells], dtype=np.float32)},
        )

    same = rows(COMPOSED, 1, 2)
    assert unequal(same, rows(COMPOSED, 1, 2), contract) == {}
    assert list(unequal(same, rows(DECOMPOSED, 1, 2), contract)) == ["note"]
    assert list(unequal(rows(None, 1, 2), rows("", 1, 2), contract)) == ["note"]
    assert list(unequal(same, rows(COMPOSED, 1, -2), contract)) == ["t"]
