"""A Prometheus as the source of counts: what it scraped of every replica, put back into the ledgers' places.

The counts come over exactly, as numbers and not as rates, so that all that is computed of a server's own
files is computed of them alike. While it is down nothing is lost: counts only grow.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from urllib.parse import urlencode

import msgspec
import numpy as np
from prometheus_client.utils import floatToGoString

from siklus.asking import ask
from siklus.errors import MonitorError
from siklus.ledgers.layouts import NO_VERSION, ServerLayout, VersionLayout
from siklus.ledgers.totals import ServerTotals, Totals, VersionTotals
from siklus.tracking.boundary import shown

MOST_BYTES = 64_000_000
OK = 200
FAMILIES = (
    "ml_predictions_total",
    "ml_prediction_latency_seconds_bucket",
    "ml_prediction_latency_seconds_sum",
    "ml_prediction_distribution_total",
    "ml_feature_bin_total",
    "ml_feedback_total",
    "ml_limited_total",
    "ml_log_written_total",
    "ml_log_dropped_total",
)
SERVER = ServerLayout()

# What tells a family's places apart, in this order; whoever scrapes may have added others.
LABELS = ("endpoint", "status", "le", "feature", "bin", "prediction_class", "result", "limit")

Place: TypeAlias = tuple[str, ...]  # the family, and the values of these labels


class Sample(msgspec.Struct, frozen=True):
    """One series of an answer. ``value``: when, and the number as text."""

    metric: dict[str, str]
    value: tuple[float, str]


@dataclass(frozen=True, kw_only=True)
class PrometheusCounts:
    """``url``: of a Prometheus, such as `http://localhost:9090`. ``job``: that scrapes the servers.

    ``seconds``: for an answer, since a look must not hang.
    """

    url: str
    job: str
    seconds: float = 10.0

    def read(self, layouts: Sequence[VersionLayout], *, now: datetime) -> Mapping[str, Totals]:
        """What each replica had counted of these versions, by its instance; MonitorError MO080."""
        names = "|".join(FAMILIES)
        query = f'{{__name__=~"{names}",job="{self.job}"}}'
        by_instance: dict[str, list[Sample]] = {}
        for sample in self._ask(query, now=now):
            by_instance.setdefault(sample.metric.get("instance", ""), []).append(sample)
        return {instance: _totals(samples, layouts, now=now) for instance, samples in by_instance.items()}

    def _ask(self, query: str, *, now: datetime) -> list[Sample]:
        where = f"{self.url.rstrip('/')}/api/v1/query"
        body = urlencode({"query": query, "time": str(now.timestamp())}).encode()
        answer = ask(where, seconds=self.seconds, body=body, most=MOST_BYTES)
        if answer.status != OK:
            raise self._unusable(answer.said())
        try:
            return msgspec.convert(json.loads(answer.body)["data"]["result"], type=list[Sample])
        except (ValueError, KeyError, TypeError) as exc:
            raise self._unusable(str(exc)) from exc

    def _unusable(self, why: str) -> MonitorError:
        told = f"Prometheus at {shown(self.url)}: {why}"
        return MonitorError("MO080", told, expected="a Prometheus that answers /api/v1/query")


def _totals(samples: Sequence[Sample], layouts: Sequence[VersionLayout], *, now: datetime) -> Totals:
    values: dict[str, dict[Place, float]] = {}
    for sample in samples:
        version = sample.metric.get("version", NO_VERSION)
        values.setdefault(version, {})[_place_of(sample.metric)] = float(sample.value[1])
    versions = [
        _version(layout, values[layout.version], used=now.timestamp())
        for layout in layouts
        if layout.version in values
    ]
    return Totals(tuple(versions), (_server(values.get(NO_VERSION, {})),))


def _place_of(metric: Mapping[str, str]) -> Place:
    return (metric["__name__"], *(metric[name] for name in LABELS if name in metric))


def _version(layout: VersionLayout, values: Mapping[Place, float], *, used: float) -> VersionTotals:
    counts = np.array([values.get(place, 0.0) for place in _places(layout)])
    wide = len(layout.buckets) + 1
    latencies = counts[layout.latencies : layout.predictions].reshape(-1, wide)
    latencies[:, 1:] -= latencies[:, :-1].copy()  # Prometheus' buckets hold all that are below them
    sums = [values.get(("ml_prediction_latency_seconds_sum", endpoint), 0.0) for endpoint in layout.endpoints]
    return VersionTotals(layout, counts.astype(np.uint64), np.array(sums), used)


def _places(layout: VersionLayout) -> Iterator[Place]:
    """Where Prometheus has each count of a version, in the ledger's order."""
    for endpoint in layout.endpoints:
        yield from (("ml_predictions_total", endpoint, outcome) for outcome in layout.outcomes)
    bounds = [*map(floatToGoString, layout.buckets), "+Inf"]
    for endpoint in layout.endpoints:
        yield from (("ml_prediction_latency_seconds_bucket", endpoint, bound) for bound in bounds)
    yield from (("ml_prediction_distribution_total", label) for label in layout.predicted)
    for feature in layout.features:
        yield from (("ml_feature_bin_total", feature.name, name) for name in feature.bins)


def _server(values: Mapping[Place, float]) -> ServerTotals:
    """What has no version; of the processes themselves nothing comes this way."""
    families = {
        "failed": "ml_predictions_total",
        "feedback": "ml_feedback_total",
        "limits": "ml_limited_total",
    }
    row = np.zeros((1, len(SERVER.places)), dtype=np.uint64)
    for (what, *labels), at in SERVER.places.items():
        place = (f"ml_log_{labels[0]}_total",) if what == "log" else (families.get(what, what), *labels)
        row[0, at] = int(values.get(place, 0.0))
    return ServerTotals(SERVER, row)
