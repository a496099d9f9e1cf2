"""A column now beside training, as evidence that a mail can show: shares by bin."""

from collections.abc import Iterator

from siklus.monitor.events import Beside
from siklus.stats.profile import CategoryProfile, ColumnProfile, Counts

SHOWN_WORDS = 12  # the most frequent of both; the others are one bar
# Slots as a person calls them, in the order of `Counts`.
SLOTS = {
    "missing": "missing",
    "non_finite": "infinite",
    "below_minimum": "too low",
    "above_maximum": "too high",
    "unseen": "new words",
}


def beside(name: str, reference: ColumnProfile, window: ColumnProfile) -> Beside | None:
    """``window`` is over the reference's bins. None where one of the two has no cell at all."""
    now, training = window.counts, reference.counts
    if not now.rows or not training.rows:
        return None
    rows = [
        (label, bin_now / now.rows, bin_training / training.rows)
        for label, bin_now, bin_training in zip(_bins(reference), now.bins, training.bins, strict=True)
    ]
    if isinstance(reference, CategoryProfile):
        rows = _folded(rows)
    slots = list(_slots(now, training))
    labels, shares_now, shares_training = zip(*rows, *slots, strict=True)
    return Beside(
        title=name,
        names=labels,
        now=shares_now,
        training=shares_training,
        apart=len(slots),
    )


def _bins(reference: ColumnProfile) -> list[str]:
    if isinstance(reference, CategoryProfile):
        return [*reference.words, "other words"]
    cuts = [f"{cut:.4g}" for cut in reference.cuts]
    return [*(f"≤ {cut}" for cut in cuts), f"> {cuts[-1]}" if cuts else "all"]


def _folded(rows: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """The words that are frequent now or were in training; all others as one."""
    *words, (other, now, training) = rows
    frequent = sorted(words, key=lambda row: max(row[1], row[2]), reverse=True)[:SHOWN_WORDS]
    now += sum(row[1] for row in words) - sum(row[1] for row in frequent)
    training += sum(row[2] for row in words) - sum(row[2] for row in frequent)
    rest = [(other, max(now, 0.0), max(training, 0.0))] if max(now, training) > 1e-12 else []
    return [*frequent, *rest]


def _slots(now: Counts, training: Counts) -> Iterator[tuple[str, float, float]]:
    """Only those that hold anything."""
    for slot, label in SLOTS.items():
        here, there = getattr(now, slot), getattr(training, slot)
        if here or there:
            yield label, here / now.rows, there / training.rows
