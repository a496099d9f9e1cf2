"""Judging: a challenger against the champion, on labelled rows that neither was fitted on.

The rows are those of the prediction log whose outcome has come, as the log has their features: of the
challenger's training only its test part, none that the champion was fitted on, none of a client whose labels
are doubted. They are taken in the order in which their outcomes came, and the test may be looked at any
time (`siklus.stats.challenge`), so that a challenger is asked about again as more of them come.

It has to be *better* where the champion is in doubt (a trigger of drift, quality or an alert): that is what
it was trained for, and a change that gains nothing only costs. Where time, a count or a person asked for a
fresh model it has to be *no worse* than by [rollout] margin of the champion's loss. Either way it is refused
as soon as that is out of reach, and until then nobody can tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from siklus.automation.retraining.guards import Mask, guard
from siklus.automation.retraining.logged import Logged, read_logged
from siklus.automation.retraining.retrained import (
    Finding,
    Judged,
    Judgement,
    SliceJudged,
    in_doubt,
    of_itself,
)
from siklus.automation.retraining.rows import columns_beside, inside, timed
from siklus.automation.retraining.trusted import judged_by, on_trusted
from siklus.bundle.read import Bundle
from siklus.errors import RowsRefused
from siklus.monitor.amounts import counted
from siklus.monitor.microseconds import us_of
from siklus.project.file import OpenProject
from siklus.project.sections import Data, Project
from siklus.records.joined import Moments
from siklus.records.layout import Layout
from siklus.stats.challenge import ChallengeEvidence, challenge, challenge_losses
from siklus.stats.losses import Floats
from siklus.stats.paired import Difference, row_losses
from siklus.table import Table, is_missing
from siklus.train.champion import answers_of, unseen_by
from siklus.train.gates import ENOUGH_LABELS, GateResult

MOST_ROWS = 200_000  # the newest: what decides is known by then
MOST_WORDS = 20  # of a column that [gates] slices by, the most frequent ones
FEWEST_IN_SLICE = 100  # rows


@dataclass(frozen=True, kw_only=True)
class Contest:
    """``champion`` is None as long as there is none. ``gates``: of the challenger's training."""

    challenger: Bundle
    champion: Bundle | None
    gates: tuple[GateResult, ...]
    trigger: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a verdict is made of; ``wanted``: labels; ``margin``: the loss by which it may be worse.

    ``better``: whether no worse is not enough. ``champion_loss``: the mean, None without rows. ``doubt``: why
    the labels are not believed, or "".
    """

    evidence: ChallengeEvidence | None
    champion_loss: float | None
    trusted: Difference | None
    slices: tuple[SliceJudged, ...]
    findings: tuple[Finding, ...]
    wanted: int
    margin: float
    better: bool
    doubt: str = ""


def judge(contest: Contest, *, opened: OpenProject, now: datetime) -> Judgement:
    """The verdict on what is known by ``now``; may be asked again and again, as more outcomes come.

    RecordsError RC003 or RC006 where the log cannot be read; AutomationError AU050 for sensitive columns,
    AU053 for a trusted set that cannot be used.
    """
    wanted = opened.settings.retrain.min_labels
    failed = [gate.name for gate in contest.gates if not gate.passed]
    if failed:
        return Judgement(
            verdict="refused", reason=f"{', '.join(failed)} of [gates] does not hold", wanted=wanted
        )
    if contest.champion is None:
        return Judgement(
            verdict="accepted", reason="there is no champion that it would displace", wanted=wanted
        )
    try:
        return verdict_on(_seen(contest, contest.champion, opened, now))
    except RowsRefused as exc:
        reason = f"the two cannot be compared, since the champion's contract refuses the rows: {exc}"
        return Judgement(verdict="refused", reason=reason, wanted=wanted)


def verdict_on(seen: Seen) -> Judgement:
    """Accepted, refused, or nobody can tell yet: pure."""
    evidence, margin = seen.evidence, seen.margin
    labels = 0 if evidence is None else evidence.rows
    verdict: Judged = "undecided"
    reason = f"can't tell yet: {_so_far(evidence, wanted=seen.wanted)}"
    worse = [part for part in seen.slices if part.evidence.worse]
    if seen.trusted is not None and seen.trusted.worse:
        verdict, reason = "refused", f"it is worse on the trusted rows: {_difference(seen.trusted)}"
    elif seen.doubt:
        reason = f"can't tell: {seen.doubt}"
    elif evidence is None or labels < seen.wanted:
        pass
    elif worse:
        told = ", ".join(f"{part.column} {part.word}{_range(part.evidence)}" for part in worse)
        verdict, reason = "refused", f"it is worse where {told}"
    elif evidence.better:
        verdict, reason = "accepted", f"it is better on {labels:,} labels{_range(evidence)}"
    elif not seen.better and evidence.no_worse_than(margin):
        reason = f"it is no worse than the champion by {margin:.3g} on {labels:,} labels{_range(evidence)}"
        verdict = "accepted"
    elif evidence.low is not None and evidence.low > (-margin if seen.better else margin):
        what = "worse" if evidence.worse else f"better by {margin:.3g} at most"
        verdict, reason = "refused", f"it is {what} on {labels:,} labels{_range(evidence)}"
    return Judgement(
        verdict=verdict,
        reason=reason,
        warning=_warning(verdict, labels),
        labels=labels,
        wanted=seen.wanted,
        evidence=evidence,
        champion_loss=seen.champion_loss,
        trusted=seen.trusted,
        slices=seen.slices,
        findings=seen.findings,
    )


def _so_far(evidence: ChallengeEvidence | None, *, wanted: int) -> str:
    labels = 0 if evidence is None else evidence.rows
    if evidence is None or labels < wanted:
        return f"{labels:,} of {wanted:,} labels{_range(evidence)}"
    if evidence.low is None:
        return f"{labels:,} labels are too few to say how far the two may differ"
    return f"neither is shown to be better on {labels:,} labels{_range(evidence)}"


def _seen(contest: Contest, champion: Bundle, opened: OpenProject, now: datetime) -> Seen:
    challenger, settings = contest.challenger, opened.settings
    metric = judged_by(settings)
    trusted = on_trusted(opened, challenger, champion)
    logged, findings = believed(opened, challenger, now=now)
    rows = logged.take(np.argsort(logged.received, kind="stable"))
    rows = rows.take(_known_to_neither(rows, contest, champion, opened))
    evidence: ChallengeEvidence | None = None
    loss: float | None = None
    slices: tuple[SliceJudged, ...] = ()
    if len(rows):
        classes = challenger.contract.target.classes
        truth = rows.truth if classes is None else rows.truth.astype(np.int64)
        ours, theirs = (answers_of(model, rows.table, classes=classes) for model in (challenger, champion))
        evidence = challenge(metric, truth, ours, theirs, alpha=settings.rollout.alpha)
        losses = row_losses(metric, truth, ours), row_losses(metric, truth, theirs)
        loss = float(losses[1].mean())
        slices = tuple(_slices(rows.table, losses, settings))
    return Seen(
        evidence=evidence,
        champion_loss=loss,
        trusted=trusted,
        slices=slices,
        findings=findings,
        wanted=settings.retrain.min_labels,
        margin=settings.rollout.margin * (loss or 0.0),
        better=in_doubt(contest.trigger),
        doubt=next((found.message for found in findings if found.blocks and of_itself(contest.trigger)), ""),
    )


def believed(opened: OpenProject, model: Bundle, *, now: datetime) -> tuple[Logged, tuple[Finding, ...]]:
    """The labelled rows of [retrain] window that no guard takes out, under the model's contract."""
    settings = opened.settings
    logged = read_logged(
        Layout(opened.paths.records),
        model.contract,
        cut=now,
        most=MOST_ROWS,
        beside=columns_beside(settings.data, model.contract, None),
    )
    every = np.ones(len(logged), dtype=bool)
    logged = logged.take(inside(_events(logged, settings.data), every, window=settings.retrain.window))
    labels = logged.labels(classify=model.contract.target.classes is not None)
    kept, findings = guard(labels, client_share=settings.retrain.client_share)
    return logged.take(kept), findings


def _events(logged: Logged, data: Data) -> Moments:
    """When each row came true, as the window of a training counts it."""
    cells = logged.made if data.time is None else timed(logged.table[data.time], logged)
    return cells.astype("datetime64[us]").astype(np.int64) if cells.dtype.kind == "M" else logged.made


def _known_to_neither(logged: Logged, contest: Contest, champion: Bundle, opened: OpenProject) -> Mask:
    data, contract = opened.settings.data, contest.challenger.contract
    table = logged.table.select([*contract.names, contract.target.name])
    if data.time is not None:
        table = table.with_column(data.time, timed(logged.table[data.time], logged))
    key = data.key if data.key is not None and not is_missing(logged.table[data.key]).any() else None
    if key is not None:
        table = table.with_column(key, logged.table[key])
    found = np.ones(len(logged), dtype=bool)
    for model in (contest.challenger, champion):
        unseen = unseen_by(model, table, key=key, snapshots=opened.paths.snapshots)
        # Where its rows are not kept here, what was answered after it was trained is sure.
        found &= logged.made > us_of(model.provenance().trained_at) if unseen is None else unseen
    return found


def _slices(table: Table, losses: tuple[Floats, Floats], settings: Project) -> Iterator[SliceJudged]:
    """Each bound at its share of [rollout] alpha, so that all slices together err as seldom."""
    parts = []
    for column in dict.fromkeys(gate.column for gate in settings.gates.slices):
        texts = np.array([str(cell) for cell in table[column].tolist()])
        words, counts = np.unique(texts, return_counts=True)
        frequent = np.argsort(-counts, kind="stable")[:MOST_WORDS]
        parts += [
            (column, str(words[i]), texts == words[i]) for i in frequent if counts[i] >= FEWEST_IN_SLICE
        ]
    for column, word, rows in parts:
        alpha = settings.rollout.alpha / len(parts)
        evidence = challenge_losses(losses[0][rows], losses[1][rows], alpha=alpha)
        yield SliceJudged(column=column, word=word, evidence=evidence)


def _warning(verdict: str, labels: int) -> str:
    if verdict != "accepted" or labels >= ENOUGH_LABELS:
        return ""
    return f"below {ENOUGH_LABELS:,} labels this is weak evidence"


def _range(evidence: ChallengeEvidence | None) -> str:
    if evidence is None or evidence.low is None or evidence.high is None:
        return ""
    name = evidence.loss or "loss"
    return f", difference {evidence.low:+.3g} to {evidence.high:+.3g} ({name}, below 0 is better)"


def _difference(found: Difference) -> str:
    return f"{found.loss} differs by {found.mean:+.3g} on {counted(found.rows, 'row')}"
