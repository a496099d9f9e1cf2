"""Raw columns again from decoded rows, for native models that prepare a pandas frame themselves."""

from typing import Any

import numpy as np

from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Integer,
    Number,
    Tensor,
    Text,
    slots_of,
)
from siklus.contract.decode import Rows
from siklus.extras import need
from siklus.table import Cells, objects

UNSEEN_WORD = "\x00unseen"  # in no vocabulary of text, so an encoder meets an unknown word, as it should


def frame_of(rows: Rows, contract: Contract) -> Any:
    """A pandas DataFrame of the contract's columns. Datetime columns are not carried: see `can_rebuild`."""
    columns: dict[str, object] = {}
    at = 0
    for column in contract.columns:
        if isinstance(column, Text):
            columns[column.name] = rows.texts[column.name]
        elif isinstance(column, Tensor):
            columns[column.name] = list(rows.tensors[column.name])
        else:
            columns[column.name] = _cells(column, rows.matrix[:, at])
            at += len(slots_of(column))
    return need("pandas", extra="pandas").DataFrame(columns)


def can_rebuild(contract: Contract) -> bool:
    """Parts of a moment do not give the moment back, so a frame with one cannot be rebuilt."""
    kinds = Number | Integer | Category | Boolean | Text | Tensor
    return all(isinstance(column, kinds) for column in contract.columns)


def _cells(column: Column, slot: Cells) -> Cells:
    match column:
        case Category(vocabulary=words):
            unseen = UNSEEN_WORD if isinstance(words[0], str) else min(int(word) for word in words) - 1
            return objects(None if i != i else (words[int(i)] if i >= 0 else unseen) for i in slot.tolist())
        case Boolean(nullable=False):
            return slot.astype(bool)
        case Integer(nullable=False):
            return slot.astype(np.int64)
        case _:
            return slot.astype(np.float64)
