"""Beside: two bundles timed on the same rows, one row at a time, in turn."""

import time
from collections.abc import Sequence

import numpy as np

from siklus.automation.replay.asked import Features
from siklus.automation.replay.replayed import Cost, Latency
from siklus.bundle.read import Bundle
from siklus.contract.decode import decode_records

TIMED_ROWS = 400  # enough that a model which is slow on 5 % of them is seen
RUNS = 3  # of each row; the quickest counts: the others met a cold cache, or the garbage collector
LONGEST_SECONDS = 10.0  # for all rows together; one row is timed in any case


def latency_beside(candidate: Bundle, champion: Bundle, rows: Sequence[Features]) -> Latency | None:
    """What a row costs either; both answer each of ``rows``. None without a row.

    A request of one row is what most clients wait for: rows together would hide what each costs alone.
    """
    took: tuple[list[float], list[float]] = ([], [])
    give_up = time.monotonic() + LONGEST_SECONDS
    for features in rows[:TIMED_ROWS]:
        runs = [(_timed(candidate, features), _timed(champion, features)) for _ in range(RUNS)]
        for each, best in zip(took, map(min, zip(*runs, strict=True)), strict=True):
            each.append(best)
        if time.monotonic() > give_up:
            break
    if not took[0]:
        return None
    return Latency(rows=len(took[0]), candidate=_cost(took[0]), champion=_cost(took[1]))


def _timed(bundle: Bundle, features: Features) -> float:
    """Processor time: beside a busy server the clock would tell of that one. A graph waits for nothing."""
    began = time.process_time()
    bundle.predict(decode_records([features], bundle.contract).rows)
    return time.process_time() - began


def _cost(took: Sequence[float]) -> Cost:
    median, p99 = np.quantile(took, [0.5, 0.99]).tolist()
    return Cost(median=median, p99=p99)
