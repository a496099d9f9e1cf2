"""Every signal as PromQL, over all replicas of a server. `$job` stands for the job that scrapes them.

What a server counts suffices for most; the rest is on the gauges that the watch publishes. Each replica shows
what its own watch has found, so the largest is taken and none added up. Processors and memory are those of
the server that takes most: that is the one which runs out of them.
"""

from collections.abc import Mapping
from string import Template

from siklus.deploy.watching.distances import BIN_ROWS, PSI, ROWS
from siklus.ledgers.bins import UNSEEN
from siklus.ledgers.layouts import SHADOW
from siklus.monitor.drift.report import PREDICTION
from siklus.monitor.signals import RATE_WINDOW, SIGNALS, SignalKind

SIGNAL = "siklus:signal"  # the series that each of these is recorded as; its label `signal` has the name

_CHAMPION = 'ml_traffic_share{job="$job",arm="champion"}'
_ASKED = f'job="$job",endpoint!="{SHADOW}"'  # rows that a version only watched are nobody's requests


def _asked_per_second(status: str = "") -> str:
    of_status = f',status="{status}"' if status else ""
    return f"sum(rate(ml_predictions_total{{{_ASKED}{of_status}}}[{RATE_WINDOW}]))"


def _share(status: str) -> str:
    # Of nothing it is NaN, and a signal that cannot be said is absent: so what it is a share of is above 0.
    return f"{_asked_per_second(status)}\n  / ({_asked_per_second()} > 0)"


def _latency(quantile: float) -> str:
    buckets = f"rate(ml_prediction_latency_seconds_bucket{{{_ASKED}}}[{RATE_WINDOW}])"
    return f"histogram_quantile({quantile}, sum by (le) ({buckets})) >= 0"


def _found(signal: str, kind: SignalKind) -> str:
    by = "" if kind.by is None else f" by ({kind.by}) "
    return f'max{by}(ml_signal{{job="$job",signal="{signal}"}})'


_COUNTED: Mapping[str, str] = {
    "predictions_since_training": (
        f'sum(ml_predictions_total{{{_ASKED},status="success"}}\n  and on (instance, version) {_CHAMPION})'
    ),
    "predictions_per_second": _asked_per_second("success"),
    "error_rate": _share("error"),
    "refused_rate": _share("refused"),
    "latency_p50": _latency(0.5),
    "latency_p95": _latency(0.95),
    "latency_p99": _latency(0.99),
    # What the model answers stands among the columns; its reference is the watch's to know.
    "drift_score": (
        f'max by (feature) ({PSI}{{job="$job"}}\n  and on (job, version) {_CHAMPION})\n'
        f'  or max by (feature) (ml_signal{{job="$job",signal="drift_score",feature="{PREDICTION}"}})'
    ),
    "unseen_share": (
        f'max by (feature) ({BIN_ROWS}{{job="$job",bin="{UNSEEN}"}}\n'
        f'  / on (job, version, feature) ({ROWS}{{job="$job"}} > 0)\n'
        # There is a distance only of rows enough: one new word in three cells is no share.
        f'  and on (job, version, feature) {PSI}{{job="$job"}}\n'
        f"  and on (job, version) {_CHAMPION})"
    ),
    "log_dropped": f'sum(increase(ml_log_dropped_total{{job="$job"}}[{RATE_WINDOW}]))',
    "cpu": f'max(sum by (instance) (rate(process_cpu_seconds_total{{job="$job"}}[{RATE_WINDOW}])))',
    "memory": 'max(sum by (instance) (process_resident_memory_bytes{job="$job"}))',
}

EXPRESSIONS: Mapping[str, str] = {
    name: _COUNTED.get(name) or _found(name, kind) for name, kind in SIGNALS.items()
}


def expression(signal: str, *, job: str) -> str:
    """A signal of one job; ``job`` is a project's name, which needs no quoting. KeyError for no signal.

    >>> expression("memory", job="flights")
    'max(sum by (instance) (process_resident_memory_bytes{job="flights"}))'
    """
    return Template(EXPRESSIONS[signal]).substitute(job=job)
