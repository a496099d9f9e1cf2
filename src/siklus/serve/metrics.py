"""Metrics: what Prometheus scrapes. Label values come from contract and routes, never from a request."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import prometheus_client
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from siklus.bundle.read import Bundle
from siklus.contract.columns import Category
from siklus.errors import SiklusError
from siklus.serve.refusals import status_of
from siklus.serve.scoring import Scored, label_text
from siklus.stats.profile import NumericProfile

ENDPOINTS = ("/predict", "/predict/batch")
OUTCOMES = ("success", "refused", "error")  # answered; the request was wrong (4xx); the server was (5xx)
NO_VERSION = "none"  # while no model is loaded

# Seconds. A row takes about 0.2 ms all in all, a large batch takes seconds.
LATENCY_BUCKETS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Watch:
    """The counters of one version. ``bins`` follow the classes, or the bins between ``cuts``."""

    bins: list[Counter]
    cuts: NDArray[np.float32] | None
    unseen: dict[str, Counter]

    def count(self, scored: Scored) -> None:
        """Count what was predicted, and the cells that held a word which the vocabulary does not have."""
        places = (
            scored.predictions.class_indices
            if self.cuts is None
            else np.searchsorted(self.cuts, scored.predictions.values.astype(np.float32), side="left")
        )
        counts = np.bincount(places, minlength=len(self.bins))
        for place in np.flatnonzero(counts).tolist():
            self.bins[place].inc(int(counts[place]))
        for feature, times in scored.unseen.items():
            self.unseen[feature].inc(times)


class Metrics:
    """The counters of one server, in a registry of their own: two servers in one process stay apart."""

    def __init__(self) -> None:
        # A `_created` beside every counter would double the series, and nothing reads it.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._predictions = Counter(
            "ml_predictions_total",
            "Predictions asked for: an answered batch counts its rows, a refused request counts one.",
            ["endpoint", "status", "version"],
            registry=self._registry,
        )
        self._latency = Histogram(
            "ml_prediction_latency_seconds",
            "From the body's arrival to the answer, of answered requests.",
            ["endpoint", "version"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._model = Gauge(
            "ml_model_info",
            "1 for the model that answers.",
            ["name", "version", "task"],
            registry=self._registry,
        )
        self._unseen = Counter(
            "ml_unseen_category_total",
            "Cells that held a word which the contract's vocabulary does not have.",
            ["feature", "version"],
            registry=self._registry,
        )
        self._distribution: Counter | None = None  # its label's name is the task's, so it waits for a model
        self._watches: dict[str, Watch] = {}
        ProcessCollector(registry=self._registry)

    def watch(self, bundle: Bundle) -> None:
        """Make all series of this version, at 0, before it answers anything: a rate then misses nothing."""
        version, manifest = bundle.version, bundle.manifest
        self._model.labels(manifest.name, version, manifest.task).set(1)
        for endpoint in ENDPOINTS:
            self._latency.labels(endpoint, version)
            for outcome in OUTCOMES:
                self._predictions.labels(endpoint, outcome, version)
        classes = bundle.contract.target.classes
        cuts = None if classes is not None else prediction_cuts(bundle)
        names = bin_names(cuts) if cuts is not None else [label_text(label) for label in classes or ()]
        distribution = self._distribution_by("prediction_class" if cuts is None else "bin")
        self._watches[version] = Watch(
            bins=[distribution.labels(name, version) for name in names],
            cuts=cuts,
            unseen={
                column.name: self._unseen.labels(column.name, version)
                for column in bundle.contract.columns
                if isinstance(column, Category)
            },
        )

    @contextmanager
    def watched(self, endpoint: str, bundle: Bundle | None) -> Iterator[None]:
        """Count a request that is not answered: as refused or, if the server is to blame, as an error."""
        version = NO_VERSION if bundle is None else bundle.version
        outcome = "error"  # of whatever nobody foresaw
        try:
            yield
            outcome = "success"
        except SiklusError as error:
            outcome = "refused" if status_of(error) < 500 else "error"
            raise
        finally:
            if outcome != "success":
                self._predictions.labels(endpoint, outcome, version).inc()

    def answered(self, endpoint: str, scored: Scored, *, seconds: Sequence[float]) -> None:
        """Count answered rows; ``seconds``: what each of their requests took."""
        version = scored.bundle.version
        self._predictions.labels(endpoint, "success", version).inc(len(scored))
        for took in seconds:
            self._latency.labels(endpoint, version).observe(took)
        self._watches[version].count(scored)

    def page(self, *, accept: str) -> tuple[bytes, str]:
        """What a scraper that accepts this is sent, and the content type of it."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def _distribution_by(self, label: str) -> Counter:
        if self._distribution is None:
            self._distribution = Counter(
                "ml_prediction_distribution",
                "Rows by what was predicted for them.",
                [label, "version"],
                registry=self._registry,
            )
        return self._distribution


def prediction_cuts(bundle: Bundle) -> NDArray[np.float32]:
    """Where the reference profile cuts the predicted numbers, ascending; empty where it has no cuts."""
    profile = bundle.profile().prediction
    return np.array(profile.cuts if isinstance(profile, NumericProfile) else (), dtype=np.float32)


def bin_names(cuts: NDArray[np.float32]) -> list[str]:
    """One name a bin, `(low, high]`; float32's own shortest digits, so that no two names are the same.

    >>> bin_names(np.array([1.5, 3], dtype=np.float32))
    ['(-inf, 1.5]', '(1.5, 3.0]', '(3.0, inf]']
    """
    edges = ["-inf", *(str(cut) for cut in cuts), "inf"]
    return [f"({low}, {high}]" for low, high in pairwise(edges)]
