"""Profiles of decoded rows: one for each float of a row, over bins of their own or over a reference's."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from siklus.contract.columns import Category, Column, Contract, Integer, Number, slots_of
from siklus.stats.profile import ColumnProfile, profile_numbers, profile_words

Numbers = NDArray[np.floating[Any]]


def profile_rows(contract: Contract, matrix: Numbers) -> dict[str, ColumnProfile]:
    """Bins chosen from these rows, slot by slot: `distance`, `departure.hour` …; shape (rows, width)."""
    columns = (column for column in contract.columns for _ in slots_of(column))
    return {
        slot: profile_column(column, matrix[:, at])
        for at, (slot, column) in enumerate(zip(contract.slots, columns, strict=True))
    }


def profile_column(column: Column, values: Numbers) -> ColumnProfile:
    """Bins for one float of a decoded row, chosen from its values; the range is the contract's."""
    match column:
        case Category(vocabulary=words):
            return profile_words(values, words)
        case Number(minimum=low, maximum=high) | Integer(minimum=low, maximum=high):
            return profile_numbers(values, minimum=low, maximum=high)
        case _:
            return profile_numbers(values)


def count_rows(
    reference: Mapping[str, ColumnProfile], contract: Contract, matrix: Numbers
) -> dict[str, ColumnProfile]:
    """These rows in the reference's bins; a slot that the reference does not know is left out."""
    places = {slot: at for at, slot in enumerate(contract.slots)}
    return {
        name: recount(column, matrix[:, places[name]]) for name, column in reference.items() if name in places
    }


def recount(profile: ColumnProfile, values: Numbers) -> ColumnProfile:
    """The same bins with the counts of other values, as decoded; shape (rows,)."""
    return replace(profile, counts=profile.count(values))
