"""Counting: what the two arms of a rollout have seen on one step, in whole requests. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from siklus.automation.rollout.rollout import StepCounts
from siklus.ledgers.layouts import LATENCY_BUCKETS, SHADOW
from siklus.ledgers.totals import Totals, VersionTotals
from siklus.project.loop import SHADOW as SHADOW_STEP
from siklus.project.loop import Step
from siklus.registry.sticky import parse_sticky

SINGLE = frozenset({"/predict"})  # requests of one row: a policy that sticks to a column deals only these
# Where no client can name the version that has to answer, so that whoever answers was dealt the request.
DEALT = frozenset({"/predict", "/predict/batch", "/invocations"})


@dataclass(frozen=True)
class _Arm:
    """``answered``: of them, at endpoints of `DEALT`. ``latencies``: of all that were answered."""

    failures: int
    refused: int
    answered: int
    latencies: tuple[int, ...]


def step_counts(
    totals: Totals,
    *,
    step: Step,
    versions: tuple[int, int],
    sticky: str | None = None,
    other_contract: bool = False,
) -> StepCounts:
    """``totals``: what servers counted during the step; ``versions``: challenger and champion.

    ``sticky``: the traffic policy's. By a column it deals only requests of one row: no others count then.
    ``other_contract``: the two do not ask the same of a row. Then a request that an arm refuses counts as
    failed too; otherwise it is the client's fault, and either arm would have refused it.

    A shadow's requests are what it scored at once: the row of a request, or up to 16 of a batch. What it
    refuses counts as failed in any case, since it is only asked what the champion has accepted.
    """
    by_row = sticky is not None and parse_sticky(sticky).where == "column"
    endpoints = None if not by_row else SINGLE
    challenger, champion = (str(version) for version in versions)
    theirs = _arm(totals, champion, endpoints)
    ours = _arm(totals, challenger, frozenset({SHADOW}) if step == SHADOW_STEP else endpoints)
    failures = _failures(ours, theirs, refused=other_contract and step != SHADOW_STEP)
    return StepCounts(
        step=step,
        requests=(sum(ours.latencies) + failures[0], sum(theirs.latencies) + failures[1]),
        failures=failures,
        dealt=(ours.answered, theirs.answered),
        latencies=(ours.latencies, theirs.latencies),
    )


def _failures(ours: _Arm, theirs: _Arm, *, refused: bool) -> tuple[int, int]:
    if not refused:
        return ours.failures, theirs.failures
    return ours.failures + ours.refused, theirs.failures + theirs.refused


def _arm(totals: Totals, version: str, endpoints: Collection[str] | None) -> _Arm:
    """At these endpoints; None: at all but the shadows'."""
    failures = refused = answered = 0
    latencies = np.zeros(len(LATENCY_BUCKETS) + 1, dtype=np.int64)
    # A release that counts otherwise makes another layout of the same version.
    for counted in totals.versions:
        layout = counted.layout
        if layout.version != version or layout.buckets != LATENCY_BUCKETS:
            continue
        for endpoint in layout.endpoints:
            if endpoint not in endpoints if endpoints is not None else endpoint == SHADOW:
                continue
            took = _latencies(counted, endpoint)
            latencies += took
            answered += int(took.sum()) if endpoint in DEALT else 0
            failures += _outcome(counted, endpoint, "error")
            refused += _outcome(counted, endpoint, "refused")
    return _Arm(failures, refused, answered, tuple(latencies.tolist()))


def _latencies(counted: VersionTotals, endpoint: str) -> np.ndarray:
    """Requests by bucket. They count requests, where "success" counts rows."""
    layout = counted.layout
    wide = len(layout.buckets) + 1
    at = layout.latencies + layout.endpoints.index(endpoint) * wide
    return counted.counts[at : at + wide].astype(np.int64)


def _outcome(counted: VersionTotals, endpoint: str, outcome: str) -> int:
    layout = counted.layout
    row = layout.endpoints.index(endpoint) * len(layout.outcomes)
    return int(counted.counts[row + layout.outcomes.index(outcome)])
