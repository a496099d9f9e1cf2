"""Signals: the numbers that alert rules speak of. One name has one meaning, here and in Prometheus.

A signal speaks of the champion, the version that most requests meet; those ``by`` feature have a value for
each column. Yes and no are 1 and 0.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

YES = 0.5  # above it is yes, whatever a sum or an average made of 1 and 0 on its way
RATE_WINDOW = "5m"  # over which rates and quantiles of requests are taken

By: TypeAlias = Literal["feature"]


class SignalKind(Struct, frozen=True, kw_only=True):
    """What a signal is. ``unit``: as a person reads it. ``by``: the label that tells its values apart."""

    meaning: str
    unit: Literal["", "rows", "rows/s", "share", "seconds", "days", "cores", "bytes", "yes/no", "psi"]
    by: By | None = None


class Signal(Struct, frozen=True, kw_only=True):
    """One value of a signal, now. ``label``: the feature where the kind has them, "" otherwise.

    What cannot be said (no labels, not enough rows) is absent; there is no NaN.
    """

    name: str
    value: float
    label: str = ""


SIGNALS: Mapping[str, SignalKind] = {
    "predictions_since_training": SignalKind(
        meaning="rows that the champion has answered since it was trained", unit="rows"
    ),
    "labelled_since_training": SignalKind(meaning="of these, how many have their outcome", unit="rows"),
    "predictions_per_second": SignalKind(
        meaning=f"answered rows per second, over {RATE_WINDOW}", unit="rows/s"
    ),
    "error_rate": SignalKind(
        meaning=f"the share of predictions asked for that failed by the server's fault, over {RATE_WINDOW}",
        unit="share",
    ),
    "refused_rate": SignalKind(
        meaning=f"the share of predictions asked for that broke the contract or a limit, over {RATE_WINDOW}",
        unit="share",
    ),
    "latency_p50": SignalKind(meaning=f"the median latency of requests, over {RATE_WINDOW}", unit="seconds"),
    "latency_p95": SignalKind(meaning=f"the 95 % quantile of latency, over {RATE_WINDOW}", unit="seconds"),
    "latency_p99": SignalKind(meaning=f"the 99 % quantile of latency, over {RATE_WINDOW}", unit="seconds"),
    "drift_alarm": SignalKind(
        meaning="whether traffic has left training, at the stated false-alarm rate however often one looks",
        unit="yes/no",
    ),
    "joint_drift": SignalKind(
        meaning="whether a classifier tells traffic from training by all columns together, when last asked",
        unit="yes/no",
    ),
    "drift_score": SignalKind(
        meaning="PSI of the column against training, over [monitor] window", unit="psi", by="feature"
    ),
    "missing_jump": SignalKind(
        meaning="whether more cells are missing than training explains, over [monitor] window",
        unit="yes/no",
        by="feature",
    ),
    "unseen_share": SignalKind(
        meaning="the share of cells with a word that training did not know, over [monitor] window",
        unit="share",
        by="feature",
    ),
    "quality": SignalKind(
        meaning="the watched metric on outcomes of the last [monitor] window, or else the newest min_rows",
        unit="",
    ),
    "quality_alarm": SignalKind(
        meaning="whether quality is beyond its floor, at the stated false-alarm rate",
        unit="yes/no",
    ),
    "label_coverage": SignalKind(
        meaning="the share of predictions since training that have their outcome", unit="share"
    ),
    "label_delay": SignalKind(meaning="the median time from a prediction to its outcome", unit="seconds"),
    "log_dropped": SignalKind(
        meaning=f"records that the prediction log lost, over {RATE_WINDOW}", unit="rows"
    ),
    "model_age": SignalKind(meaning="days since the champion was trained", unit="days"),
    "cpu": SignalKind(
        meaning=f"processors that the server's processes use, over {RATE_WINDOW}", unit="cores"
    ),
    "memory": SignalKind(meaning="resident memory of the server's processes", unit="bytes"),
}
