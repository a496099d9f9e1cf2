"""Drift in plain words: what a column's finding and a whole look say to a newcomer."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from siklus.monitor.amounts import percent
from siklus.monitor.drift.report import ColumnDrift, DriftReport, Effect, Jump
from siklus.stats.profile import CategoryProfile, ColumnProfile

WORDS_SAID = 3  # those whose shares changed most
COLUMNS_SAID = 4
TRAINING = "in training"
TELLING = 0.001  # a part of an alarming column is named when it stands out by itself, too
FAR = 2.0  # σ, beyond which how far is of no matter

_CELLS = {
    "missing": "of the cells are missing",
    "non_finite": "of the values are not finite",
    "below_minimum": "of the values are below the contract's minimum",
    "above_maximum": "of the values are above the contract's maximum",
    "unseen": "of the cells hold an unknown word",
    "rare": "of the values lie where hardly any did",
}


def say_column(
    finding: ColumnDrift, reference: ColumnProfile, window: ColumnProfile, *, where: str = TRAINING
) -> str:
    """The column's finding as one sentence, without its name. ``where``: the reference's name in it."""
    match finding.verdict:
        case "too few":
            return "not enough rows yet"
        case "steady":
            return f"as {where}"
        case "vanished":
            had = 1 - reference.counts.missing / reference.counts.rows
            return f"no cell has a value any more; {percent(had)} had one {where}"
        case "slight":
            return f"within the tolerance: {'; '.join(_parts(finding, reference, window, where))}"
        case _:
            return "; ".join(_parts(finding, reference, window, where))


def say_jump(jump: Jump, *, where: str = TRAINING) -> str:
    """`12 % of the cells are missing; 0.3 % were in training`"""
    then = "none" if not jump.reference_share else percent(jump.reference_share)
    verb = {"unseen": "did", "rare": "did"}.get(jump.slot, "were")
    return f"{percent(jump.share)} {_CELLS[jump.slot]}; {then} {verb} {where}"


def say_report(report: DriftReport) -> str:
    """The whole look in a sentence."""
    if not report.enough:
        return say_not_judged(report)
    if not report.alarm:
        return f"no drift: {report.rows:,} rows look like those of training, or differ within the tolerance"
    found = report.alarming
    named = "; ".join(f"{column.name}: {column.said}" for column in found[:COLUMNS_SAID])
    more = f"; and {len(found) - COLUMNS_SAID} more" if len(found) > COLUMNS_SAID else ""
    return f"drift in {len(found)} of {len(report.columns)} columns. {named}{more}"


def say_not_judged(report: DriftReport) -> str:
    """Why there are no verdicts."""
    if report.rows >= report.min_rows:
        return "there is no row to compare with"
    return say_too_few(report.rows, report.min_rows)


def say_too_few(rows: int, fewest: int) -> str:
    """
    >>> say_too_few(50, 200)
    'not enough rows yet: 50 of 200'
    """
    return f"not enough rows yet: {rows:,} of {fewest:,}"


def say_far(effect: Effect | None) -> str:
    """The shift of a mean in σ, with its interval; δ is about d² for one that moves by d σ. "" for none."""
    if effect is None:
        return ""
    low, middle, high = (max(value, 0.0) ** 0.5 for value in (effect.low, effect.distance, effect.high))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def say_chance(p: float | None) -> str:
    """A p-value for a person; "" for none.

    >>> say_chance(0.0312), say_chance(1e-30), say_chance(0.0004)
    ('0.03', '<1e-9', '0.0004')
    """
    if p is None:
        return ""
    if p < 1e-9:
        return "<1e-9"
    return f"{p:.2f}" if p >= 0.01 else f"{p:.1g}"


def _parts(
    finding: ColumnDrift, reference: ColumnProfile, window: ColumnProfile, where: str
) -> Iterator[str]:
    """What tells, the most certain first; at least one part."""
    jumps = sorted((jump for jump in finding.jumps if jump.slot != "rare"), key=lambda jump: jump.p_beyond)
    least = min([jump.p for jump in finding.jumps] + ([finding.effect.p] if finding.effect else []))
    told = [say_jump(jump, where=where) for jump in jumps if jump.p <= max(least, TELLING)]
    yield from told
    rare = finding.jump("rare")
    if finding.effect is not None and finding.effect.p <= max(least, TELLING):
        yield _shift(finding.effect) or _changes(reference, window, where=where)
    elif rare is not None and (not told or rare.p <= TELLING):
        yield say_jump(rare, where=where)


def _shift(effect: Effect) -> str:
    """Which way a number went; "" where it went none."""
    far = f"about {effect.sigmas:.2g} σ" if effect.sigmas < FAR else f"more than {FAR:g} σ"
    match effect.direction:
        case "up" | "down":
            return f"shifted {effect.direction}wards by {far}"
        case "wider":
            return "spread wider: more very low and very high values"
        case "narrower":
            return "spread narrower: fewer very low and very high values"
        case _:
            return ""


def _changes(reference: ColumnProfile, window: ColumnProfile, *, where: str) -> str:
    """The bins whose shares changed most: `more often JFK (45 %, 33 % in training), …`"""
    most = WORDS_SAID if isinstance(reference, CategoryProfile) else 1
    then, now = sum(reference.counts.bins), sum(window.counts.bins)
    shares = [
        (b / now, a / then, name)
        for a, b, name in zip(reference.counts.bins, window.counts.bins, _bins(reference), strict=True)
    ]
    shares.sort(key=lambda share: -abs(share[0] - share[1]))
    told = [
        f"{'more often' if new > old else 'less often'} {name} ({percent(new)}, {percent(old)} {where})"
        for new, old, name in shares[:most]
        if new != old
    ]
    return ", ".join(told)


def _bins(profile: ColumnProfile) -> list[str]:
    if isinstance(profile, CategoryProfile):
        return [*profile.words, "other words"]
    cuts = np.array(profile.cuts, dtype=np.float32)
    between = [
        f"exactly {high:.6g}" if np.nextafter(high, low) == low else f"between {low:.4g} and {high:.4g}"
        for low, high in pairwise(cuts)
    ]
    ends = (f"up to {cuts[0]:.4g}", f"above {cuts[-1]:.4g}") if len(cuts) else ()
    return [ends[0], *between, ends[1]] if ends else ["anywhere"]
