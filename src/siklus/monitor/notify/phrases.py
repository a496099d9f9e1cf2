"""What the alert of each signal says in its first line, how sure that is, and what to type next."""

from collections.abc import Mapping

from msgspec import Struct

from siklus.monitor.signals import RATE_WINDOW


class Phrase(Struct, frozen=True, kw_only=True):
    """``headline``: with {value} and {label}. ``sure``: with {rate}, the project's false-alarm rate.

    ``commands``: what a person types next.
    """

    headline: str
    sure: str
    commands: tuple[str, ...] = ()


_COUNTED = "A count of all answers, not an estimate."
_CELLS = "A count of all cells of the column, not an estimate."
_MEASURED = f"Measured on all requests of the last {RATE_WINDOW}, not on a sample."
_ANY_TIME = "This alarm comes without cause in at most {rate} of months, however often one looks"
_ONE_WINDOW = "Of one window of traffic; only the alarms of drift and quality have a stated false-alarm rate."

_TRAIN = ("siklus quality", "siklus train", "siklus models")
_DRIFT = ("siklus drift", "siklus report")
_REPORT = ("siklus report",)
_QUALITY = ("siklus quality",)

PHRASES: Mapping[str, Phrase] = {
    "predictions_since_training": Phrase(
        headline="retraining advised: {value} predictions since training", sure=_COUNTED, commands=_TRAIN
    ),
    "labelled_since_training": Phrase(
        headline="{value} labelled predictions since training", sure=_COUNTED, commands=_TRAIN
    ),
    "predictions_per_second": Phrase(headline="predictions: {value}", sure=_MEASURED, commands=_REPORT),
    "error_rate": Phrase(
        headline="{value} of predictions fail",
        sure=_MEASURED,
        commands=("siklus traffic show", "siklus models"),
    ),
    "refused_rate": Phrase(headline="{value} of predictions are refused", sure=_MEASURED, commands=_REPORT),
    "latency_p50": Phrase(headline="median latency {value}", sure=_MEASURED, commands=_REPORT),
    "latency_p95": Phrase(headline="95 % latency {value}", sure=_MEASURED, commands=_REPORT),
    "latency_p99": Phrase(headline="99 % latency {value}", sure=_MEASURED, commands=_REPORT),
    "drift_alarm": Phrase(
        headline="traffic has left training",
        sure=f"{_ANY_TIME}, over all columns together.",
        commands=_DRIFT,
    ),
    "joint_drift": Phrase(
        headline="a classifier can tell the traffic from training",
        sure=f"{_ANY_TIME}.",
        commands=("siklus drift --joint", "siklus report"),
    ),
    "drift_score": Phrase(
        headline="column {label}: drift of {value} (PSI)", sure=_ONE_WINDOW, commands=_DRIFT
    ),
    "missing_jump": Phrase(
        headline="column {label}: more cells are missing than in training",
        sure="By an exact test against training, of one window of traffic.",
        commands=_DRIFT,
    ),
    "unseen_share": Phrase(
        headline="column {label}: {value} of cells hold words that training did not know",
        sure=_CELLS,
        commands=(*_DRIFT, "siklus contract infer"),
    ),
    "quality": Phrase(headline="quality is {value}", sure=_ONE_WINDOW, commands=_QUALITY),
    "quality_alarm": Phrase(headline="quality is beyond its floor", sure=f"{_ANY_TIME}.", commands=_TRAIN),
    "label_coverage": Phrase(
        headline="{value} of predictions have their outcome", sure=_COUNTED, commands=_QUALITY
    ),
    "label_delay": Phrase(
        headline="outcomes come {value} after their predictions",
        sure="The median of all outcomes that have come.",
        commands=_QUALITY,
    ),
    "log_dropped": Phrase(
        headline="the prediction log lost {value} records", sure=_COUNTED, commands=("siklus log",)
    ),
    "model_age": Phrase(headline="the model was trained {value} ago", sure="By the clock.", commands=_TRAIN),
    "cpu": Phrase(headline="the server uses {value}", sure=_MEASURED, commands=_REPORT),
    "memory": Phrase(
        headline="the server holds {value} of memory", sure="As of the last look.", commands=_REPORT
    ),
}
