"""Drift: a window of traffic against the reference, as values in and a report out.

The tests are those of `siklus.stats`; here they meet the columns, the tolerance and all columns' family.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec.structs import replace
from scipy.special import ndtri

from siklus.errors import MonitorError
from siklus.monitor.drift.report import (
    PREDICTION,
    ColumnDrift,
    Direction,
    DriftReport,
    Effect,
    Jump,
    Verdict,
)
from siklus.monitor.drift.words import TRAINING, say_column
from siklus.project.durations import MONTH_SECONDS, seconds_of
from siklus.project.sections import Monitor
from siklus.stats.distance import DISTANCES
from siklus.stats.families import Floats, benjamini_hochberg, holm
from siklus.stats.profile import CategoryProfile, ColumnProfile, Counts, Profile
from siklus.stats.sequential import DriftEvidence, drift_evidence
from siklus.stats.shift import ColumnShift, bins_by_chance, column_shift

SMALL_REFERENCE = 1_000  # rows, below which the reference's own chance hides what is smaller than 0.2 σ
# The part of a distance that a move up or down has to explain for the whole to be called so.
MOSTLY = 0.5


def drift(reference: Profile, window: Profile, *, settings: Monitor, where: str = TRAINING) -> DriftReport:
    """Judge one window. ``window`` has the reference's bins: MonitorError MO001 otherwise.

    ``where``: what the sentences call the reference. Only what both have seen is compared: not a column that
    the window leaves out, nor predictions where either side knows none.
    """
    pairs = list(_pairs(reference, window))
    shifts = [
        column_shift(
            old.counts,
            new.counts,
            tolerance=settings.tolerance,
            min_rows=settings.min_rows,
            together=bins_by_chance(old),
        )
        for _, old, new in pairs
    ]
    judged = [shift for shift in shifts if shift is not None]
    differs = iter(holm([shift.p for shift in judged]).tolist())
    adjusted = iter(holm([shift.p_beyond for shift in judged]).tolist())
    q = iter(benjamini_hochberg([shift.p_beyond for shift in judged]).tolist())
    columns = []
    for (name, old, new), shift in zip(pairs, shifts, strict=True):
        found = _measured(name, old, new)
        if shift is not None:
            there = next(differs) <= settings.false_alarm_rate
            found = _judged(replace(found, p_adjusted=next(adjusted), q=next(q)), shift, (old, new))
            found = replace(found, verdict=_verdict(found, new.counts, there, settings.false_alarm_rate))
        columns.append(replace(found, said=say_column(found, old, new, where=where)))
    columns.sort(key=_certainty)
    return DriftReport(
        rows=window.rows,
        reference_rows=reference.rows,
        min_rows=settings.min_rows,
        enough=bool(judged),
        alarm=any(column.alarming for column in columns),
        false_alarm_rate=settings.false_alarm_rate,
        tolerance=settings.tolerance,
        columns=tuple(columns),
        remarks=tuple(_remarks(reference, judged)),
    )


def drift_watch(reference: Profile, steps: Sequence[Profile], *, settings: Monitor) -> DriftEvidence:
    """Judge traffic step by step, oldest first, as often as one likes; a step takes `[monitor] step`.

    In a month without drift it alarms with at most `[monitor] false_alarm_rate`. MO001 as `drift`.
    """
    known = dict(_columns(reference))
    counts: list[Mapping[str, Counts]] = [
        {name: new.counts for name, _, new in _pairs(reference, step)} for step in steps
    ]
    seen = {name for step in counts for name in step}
    return drift_evidence(
        {name: column for name, column in known.items() if name in seen},
        counts,
        false_alarm_rate=settings.false_alarm_rate,
        steps_per_month=max(1, MONTH_SECONDS // seconds_of(settings.step)),
        tolerance=settings.tolerance,
    )


def _columns(profile: Profile) -> Iterator[tuple[str, ColumnProfile]]:
    yield from profile.columns.items()
    yield PREDICTION, profile.prediction


def _pairs(reference: Profile, window: Profile) -> Iterator[tuple[str, ColumnProfile, ColumnProfile]]:
    """What both have seen, under its name; MO001 unless it is over the same bins."""
    seen = dict(_columns(window))
    for name, old in _columns(reference):
        new = seen.get(name)
        if new is None or not old.counts.rows or (name == PREDICTION and not new.counts.rows):
            continue
        if replace(new, counts=old.counts) != old or len(new.counts.bins) != len(old.counts.bins):
            raise MonitorError(
                "MO001",
                f"{name}: the window's counts are over other bins than the reference's",
                expected="counts over the bins of the reference profile that they are held against",
            )
        yield name, old, new


def _measured(name: str, old: ColumnProfile, new: ColumnProfile) -> ColumnDrift:
    """What is reported and not judged by."""
    return ColumnDrift(
        name=name,
        role="prediction" if name == PREDICTION else "column",
        kind="category" if isinstance(old, CategoryProfile) else "numeric",
        verdict="too few",
        rows=new.counts.rows,
        psi=DISTANCES["psi"](old, new.counts),
        jensen_shannon=DISTANCES["jensen-shannon"](old, new.counts),
        wasserstein=DISTANCES["wasserstein"](old, new.counts),
    )


def _judged(
    found: ColumnDrift, shift: ColumnShift, profiles: tuple[ColumnProfile, ColumnProfile]
) -> ColumnDrift:
    jumps = tuple(
        Jump(
            slot=slot.slot,  # type: ignore[arg-type]  # the names are the same
            share=slot.share,
            reference_share=slot.reference_share,
            p=slot.p,
            p_beyond=slot.p_beyond,
        )
        for slot in shift.slots
    )
    return replace(found, effect=_effect(shift, *profiles), p=shift.p, p_beyond=shift.p_beyond, jumps=jumps)


def _effect(shift: ColumnShift, old: ColumnProfile, new: ColumnProfile) -> Effect | None:
    if shift.bins is None:
        return None
    distance = math.sqrt(shift.bins.effect)
    direction, sigmas = _way(old, new, distance)
    return Effect(
        p=shift.bins.p,
        p_beyond=shift.bins.p_beyond,
        distance=shift.bins.effect,
        low=shift.bins.low,
        high=shift.bins.high,
        sigmas=sigmas,
        direction=direction,
    )


def _way(old: ColumnProfile, new: ColumnProfile, distance: float) -> tuple[Direction, float]:
    """Where a number's values went, and by how many σ; words have no way to go."""
    if isinstance(old, CategoryProfile):
        return "", distance
    moved = rank_shift(old.counts, new.counts)
    if abs(moved) >= MOSTLY * distance > 0:
        return ("up" if moved > 0 else "down"), abs(moved)
    now, places = _places(old.counts, new.counts)
    # How much farther from the middle, on a scale that (by Cauchy and Schwarz) ends at the distance: ranks
    # are uniform in the reference, so how far they are from their middle has a deviation of 1/√48.
    was = np.array(old.counts.bins) / sum(old.counts.bins)
    outward = float((now - was) @ abs(places - 0.5)) * math.sqrt(48)
    if abs(outward) >= MOSTLY * distance > 0:
        return ("wider" if outward > 0 else "narrower"), distance
    return "", distance


def rank_shift(reference: Counts, window: Counts) -> float:
    """By how many σ a normal column's mean would have to move to put its values as far up (or down).

    From the chance that a value of the window is above one of the reference, those in one bin counting half:
    Φ(d/√2) for a shift by d (McGraw & Wong, Psychological Bulletin 111, 1992). Between −5 and 5; 0 where
    either has no row in its bins.
    """
    if not sum(reference.bins) or not sum(window.bins):
        return 0.0
    now, places = _places(reference, window)
    return float(np.clip(math.sqrt(2) * ndtri(float(now @ places)), -5.0, 5.0))


def _places(reference: Counts, window: Counts) -> tuple[Floats, Floats]:
    """The window's share of each bin, and the middle rank of the bin among the reference, 0 to 1."""
    old, new = (np.array(counts.bins, dtype=np.float64) for counts in (reference, window))
    return new / new.sum(), (np.cumsum(old) - old / 2) / old.sum()


def _verdict(found: ColumnDrift, counts: Counts, there: bool, level: float) -> Verdict:
    if found.p_adjusted is None or found.p_adjusted > level:
        return "slight" if there else "steady"
    if counts.missing == counts.rows:
        return "vanished"
    slots = [jump.p_beyond for jump in found.jumps if jump.slot != "rare"]
    rare = [jump.p_beyond for jump in found.jumps if jump.slot == "rare"]
    shift = min([*rare, found.effect.p_beyond if found.effect else 1.0])
    return "jumped" if slots and min(slots) <= shift else "shifted"


def _certainty(column: ColumnDrift) -> tuple[bool, float, float, float]:
    """The order of the ranking: what alarms, then by q, p and PSI."""
    q = 1.0 if column.q is None else column.q
    p = 1.0 if column.p is None else column.p
    return (not column.alarming, q, p, -(column.psi or 0.0))


def _remarks(reference: Profile, judged: Sequence[ColumnShift]) -> Iterator[str]:
    if judged and reference.rows < SMALL_REFERENCE:
        few = f"the reference has only {reference.rows:,} rows"
        yield f"{few}: a small shift cannot be told from its own chance"
