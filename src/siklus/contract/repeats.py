"""Repeats: rows and columns that stand in a table more than once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from siklus.contract.findings import Finding, finding
from siklus.contract.survey import NUMERIC, Survey

# Odd 64-bit constants of SplitMix64 (Steele, Lea & Flood 2014), whose finalizer this is.
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


def repeated_rows(columns: Sequence[Survey]) -> list[Finding]:
    """How many rows are an exact copy of another, over these columns.

    Rows are compared by a 64-bit hash: two different ones among a million are taken for copies with
    a chance below 3e-8.
    """
    if not columns:
        return []
    rows = len(columns[0].cells)
    hashes = np.zeros(rows, dtype=np.uint64)
    for seen in columns:
        hashes = _mixed(hashes * _STEP + _mixed(_bits(seen)))
    copies = rows - len(np.unique(hashes))
    if not copies:
        return []
    message = f"{copies} of {rows} rows ({copies / rows:.1%}) are exact copies of another row"
    return [finding("duplicate-rows", None, f"{message}: copies on both sides of a split flatter the scores")]


def repeated_columns(columns: Sequence[Survey]) -> list[Finding]:
    """One finding for each column whose cells are those of an earlier column."""
    first: dict[tuple[object, ...], Survey] = {}
    findings = []
    for seen in columns:
        # The hash only narrows the search; the words are what a string column's numbers stand for.
        kind = "numeric" if seen.nature in NUMERIC else seen.nature
        known = first.setdefault((kind, seen.words, hash(_bits(seen).tobytes())), seen)
        if known is not seen and np.array_equal(_bits(known), _bits(seen)):
            findings.append(
                finding("duplicate-column", seen.name, f"the same cells as column {known.name!r}")
            )
    return findings


def _bits(seen: Survey) -> NDArray[np.uint64]:
    # Adding 0.0 turns -0.0 into 0.0; all gaps get the same NaN.
    series = np.where(seen.missing, np.nan, seen.series + 0.0)
    return series.view(np.uint64)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))
