"""Judging: the metrics of joined rows, whole and in parts, each beside its label coverage and delay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siklus.monitor.microseconds import moment_of, us_of
from siklus.monitor.quality.floors import verdict_of
from siklus.monitor.quality.report import Labels, QualityFloor, QualityPart
from siklus.records.joined import JoinedRows, Words
from siklus.stats.intervals import Estimate, estimate
from siklus.stats.losses import Floats, Truth
from siklus.stats.scores import METRICS, Task

SEED = 0
WHOLE = "all"
EACH = NDArray[np.int64]  # positions of rows


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is asked of each part: ``metrics``, the first being the watched one, and when it is judged.

    ``fewest``: labelled rows below which nothing is judged.
    """

    metrics: tuple[str, ...]
    floor: QualityFloor | None
    fewest: int

    @property
    def watched(self) -> str:
        return self.metrics[0]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Joined rows, and the probabilities of every class: shape (rows, classes), NaN where not known.

    Over two classes they follow from that of the predicted class; over more the model is asked again.
    """

    rows: JoinedRows
    probabilities: Floats | None = None

    @property
    def task(self) -> Task:
        return "regression" if self.rows.classes is None else "classification"

    def take(self, places: EACH) -> "Judged":
        known = None if self.probabilities is None else self.probabilities[places]
        return Judged(rows=self.rows.take(places), probabilities=known)

    def knows(self, metric: str) -> bool:
        """Whether the metric's predictions are known for any row."""
        return METRICS[metric].needs != "probabilities" or self.probabilities is not None

    def judged(self, metric: str) -> EACH:
        """The labelled rows whose predictions the metric can be computed from."""
        labelled = self.rows.labelled
        if METRICS[metric].needs == "probabilities":
            if self.probabilities is None:
                return np.empty(0, dtype=np.int64)
            labelled = labelled & np.isfinite(self.probabilities).all(axis=1)
        return np.flatnonzero(labelled)

    def truth(self, places: EACH) -> Truth:
        """Outcomes as `siklus.stats.scores.Metric` takes them."""
        found = self.rows.outcome[places]
        return found if self.rows.classes is None else found.astype(np.int64)

    def predictions(self, metric: str, places: EACH) -> Floats:
        """Numbers, or probabilities; for a metric that reads labels alone the predicted class has 1."""
        said = self.rows.predicted[places]
        if self.rows.classes is None:
            return said
        if METRICS[metric].needs == "probabilities" and self.probabilities is not None:
            return self.probabilities[places]
        return np.eye(len(self.rows.classes))[said.astype(np.int64)]


def with_two_probabilities(rows: JoinedRows) -> Floats | None:
    """Of two classes: both probabilities from that of the predicted one. None for anything else."""
    if rows.classes is None or len(rows.classes) != 2:
        return None
    known = np.where(np.isnan(rows.predicted), 0, rows.predicted).astype(np.int64)
    both = np.empty((len(rows), 2))
    both[np.arange(len(rows)), known] = rows.probability
    both[np.arange(len(rows)), 1 - known] = 1.0 - rows.probability
    both[np.isnan(rows.predicted)] = np.nan
    return both


def estimated(judged: Judged, metric: str) -> Estimate:
    """The metric on the labelled rows; without a value where there is none, or where it is undefined."""
    places = judged.judged(metric)
    return estimate(metric, judged.truth(places), judged.predictions(metric, places), seed=SEED)


def part_of(judged: Judged, name: str, measure: Measure, *, since: datetime, until: datetime) -> QualityPart:
    """One part, with all metrics that its rows know."""
    labels = labels_of(judged.rows)
    known = [metric for metric in measure.metrics if judged.knows(metric)] if labels.labelled else []
    metrics = {metric: estimated(judged, metric) for metric in known}
    verdict = verdict_of(
        metrics.get(measure.watched), measure.floor, labelled=labels.labelled, fewest=measure.fewest
    )
    return QualityPart(name=name, since=since, until=until, labels=labels, metrics=metrics, verdict=verdict)


def labels_of(rows: JoinedRows) -> Labels:
    """Coverage, and the delay until the outcome was received. A clock that jumped gives no delay."""
    labelled = rows.labelled
    delays = (rows.received[labelled] - rows.made[labelled]) / 1e6
    delays = delays[delays >= 0]
    median, p90 = np.quantile(delays, [0.5, 0.9]).tolist() if len(delays) else (None, None)
    count = int(labelled.sum())
    return Labels(
        predictions=len(rows),
        labelled=count,
        coverage=count / len(rows) if len(rows) else None,
        delay_median=median,
        delay_p90=p90,
    )


def windows(
    judged: Judged, measure: Measure, *, since: datetime, until: datetime, every: timedelta
) -> Iterator[QualityPart]:
    """The stretch cut at multiples of ``every``; the first and the last may be shorter, some empty."""
    length = every // timedelta(microseconds=1)
    first = us_of(since) // length
    count = -(-us_of(until) // length) - first
    for i, places in enumerate(_by_code(judged.rows.made // length - first, count)):
        start, end = moment_of((first + i) * length), moment_of((first + i + 1) * length)
        start, end = max(start, since), min(end, until)
        yield part_of(judged.take(places), f"{start:%Y-%m-%d %H:%M}", measure, since=start, until=end)


def groups(
    judged: Judged, words: Words, measure: Measure, *, since: datetime, until: datetime
) -> tuple[QualityPart, ...]:
    """A part for each word that occurs: ranges in their order, of anything else the largest first."""
    parts = [
        part_of(judged.take(places), words.names[code], measure, since=since, until=until)
        for code, places in enumerate(_by_code(words.codes, len(words.names)))
        if len(places)
    ]
    return tuple(parts if words.ordered else sorted(parts, key=lambda part: -part.labels.predictions))


def _by_code(codes: NDArray[np.int64], count: int) -> Sequence[EACH]:
    """For each code from 0 on the positions at which it stands, ascending."""
    order = np.argsort(codes, kind="stable")
    cuts = np.searchsorted(codes[order], np.arange(count + 1))
    return [order[low:high] for low, high in pairwise(cuts)]
