"""Drift in plain words: what a column's finding, a whole look and repeated looks say to a newcomer."""

from collections.abc import Iterator

from siklus.monitor.drift_report import ColumnDrift, DriftReport, Effect, Jump
from siklus.stats.profile import CategoryProfile, ColumnProfile
from siklus.stats.sequential import DriftEvidence

WORDS_SAID = 3  # those whose shares changed most
COLUMNS_SAID = 4
TELLING = 0.001  # a part of an alarming column is named when it stands out by itself, too
FAR = 2.0  # σ, beyond which how far is of no matter

_CELLS = {
    "missing": "of the cells are missing",
    "non_finite": "of the values are not finite",
    "below_minimum": "of the values are below the contract's minimum",
    "above_maximum": "of the values are above the contract's maximum",
    "unseen": "of the cells hold a word that training did not know",
    "rare": "of the values lie where hardly any did",
}


def say_column(finding: ColumnDrift, reference: ColumnProfile, window: ColumnProfile) -> str:
    """The column's finding as one sentence, without its name."""
    match finding.verdict:
        case "too few":
            return "not enough rows yet"
        case "steady":
            return "as in training"
        case "vanished":
            had = 1 - reference.counts.missing / reference.counts.rows
            return f"no cell has a value any more; {percent(had)} had one in training"
        case "slight":
            return f"within the tolerance: {'; '.join(_parts(finding, reference, window))}"
        case _:
            return "; ".join(_parts(finding, reference, window))


def say_jump(jump: Jump) -> str:
    """`12 % of the cells are missing; 0.3 % were in training`"""
    then = "none" if not jump.reference_share else percent(jump.reference_share)
    verb = {"unseen": "did", "rare": "did"}.get(jump.slot, "were")
    return f"{percent(jump.share)} {_CELLS[jump.slot]}; {then} {verb} in training"


def say_report(report: DriftReport) -> str:
    """The whole look in a sentence."""
    if not report.enough:
        return f"not enough rows yet: {report.rows:,} of the {report.min_rows:,} that a judgement takes"
    if not report.alarm:
        return f"no drift: {report.rows:,} rows look like those of training, or differ within the tolerance"
    found = report.alarming
    named = "; ".join(f"{column.name}: {column.said}" for column in found[:COLUMNS_SAID])
    more = f"; and {len(found) - COLUMNS_SAID} more" if len(found) > COLUMNS_SAID else ""
    return f"drift in {len(found)} of {len(report.columns)} columns. {named}{more}"


def say_evidence(evidence: DriftEvidence, *, step: str) -> str:
    """Repeated looks in a sentence; ``step``: how much traffic each took, such as `10m`."""
    found = {name: column for name, column in evidence.columns.items() if column.alarm}
    if not found:
        return "no drift so far"
    ranked = sorted(found, key=lambda name: -found[name].log_evidence)
    named = ", ".join(f"{name} (since {found[name].since} steps of {step})" for name in ranked[:COLUMNS_SAID])
    more = f" and {len(ranked) - COLUMNS_SAID} more" if len(ranked) > COLUMNS_SAID else ""
    return f"traffic has left training: {named}{more}"


def percent(share: float) -> str:
    """Two digits that count, and never 0 % or 100 % for what is not quite that.

    >>> percent(0.0034), percent(0.12345), percent(0.99999), percent(0.000001)
    ('0.34 %', '12 %', '> 99.9 %', '< 0.01 %')
    """
    if 0 < share < 0.0001:
        return "< 0.01 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.3g} %" if share >= 0.99 else f"{100 * share:.2g} %"


def _parts(finding: ColumnDrift, reference: ColumnProfile, window: ColumnProfile) -> Iterator[str]:
    """What tells, the most certain first; at least one part."""
    jumps = sorted((jump for jump in finding.jumps if jump.slot != "rare"), key=lambda jump: jump.p_beyond)
    least = min([jump.p for jump in finding.jumps] + ([finding.effect.p] if finding.effect else []))
    told = [jump for jump in jumps if jump.p <= max(least, TELLING)]
    yield from map(say_jump, told)
    rare = finding.jump("rare")
    if finding.effect is not None and finding.effect.p <= max(least, TELLING):
        yield _shift(finding.effect, reference, window)
    elif rare is not None and (not told or rare.p <= TELLING):
        yield say_jump(rare)


def _shift(effect: Effect, reference: ColumnProfile, window: ColumnProfile) -> str:
    if isinstance(reference, CategoryProfile) and isinstance(window, CategoryProfile):
        return _words(reference, window)
    far = f"about {effect.sigmas:.2g} σ" if effect.sigmas < FAR else f"more than {FAR:g} σ"
    if effect.direction:
        return f"shifted {effect.direction}wards by {far}"
    return f"spread otherwise, by as much as a shift of {far}"


def _words(reference: CategoryProfile, window: CategoryProfile) -> str:
    names = [*reference.words, "other words"]
    then, now = sum(reference.counts.bins), sum(window.counts.bins)
    shares = [
        (b / now, a / then, name)
        for a, b, name in zip(reference.counts.bins, window.counts.bins, names, strict=True)
    ]
    shares.sort(key=lambda share: -abs(share[0] - share[1]))
    told = [
        f"{'more' if new > old else 'less'} {name} ({percent(new)}, {percent(old)} in training)"
        for new, old, name in shares[:WORDS_SAID]
        if new != old
    ]
    return ", ".join(told)
