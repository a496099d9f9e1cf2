"""Looking again and again: evidence for drift that may be looked at after every step of traffic.

A test at 5 % that is repeated every few minutes alarms for sure. An e-value does not: it is a ratio of the
chance of what was seen under drift to that without drift, so it is 1 on average without drift, and the
chance that it *ever* reaches a is at most 1/a (Ville). Here, for each column and each of the last steps as
the start s of a possible drift, with S the counts since then:

    E = mean over κ of DM(S | κ′·M/m + a) / DM(S | M + a),    1/κ′ = 1/κ + 1/m,    κ in 30, 300, 3000

DM is the Dirichlet-multinomial law, M are the reference's counts, m in all, and a is one row more at most for
a cell (`known_bins`, `known_slots`). Below the line is the law of new rows when there is no drift, the finite
reference's own error included; above it, that of rows whose shares have moved around the reference's, far
(κ = 30) or hardly (κ = 3000).

A column alarms when one of its E reaches A = columns · steps in a month / false alarms allowed in a month. A
month has as many starts as steps, and each start's E ever reaches A with a chance of at most 1/A, so by
adding these up over columns and starts: a false alarm in a month has at most the stated chance. Nothing is
assumed on how columns or starts depend on each other. (Adding up the E over the starts, as Shiryaev and
Roberts do, has a proof only if the reference is known without error: decisions/0012.)
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from siklus.stats.profile import CategoryProfile, ColumnProfile, Counts, NumericProfile
from siklus.stats.shift import TOLERANCE, bins_by_chance, column_shift, joined

Floats: TypeAlias = NDArray[np.float64]
Part: TypeAlias = Literal["bins", "slots"]

STARTS = 60  # the latest steps from which a drift may have begun
SPREADS = (
    30.0,
    300.0,
    3000.0,
)  # κ: shares that move by about √(share/κ); 300 suits a mean that moves by 0.25 σ
NUMERIC_SLOTS = ("missing", "non_finite", "below_minimum", "above_maximum")
CATEGORY_SLOTS = ("missing", "unseen")


class ColumnEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence against one column: ln E of the start that speaks most, ``since`` steps ago (1: the last).

    ``part``: the bins or the slots, whichever says more. ``effect``: the distance δ of `siklus.stats.shift`
    since then. ``alarm``: the evidence is enough, and the effect is beyond the tolerance.
    """

    log_evidence: float
    since: int
    part: Part
    effect: float
    alarm: bool


class DriftEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Of all columns; a column alarms from ``log_threshold`` on. ``steps``: how many had rows."""

    log_threshold: float
    steps: int
    columns: dict[str, ColumnEvidence]

    @property
    def alarm(self) -> bool:
        return any(column.alarm for column in self.columns.values())


def drift_evidence(
    references: Mapping[str, ColumnProfile],
    steps: Sequence[Mapping[str, Counts]],
    *,
    false_alarm_rate: float,
    steps_per_month: int,
    tolerance: float = TOLERANCE,
) -> DriftEvidence:
    """What the last steps say, oldest first; those before the last 60 are not looked at.

    A step holds the counts of that step alone, over the reference's bins; one without rows is none, and in
    a step without it a column had no rows. ``false_alarm_rate``: in a month, over all columns together.
    ``tolerance``: no alarm for a smaller effect, which can only lower the rate.
    """
    told = [step for step in steps if any(counts.rows for counts in step.values())][-STARTS:]
    threshold = float(np.log(max(len(references), 1) * steps_per_month / false_alarm_rate))
    columns = {
        name: _column_evidence(
            reference, [step.get(name) for step in told], threshold=threshold, tolerance=tolerance
        )
        for name, reference in references.items()
    }
    return DriftEvidence(log_threshold=threshold, steps=len(told), columns=columns)


class Known(NamedTuple):
    """What the reference knows of its cells' shares, both of shape (cells,): its rows, and what is added.

    ``added`` is a law's own where there is one and a prior elsewhere; together they are above 0.
    """

    rows: Floats
    added: Floats


def log_evidence(known: Known, counts: Floats) -> Floats:
    """ln E of each start; ``counts`` of shape (starts, cells). One cell, or counts without rows: 0."""
    rows, added = known
    m = max(rows.sum(), 1.0)
    without = _log_urn(rows + added, counts)
    # What is added stays as it is above the line: else a slot in which nobody ever is would be evidence.
    moved = [_log_urn(rows / (1 + m / spread) + added, counts) - without for spread in SPREADS]
    mean: Floats = logsumexp(moved, axis=0) - np.log(len(SPREADS))
    return mean


def _log_urn(a: Floats, counts: Floats) -> Floats:
    """ln DM of counts as they came, row by row: the same factor of orders is left out everywhere."""
    mass, rows = a.sum(), counts.sum(axis=-1)
    cells = (gammaln(a + counts) - gammaln(a)).sum(axis=-1)
    return np.asarray(cells + gammaln(mass) - gammaln(mass + rows))


def _column_evidence(
    reference: ColumnProfile, steps: Sequence[Counts | None], *, threshold: float, tolerance: float
) -> ColumnEvidence:
    if not steps or reference.counts.rows == 0:
        return ColumnEvidence(log_evidence=0.0, since=0, part="bins", effect=0.0, alarm=False)
    names = slots_of(reference)
    together = bins_by_chance(reference)
    bins = _since_each([step.bins if step else () for step in steps], len(reference.counts.bins))
    slots = _since_each([_slots(step, names) if step else () for step in steps], len(names) + 1)
    parts: Mapping[Part, Floats] = {
        "bins": log_evidence(known_bins(reference), joined(bins, together)),
        "slots": log_evidence(known_slots(reference), slots),
    }
    # Both are of the same rows: which bin a row fell into, given that it fell into one, and whether it did.
    each = logsumexp(list(parts.values()), axis=0) - np.log(len(parts))
    start = int(each.argmax())
    since = len(steps) - start
    effect = _effect(reference.counts, [step for step in steps[start:] if step], together)
    return ColumnEvidence(
        log_evidence=float(each[start]),
        since=since,
        part=max(parts, key=lambda part: parts[part][start]),
        effect=effect,
        alarm=bool(each[start] >= threshold and effect > tolerance),
    )


def known_bins(reference: ColumnProfile) -> Known:
    """Of the values that lie in a bin: in which one? Those of `bins_by_chance` count as one, the last.

    Cuts of a continuous column are order statistics of the reference: its m rows leave m + 1 gaps, whose
    shares are Dirichlet(1, …, 1) whatever the column's law, and M of them make up a bin, or M + 1 the last
    one. That is exact. Words, and numbers that repeat, have no such law: there half a row is added to each
    bin (Jeffreys). With less, rare words look as if they could not occur: with one row in all, every fourth
    start without drift reached 20 on a column of 50 words, most of them rare (simulated).
    """
    rows = joined(np.array(reference.counts.bins, dtype=np.float64), bins_by_chance(reference))
    if _is_continuous(reference):
        return Known(rows, np.eye(len(rows))[-1])
    return Known(rows, np.full(len(rows), 0.5))


def _is_continuous(reference: ColumnProfile) -> bool:
    """No bin is empty and none holds a single value, as one between a cut and the float below it does."""
    if not isinstance(reference, NumericProfile) or 0 in reference.counts.bins:
        return False
    cuts = np.array(reference.cuts, dtype=np.float32)
    return all(np.nextafter(high, low) != low for low, high in pairwise(cuts))


def known_slots(reference: ColumnProfile) -> Known:
    """Of all values: do they lie in a bin, or in which slot? One row is added to each.

    Where the contract's range is that of the reference's own rows, this is exact: what lies beyond an
    extreme is one gap of m + 1. Elsewhere it is Laplace's rule: what m rows never had may come once in m + 2.
    """
    rows = np.array(_slots(reference.counts, slots_of(reference)), dtype=np.float64)
    return Known(rows, np.ones(len(rows)))


def slots_of(reference: ColumnProfile) -> tuple[str, ...]:
    """The slots that a value of the column can fall into, by their names in `Counts`."""
    return CATEGORY_SLOTS if isinstance(reference, CategoryProfile) else NUMERIC_SLOTS


def _slots(counts: Counts, names: Sequence[str]) -> tuple[int, ...]:
    return (sum(counts.bins), *(getattr(counts, name) for name in names))


def _since_each(steps: Sequence[Sequence[int]], cells: int) -> Floats:
    """The counts from each step on, shape (steps, cells); a step without any is all 0."""
    each = np.zeros((len(steps), cells))
    for place, step in enumerate(steps):
        if step:
            each[place] = step
    return np.cumsum(each[::-1], axis=0)[::-1]


def _effect(reference: Counts, steps: Sequence[Counts], together: Sequence[int]) -> float:
    if not steps:
        return 0.0
    total = steps[0]
    for step in steps[1:]:
        total = total.add(step)
    found = column_shift(reference, total, min_rows=1, together=together)
    return 0.0 if found is None else found.effect
