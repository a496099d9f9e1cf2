"""Profiles of traffic: what a ledger counted of a version, over the bins of the version's reference profile.

The counts are taken over as they stand, so the profile of two windows together is the sum of theirs. A ledger
whose bins are not the reference's is refused: its numbers would be read as what they are not.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from siklus.contract.columns import Contract
from siklus.errors import MonitorError
from siklus.ledgers.bins import ABOVE, BELOW, MISSING, NON_FINITE, UNSEEN
from siklus.ledgers.layouts import VersionLayout, layout_of
from siklus.ledgers.totals import VersionTotals
from siklus.stats.profile import CategoryProfile, ColumnProfile, Counts, Profile, fold

_SLOTS = {
    MISSING: "missing",
    NON_FINITE: "non_finite",
    BELOW: "below_minimum",
    ABOVE: "above_maximum",
    UNSEEN: "unseen",
}


def window_profile(totals: VersionTotals, *, reference: Profile, contract: Contract) -> Profile:
    """What the version's rows looked like, over the reference's bins; MonitorError MO001 for other bins.

    ``contract`` and ``reference`` are those of the version's bundle. Columns that the reference does not know
    are left out. ``rows``: those whose columns are counted, which is about a second after they are answered.
    """
    return window_profiles([totals], reference=reference, contract=contract)[0]


def window_profiles(
    windows: Sequence[VersionTotals], *, reference: Profile, contract: Contract
) -> list[Profile]:
    """Many windows of one version, as `window_profile` has them one by one."""
    if not windows:
        return []
    expected, _ = layout_of(windows[0].layout.version, contract, reference)
    found = []
    for totals in windows:
        _refuse_other_bins(totals.layout, expected)
        found.append(_profile(totals.layout, totals.counts, reference))
    return found


def _refuse_other_bins(layout: VersionLayout, expected: VersionLayout) -> None:
    same = (layout.rules, layout.predicted_as, layout.predicted) == (
        expected.rules,
        expected.predicted_as,
        expected.predicted,
    )
    names = [(feature.name, feature.bins) for feature in layout.features]
    if not same or names != [(feature.name, feature.bins) for feature in expected.features]:
        raise MonitorError(
            "MO001",
            f"counts of version {layout.version}: they are over other bins than its reference profile",
            expected="counts of the same bundle; those of another one under that number end by themselves",
        )


def _profile(layout: VersionLayout, counts: NDArray[np.uint64], reference: Profile) -> Profile:
    edges = np.cumsum([layout.bins, *(len(feature.bins) for feature in layout.features)]).tolist()
    columns: dict[str, ColumnProfile] = {}
    rows = 0
    for feature, (start, end) in zip(layout.features, pairwise(edges), strict=True):
        numbers = counts[start:end].tolist()
        rows = max(rows, sum(numbers))
        known = reference.columns.get(feature.name)
        if known is not None:
            columns[feature.name] = replace(known, counts=_counts(known, feature.bins, numbers))
    predicted = counts[layout.predictions : layout.bins].tolist()
    return Profile(
        rows=rows if layout.features else sum(predicted),
        columns=columns,
        prediction=_prediction(reference.prediction, predicted),
    )


def _counts(profile: ColumnProfile, labels: Sequence[str], numbers: Sequence[int]) -> Counts:
    bins = len(profile.counts.bins)
    slots = {_SLOTS[label]: n for label, n in zip(labels[bins:], numbers[bins:], strict=True)}
    return Counts(bins=tuple(numbers[:bins]), **slots)


def _prediction(profile: ColumnProfile, numbers: Sequence[int]) -> ColumnProfile:
    """Classes are counted one by one, also those that the profile has in its last bin together."""
    counts = Counts(bins=tuple(numbers))
    if isinstance(profile, CategoryProfile):
        return replace(profile, counts=fold(counts, profile.kept))
    return replace(profile, counts=counts)
