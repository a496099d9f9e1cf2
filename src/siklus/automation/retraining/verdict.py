"""The verdict on training anew: retrain, wait, or a bug in the data that no training may learn. Pure.

A drift alarm says that traffic has left training, and not that the model is worse for it. So a drift is held
beside what its columns are worth to the model (permutation importance); and cells that went missing, or words
that nobody knew, in columns of their own while all others hold, are a mistake at the source.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from siklus.automation.retraining.signs import Signs
from siklus.monitor.amounts import percent
from siklus.monitor.drift.report import PREDICTION, ColumnDrift, SlotName
from siklus.monitor.drift.report import Verdict as Judgement
from siklus.stats.intervals import Estimate

MATTERS = 0.01  # of the loss, that shuffling a column must cost for its drift to be a reason to train
# What a source does by mistake; a value out of range may as well be a new world.
MISTAKES: tuple[SlotName, ...] = ("missing", "non_finite", "unseen")
NAMED = 3  # columns in a sentence
WORTHIEST = 20  # columns that are shown though they hold: a journal is no place for a thousand

What: TypeAlias = Literal["retrain", "wait", "data bug"]
Because: TypeAlias = Literal[
    "asked for",  # nothing speaks against what the triggers say
    "drift matters",
    "drift does not matter",
    "too few labels",
    "a column broke",
]


class ColumnSign(Struct, frozen=True, kw_only=True):
    """One column's drift beside its worth. ``worth``: as in `Signs`, None where it is not known.

    ``moved``: it raises the alarm of all looks, or that of this one where there is no other; ``broke``: the
    kind of cell that jumped, or "vanished"; "" while it holds. ``share``, ``reference_share``: of such cells.
    """

    name: str
    verdict: Judgement | None
    sigmas: float | None
    psi: float | None
    worth: float | None
    matters: bool
    moved: bool
    broke: SlotName | Literal["vanished", ""] = ""
    share: float | None = None
    reference_share: float | None = None

    @property
    def costs(self) -> float:
        """What its broken cells may cost, as a share of the loss: its worth, in as many rows as broke."""
        worth = 1.0 if self.worth is None else self.worth
        return worth * ((self.share or 0.0) - (self.reference_share or 0.0)) if self.broke else 0.0


class Verdict(Struct, frozen=True, kw_only=True):
    """``said``: the reason as one sentence. ``labelled``: rows with outcomes since the last training, of
    which ``needed`` are asked for. ``quality``: the watched ``metric`` on recent outcomes; ``floor``: what it
    must keep; ``expected``: what it should be by the answers alone, which is shown and decides nothing.
    ``columns``: those that moved or broke, and the worthiest of those that hold; the worthiest first.
    """

    what: What
    because: Because
    said: str
    labelled: int
    needed: int
    metric: str | None = None
    quality: Estimate | None = None
    floor: str | None = None
    expected: float | None = None
    columns: tuple[ColumnSign, ...] = ()


def verdict_on(signs: Signs, *, drift_alone: bool, labelled: int, needed: int) -> Verdict:
    """``drift_alone``: nothing but drift asks for a training. ``labelled``: as in `Verdict`."""
    columns = column_signs(signs)
    what, because, said = _decided(columns, drift_alone=drift_alone, labelled=labelled, needed=needed)
    quality = signs.quality
    metric = None if quality is None else quality.metric
    return Verdict(
        what=what,
        because=because,
        said=said,
        labelled=labelled,
        needed=needed,
        metric=metric,
        quality=None if quality is None else quality.recent,
        floor=None if quality is None or quality.floor is None else quality.floor.said,
        expected=None if signs.expected is None or metric is None else signs.expected.metrics.get(metric),
        columns=tuple(
            sign for place, sign in enumerate(columns) if sign.moved or sign.broke or place < WORTHIEST
        ),
    )


def column_signs(signs: Signs) -> tuple[ColumnSign, ...]:
    """All columns of the look, the worthiest first; the model's answers, which are no column, last."""
    report = {} if signs.drift is None else {column.name: column for column in signs.drift.columns}
    names = [
        *report,
        *(name for name in (signs.evidence.columns if signs.evidence else {}) if name not in report),
    ]
    found = [_sign(name, report.get(name), signs) for name in names]
    return tuple(sorted(found, key=lambda sign: (sign.name == PREDICTION, -(sign.worth or 0.0), sign.name)))


def _sign(name: str, seen: ColumnDrift | None, signs: Signs) -> ColumnSign:
    evidence = None if signs.evidence is None else signs.evidence.columns.get(name)
    alarming = seen is not None and seen.alarming
    worth = None if signs.worth is None else signs.worth.get(name, 0.0)
    broke, share, before = ("", None, None) if seen is None else _broke(seen, strict=signs.strict)
    return ColumnSign(
        name=name,
        verdict=None if seen is None else seen.verdict,
        sigmas=None if seen is None or seen.effect is None else seen.effect.sigmas,
        psi=None if seen is None else seen.psi,
        worth=None if name == PREDICTION else worth,
        matters=name == PREDICTION or worth is None or worth >= MATTERS,
        moved=alarming if evidence is None else evidence.alarm,
        broke=broke,
        share=share,
        reference_share=before,
    )


def _broke(
    column: ColumnDrift, *, strict: float
) -> tuple[SlotName | Literal["vanished", ""], float | None, float | None]:
    """Which kind of cell jumped, and its share here and in the reference."""
    if column.role == "prediction":
        return "", None, None
    if column.verdict == "vanished":
        return "vanished", 1.0, None
    for jump in column.jumps:
        if jump.slot in MISTAKES and jump.p_beyond <= strict:
            return jump.slot, jump.share, jump.reference_share
    return "", None, None


def _decided(
    columns: tuple[ColumnSign, ...], *, drift_alone: bool, labelled: int, needed: int
) -> tuple[What, Because, str]:
    broken = [sign for sign in columns if sign.broke and (sign.costs >= MATTERS or drift_alone)]
    others = [
        sign for sign in columns if sign.moved and sign.matters and not sign.broke and sign.name != PREDICTION
    ]
    if any(sign.broke == "vanished" for sign in broken) or (broken and not others):
        return "data bug", "a column broke", _bug_said(broken)
    moved = [sign for sign in columns if sign.moved]
    serious = [sign for sign in moved if sign.matters]
    if drift_alone and moved and not serious:
        names = _named(moved)
        said = (
            f"Only columns that the model hardly uses have moved ({names}), so a new one would not be better."
        )
        return "wait", "drift does not matter", said
    if labelled < needed:
        return "wait", "too few labels", _labels_said(labelled, needed)
    if serious:
        moved_said = f"Columns that matter to the model have moved: {_named(serious)}."
        return "retrain", "drift matters", f"{_labels_said(labelled, needed)} {moved_said}"
    return "retrain", "asked for", f"{_labels_said(labelled, needed)} Nothing speaks against it."


def _labels_said(labelled: int, needed: int) -> str:
    enough = "enough" if labelled >= needed else "too few"
    rows = "prediction has" if labelled == 1 else "predictions have"
    return (
        f"{labelled:,} {rows} an outcome since the last training, which is {enough}: "
        f"[retrain] min_labels is {needed:,}."
    )


def _bug_said(broken: list[ColumnSign]) -> str:
    told = "; ".join(_broken_said(sign) for sign in broken[:NAMED])
    more = f"; and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
    # One that vanished is a mistake whatever the others do.
    held = "" if any(sign.broke == "vanished" for sign in broken) else ", while other columns hold"
    return f"{told}{more}{held}. Mend the source: a model trained on this would learn the mistake."


def _broken_said(sign: ColumnSign) -> str:
    if sign.broke == "vanished":
        return f"{sign.name} has no values any more"
    kind = {"missing": "missing", "non_finite": "no finite numbers"}.get(
        sign.broke, "words that training did not know"
    )
    now, before = sign.share or 0.0, sign.reference_share or 0.0
    return f"{sign.name}: {percent(now)} of the cells are {kind}, {percent(before)} in training"


def _named(signs: list[ColumnSign]) -> str:
    names = ["the answers themselves" if sign.name == PREDICTION else sign.name for sign in signs]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
