"""Tally: what comes of a replay's rows, a piece of them at a time."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from heapq import nlargest
from typing import NamedTuple

import msgspec
import numpy as np

from siklus.automation.replay.asked import Asked, Features, ask, features_of
from siklus.automation.replay.replayed import Distances, Far, Latency, Reason, Replay, Switch
from siklus.automation.replay.slices import Chunk, Slices, cells_of, grouped
from siklus.automation.rollout.pairs import losses_of
from siklus.bundle.read import Bundle
from siklus.contract.columns import label_text
from siklus.contract.decode import class_indices
from siklus.monitor.microseconds import us_of
from siklus.stats.challenge import ChallengeEvidence, challenge_losses
from siklus.stats.losses import Floats, predicted_classes
from siklus.stats.paired import loss_of
from siklus.stats.ranges import Ranges
from siklus.table import objects

FARTHEST = 10
MOST_REASONS = 20
MOST_SWITCHES = 20
FEWEST_UNSEEN = 30  # labelled rows; with fewer even those that a model may know say more
SAME_DIGITS = 1e-5  # float32 has seven; a graph of another library may lose one
NEAR_ZERO = 1e-6
OF_A_RECORD = ("version", "arm")


class LoggedRow(NamedTuple):
    """An answered row as the log has it, with its outcome where that is known (class as text, number)."""

    prediction_id: str
    time_us: int
    version: str
    arm: str
    features: str
    prediction: str
    predicted_number: float | None
    probability: float | None
    outcome: str | None
    outcome_number: float | None


class Losses(NamedTuple):
    """Of labelled rows: what they cost either, and whether both models are older than them."""

    candidate: Floats
    champion: Floats
    unseen: np.ndarray


class Tally:
    """Of one candidate beside the champion. Rows are taken in pieces, in any order."""

    def __init__(
        self, *, candidate: Bundle, champion: Bundle, metric: str, slices: Mapping[str, Ranges | None]
    ) -> None:
        """``slices``: `version`, `arm` or columns, with the ranges of numbers."""
        self._candidate, self._champion, self._metric = candidate, champion, metric
        self._slices = {name: Slices(ranges) for name, ranges in slices.items()}
        self._classes = tuple(label_text(label) for label in candidate.contract.target.classes or ())
        self._trained_us = max(us_of(each.provenance().trained_at) for each in (candidate, champion))
        self._counts: Counter[str] = Counter()
        self._reasons: dict[tuple[str, str | None], Reason] = {}
        self._switches: Counter[tuple[str, str]] = Counter()
        self._distances: list[np.ndarray] = []
        self._losses: list[Losses] = []
        self._farthest: list[Far] = []
        self._every = 1
        self.timed: list[Features] = []

    def time_every(self, rows: int) -> None:
        """Of so many rows one is kept in ``timed``, if both answer it."""
        self._every = rows

    def take(self, rows: Sequence[LoggedRow]) -> None:
        features = [features_of(row.features) for row in rows]
        ours, theirs = ask(self._candidate, features), ask(self._champion, features)
        answered = ours.answered
        self._counts.update(
            rows=len(rows),
            answered=int(answered.sum()),
            refused=int(ours.refused.sum()),
            failed=int(ours.failed.sum()),
            invalid=int(ours.invalid.sum()),
            lost=int((theirs.answered & ~answered).sum()),
        )
        self._note_reasons(ours, rows)
        same, distance = self._compared(ours, rows)
        self._counts["same"] += int(same.sum())
        self._distances.append(distance[np.isfinite(distance)].astype(np.float32))
        self._note_farthest(rows, features, ours, np.where(same, 0.0, distance))
        gain = self._judged(rows, ours, theirs)
        chunk = Chunk(answered=answered, same=same, distance=np.abs(distance), gain=gain)
        for name, each in self._slices.items():
            cells = [getattr(row, name) for row in rows] if name in OF_A_RECORD else cells_of(features, name)
            each.add(cells, chunk)
        first = -(self._counts["rows"] - len(rows)) % self._every
        both = answered & theirs.answered
        self.timed += [features[i] for i in range(first, len(rows), self._every) if both[i]]

    def result(self, since: datetime, until: datetime, *, logged: int, latency: Latency | None) -> Replay:
        losses = [np.concatenate(parts) for parts in zip(*self._losses, strict=True)]
        evidence, champion_loss, unseen = _evidence(losses, self._metric)
        return Replay(
            version=self._candidate.version,
            champion=self._champion.version,
            task=self._candidate.contract.task,
            metric=self._metric,
            since=since,
            until=until,
            logged=logged,
            **{
                name: self._counts[name]
                for name in ("rows", "answered", "refused", "failed", "invalid", "lost", "same")
            },
            reasons=tuple(sorted(self._reasons.values(), key=lambda reason: -reason.rows)[:MOST_REASONS]),
            distances=_distances(self._distances),
            switches=tuple(
                Switch(answered=then, candidate=now, rows=count)
                for (then, now), count in self._switches.most_common(MOST_SWITCHES)
            ),
            groups=grouped(self._slices),
            farthest=tuple(self._farthest),
            latency=latency,
            labelled=0 if evidence is None else evidence.rows,
            unseen=unseen,
            champion_loss=champion_loss,
            quality=evidence,
        )

    def _note_reasons(self, ours: Asked, rows: Sequence[LoggedRow]) -> None:
        told = [
            (
                problem.code,
                problem.column,
                f"{problem.message} (expected {problem.expected})",
                problem.row or 0,
            )
            for problem in ours.problems
        ]
        told += [("", None, message, row) for row, message in ours.failures.items()]
        told += [
            ("SV004", None, "the answer is no finite number", row)
            for row in np.flatnonzero(ours.invalid).tolist()
        ]
        for code, column, message, row in told:
            # What a model says of a failure may name the row: of such messages the first stands for all.
            known = self._reasons.get((code, column))
            first = rows[row].prediction_id if known is None else known.first
            self._reasons[code, column] = Reason(
                code=code,
                column=column,
                message=message if known is None else known.message,
                rows=1 + (0 if known is None else known.rows),
                first=first,
            )

    def _compared(self, ours: Asked, rows: Sequence[LoggedRow]) -> tuple[np.ndarray, Floats]:
        """Where the answers are the same, and how far they are from those that were given; NaN: unknown."""
        if not self._classes:
            logged = _numbers(row.predicted_number for row in rows)
            distance = ours.raw - logged
            near = np.maximum(SAME_DIGITS * np.abs(logged), NEAR_ZERO)
            return np.abs(distance) <= near, distance
        then = class_indices(objects(row.prediction for row in rows), self._classes)
        now = predicted_classes(np.where(np.isfinite(ours.raw), ours.raw, -1.0))
        answered = ours.answered
        for i in np.flatnonzero(answered & (now != then)).tolist():
            self._switches[rows[i].prediction, self._classes[now[i]]] += 1
        given = np.where(then >= 0, ours.raw[np.arange(len(rows)), np.maximum(then, 0)], 0.0)
        distance = given - _numbers(row.probability for row in rows)
        return answered & (now == then), np.where(answered, distance, np.nan)

    def _note_farthest(
        self, rows: Sequence[LoggedRow], features: Sequence[dict[str, object]], ours: Asked, distance: Floats
    ) -> None:
        far = np.where(np.isfinite(distance), np.abs(distance), -1.0)
        for i in np.argsort(-far, kind="stable")[:FARTHEST].tolist():
            row = rows[i]
            if far[i] > 0:
                says = self._classes[int(np.argmax(ours.raw[i]))] if self._classes else float(ours.raw[i])
                numeric = not self._classes and row.predicted_number is not None
                self._farthest.append(
                    Far(
                        prediction_id=row.prediction_id,
                        version=row.version,
                        features={name: _printable(cell) for name, cell in features[i].items()},
                        answered=float(row.predicted_number or 0) if numeric else row.prediction,
                        candidate=says,
                        distance=float(distance[i]),
                        outcome=row.outcome if self._classes else row.outcome_number,
                    )
                )
        self._farthest = nlargest(FARTHEST, self._farthest, key=lambda found: abs(found.distance))

    def _judged(self, rows: Sequence[LoggedRow], ours: Asked, theirs: Asked) -> Floats:
        """By how much each row's loss is lower than the champion's; NaN where that is not known."""
        outcomes = [row.outcome if self._classes else row.outcome_number for row in rows]
        labelled = np.flatnonzero([outcome is not None for outcome in outcomes])
        gain = np.full(len(rows), np.nan)
        if not len(labelled):
            return gain
        contracts = (self._candidate.contract, self._champion.contract)
        found = losses_of(self._metric, outcomes, ours, theirs, contracts=contracts)
        gain[found.places] = found.champion - found.challenger
        made = np.array([rows[i].time_us for i in found.places.tolist()], dtype=np.int64)
        self._losses.append(Losses(found.challenger, found.champion, made > self._trained_us))
        return gain


def _evidence(
    losses: Sequence[np.ndarray], metric: str
) -> tuple[ChallengeEvidence | None, float | None, bool]:
    """Who is better, the champion's mean loss, and whether it is of unseen rows only."""
    if not losses or not len(losses[0]):
        return None, None, True
    candidate, champion, unseen = losses
    enough = bool(unseen.sum() >= FEWEST_UNSEEN or unseen.all())
    if enough:
        candidate, champion = candidate[unseen], champion[unseen]
    found = msgspec.structs.replace(challenge_losses(candidate, champion), loss=loss_of(metric))
    return found, float(champion.mean()), enough


def _distances(pieces: Sequence[np.ndarray]) -> Distances | None:
    found = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.float32)
    if not len(found):
        return None
    median, p90, p99, largest = np.quantile(np.abs(found), [0.5, 0.9, 0.99, 1.0]).tolist()
    mean = float(found.mean(dtype=np.float64))
    return Distances(rows=len(found), mean=mean, median=median, p90=p90, p99=p99, largest=largest)


def _printable(cell: object) -> object:
    """Half a surrogate pair has no UTF-8."""
    return cell.encode(errors="replace").decode() if isinstance(cell, str) else cell


def _numbers(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
