"""Readings: signals of requests out of counts, as Prometheus would compute them of the same counts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from siklus.ledgers.layouts import SHADOW, VersionLayout
from siklus.ledgers.totals import Totals, VersionTotals
from siklus.monitor.signals import Signal
from siklus.stats.profile import CategoryProfile, Profile

QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Predictions that clients asked for, by what became of them; what versions only watched is not asked."""

    success: int
    refused: int
    error: int

    @property
    def total(self) -> int:
        return self.success + self.refused + self.error


def asked(totals: Totals) -> Asked:
    """Of all these versions, and of what failed before one was picked."""
    found = {"success": 0, "refused": 0, "error": 0}
    for each in totals.versions:
        places = iter(each.counts.tolist())
        for endpoint in each.layout.endpoints:
            for outcome in each.layout.outcomes:
                found[outcome] += next(places) * (endpoint != SHADOW)
    for server in totals.servers:
        for place in server.layout.places:
            if place[0] == "failed" and place[1] != SHADOW:
                found[place[2]] += server.total(*place)
    return Asked(**found)


def traffic_signals(recent: Totals, *, seconds: float) -> Iterator[Signal]:
    """Rates and latencies of these last ``seconds``; shares and quantiles only where something was asked."""
    found = asked(recent)
    if seconds > 0:
        yield Signal(name="predictions_per_second", value=found.success / seconds)
    yield Signal(name="log_dropped", value=float(_server_count(recent, "log", "dropped")))
    if found.total:
        yield Signal(name="error_rate", value=found.error / found.total)
        yield Signal(name="refused_rate", value=found.refused / found.total)
    buckets = latency_buckets(recent.versions)
    if buckets is not None:
        bounds, counts = buckets
        for name, share in QUANTILES.items():
            yield Signal(name=name, value=bucket_quantile(bounds, counts, share))


def latency_buckets(versions: Sequence[VersionTotals]) -> tuple[Sequence[float], NDArray[np.int64]] | None:
    """Upper bounds in seconds, and answered requests a bucket, one more than bounds; None without any."""
    total: dict[tuple[float, ...], NDArray[np.int64]] = {}
    for each in versions:
        layout = each.layout
        for endpoint, counts in _latencies(layout, each.counts):
            if endpoint != SHADOW:
                total[layout.buckets] = total.get(layout.buckets, np.zeros(len(counts), np.int64)) + counts
    # Of buckets that a later release cuts otherwise, those that saw most.
    bounds = max(total, key=lambda bounds: total[bounds].sum(), default=None)
    return None if bounds is None or not total[bounds].sum() else (bounds, total[bounds])


def bucket_quantile(bounds: Sequence[float], counts: NDArray[np.int64], share: float) -> float:
    """The ``share`` quantile by linear interpolation in its bucket, as Prometheus' histogram_quantile.

    ``counts`` has one more than ``bounds``, at least one above 0; beyond the last bound it is that bound.

    >>> bucket_quantile([1.0, 2.0], np.array([0, 10, 0]), 0.5)
    1.5
    """
    upto = list(accumulate(counts.tolist()))
    rank = share * upto[-1]
    place = next(i for i, n in enumerate(upto) if n >= rank)
    if place == len(bounds):
        return float(bounds[-1])
    low, before = (bounds[place - 1], upto[place - 1]) if place else (0.0, 0)
    return float(low + (bounds[place] - low) * (rank - before) / counts[place])


def unseen_shares(window: Profile) -> Iterator[Signal]:
    """Of each column of words the share of cells that training did not know."""
    for name, column in window.columns.items():
        if isinstance(column, CategoryProfile) and column.counts.rows:
            share = column.counts.unseen / column.counts.rows
            yield Signal(name="unseen_share", value=share, label=name)


def _latencies(layout: VersionLayout, counts: NDArray[np.uint64]) -> Iterable[tuple[str, NDArray[np.int64]]]:
    wide = len(layout.buckets) + 1
    for i, endpoint in enumerate(layout.endpoints):
        first = layout.latencies + i * wide
        yield endpoint, counts[first : first + wide].astype(np.int64)


def _server_count(totals: Totals, what: str, label: str) -> int:
    return sum(server.total(what, label) for server in totals.servers)
