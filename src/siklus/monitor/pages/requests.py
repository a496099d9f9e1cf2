"""Requests of a window: how many there were, what became of them, how fast; whole and stretch by stretch."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from siklus.ledgers.totals import Totals
from siklus.monitor.looks import Looks
from siklus.monitor.readings import asked, bucket_quantile, latency_buckets
from siklus.records.reading import PredictionRecord

STRETCHES = 24


class RequestsPart(Struct, frozen=True, kw_only=True):
    """Of predictions asked for from ``since`` until before ``until``; latencies in seconds, None without any.

    ``refused`` and ``failed`` are None where only what was answered is known.
    """

    since: datetime
    until: datetime
    answered: int
    refused: int | None = None
    failed: int | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Requests(Struct, frozen=True, kw_only=True):
    """``source``: what the servers counted of all versions, or what the log has of one."""

    source: Literal["counters", "log"]
    whole: RequestsPart
    stretches: tuple[RequestsPart, ...]


def counted_requests(looks: Looks, *, since: datetime, until: datetime) -> Requests:
    """Of all servers; latencies from their histograms, as Prometheus reads them."""
    ends = _ends(since, until)
    parts = tuple(
        _of_totals(totals, start, end)
        for totals, (start, end) in zip(looks.steps(ends), pairwise(ends), strict=True)
    )
    return Requests(
        source="counters", whole=_of_totals(looks.between(since, until), since, until), stretches=parts
    )


def logged_requests(
    records: Iterable[PredictionRecord], *, since: datetime, until: datetime, version: str
) -> Requests:
    """Of the version's answers; what it only watched was not asked of it."""
    own = [(each.time_us, each.latency_ms) for each in records if each.version == version and not each.shadow]
    found = np.array(own, dtype=np.float64).reshape(-1, 2)
    ends = _ends(since, until)
    place = np.searchsorted([end.timestamp() * 1e6 for end in ends[1:-1]], found[:, 0], side="right")
    parts = tuple(
        _of_latencies(found[place == i, 1], start, end) for i, (start, end) in enumerate(pairwise(ends))
    )
    return Requests(source="log", whole=_of_latencies(found[:, 1], since, until), stretches=parts)


def _ends(since: datetime, until: datetime) -> Sequence[datetime]:
    return [since + (until - since) * place / STRETCHES for place in range(STRETCHES + 1)]


def _of_totals(totals: Totals, since: datetime, until: datetime) -> RequestsPart:
    found = asked(totals)
    buckets = latency_buckets(totals.versions)
    told = (
        [None, None, None] if buckets is None else [bucket_quantile(*buckets, q) for q in (0.5, 0.95, 0.99)]
    )
    return RequestsPart(
        since=since,
        until=until,
        answered=found.success,
        refused=found.refused,
        failed=found.error,
        p50=told[0],
        p95=told[1],
        p99=told[2],
    )


def _of_latencies(milliseconds: NDArray[np.float64], since: datetime, until: datetime) -> RequestsPart:
    if not len(milliseconds):
        return RequestsPart(since=since, until=until, answered=0)
    p50, p95, p99 = (np.quantile(milliseconds, (0.5, 0.95, 0.99)) / 1000).tolist()
    return RequestsPart(since=since, until=until, answered=len(milliseconds), p50=p50, p95=p95, p99=p99)
