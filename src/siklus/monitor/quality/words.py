"""What a reader of quality must know, in plain words."""

from collections.abc import Iterator
from datetime import UTC, datetime

from siklus.ledgers.totals import Totals
from siklus.monitor.amounts import counted
from siklus.monitor.quality.judging import Judged
from siklus.monitor.quality.label_checks import floods_in
from siklus.monitor.quality.report import QualityReport
from siklus.records.joined import NEVER, JoinedRows
from siklus.stats.scores import METRICS, names_of

# What `/feedback` counts, and how it is said.
REFUSED = {
    "conflicting": "for an outcome that contradicts the one that is known",
    "unknown_id": "for a prediction that was not made here",
    "refused": "for what can be no outcome",
    "error": "because they could not be stored",
}


def remarks_on(report: QualityReport, judged: Judged, *, fewest: int) -> Iterator[str]:
    """In the order of weight: too few labels, odd ones, other rows than those without, one sender."""
    labels = report.whole.labels
    if not labels.predictions:
        yield f"No prediction was recorded from {told(report.since)} to {told(report.until)}."
        return
    if not labels.labelled:
        yield (
            f"No labels yet: of {counted(labels.predictions, 'prediction')} none has its outcome. "
            "POST /feedback takes them (docs/http.md)."
        )
    elif labels.labelled < fewest:
        yield (
            f"Too few labels: the outcome of {labels.labelled:,} of "
            f"{counted(labels.predictions, 'prediction')} is known, "
            f"and below {fewest:,} nothing is judged ([monitor] min_rows)."
        )
    yield from _odd_labels(judged.rows)
    if report.bias is not None and report.bias.differs:
        yield report.bias.said
    yield from floods_in(judged, report, fewest=fewest)
    yield from _left_out(report)


def refused_feedback(totals: Totals) -> Iterator[str]:
    """What became of outcomes that were never stored, since the server's counts began."""
    counts = {what: sum(server.total("feedback", what) for server in totals.servers) for what in REFUSED}
    listed = [f"{counts[what]:,} {told}" for what, told in REFUSED.items() if counts[what]]
    if listed:
        yield (
            f"Of all requests with outcomes that this server was ever sent, it refused {', '.join(listed)} "
            "(a list counts as one): none of those is in here."
        )


def told(moment: datetime) -> str:
    """As a person reads it, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _odd_labels(rows: JoinedRows) -> Iterator[str]:
    told = rows.received != NEVER
    unusable = int((told & ~rows.labelled).sum())
    if unusable:
        yield (
            f"Left out: {counted(unusable, 'outcome')}, where outcome or prediction is no "
            f"{'number' if rows.classes is None else 'class of the champion'}."
        )
    early = int((told & (rows.observed != NEVER) & (rows.observed < rows.made)).sum())
    if early:
        yield f"Said to be true before the prediction was made, and counted: {counted(early, 'outcome')}."
    jumped = int((told & (rows.received < rows.made)).sum())
    if jumped:
        yield (
            "Received before the prediction was made, since a clock has jumped, and counted without a delay: "
            f"{counted(jumped, 'outcome')}."
        )


def _left_out(report: QualityReport) -> Iterator[str]:
    if report.floor is None:
        yield (
            f"There is no floor for {report.metric}: no [monitor] floor, no gate on it, and no evaluation "
            "that measured it."
        )
    unknown = [
        name
        for name in names_of(report.task)
        if METRICS[name].needs == "probabilities" and name not in report.whole.metrics
    ]
    if report.whole.labels.labelled and unknown:
        yield (
            f"{', '.join(unknown)} need the probability of every class, which the log does not keep; "
            f"`--metric {unknown[0]}` asks the model again."
        )
