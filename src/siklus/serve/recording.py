"""Recording: what was answered goes to the prediction log, a record a row."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

from siklus.records.entries import Answered
from siklus.records.predictions import PredictionLog
from siklus.serve.scoring import Given, Scored


@dataclass(frozen=True, kw_only=True)
class Received:
    """What the rows came in: ``rows`` as they were read, and the size of the body in bytes.

    Or, of requests that were answered together, each one's whole body: then ``rows`` is None.
    """

    rows: Given | None = None
    bodies: Sequence[bytes] = ()
    size: int = 0


def record(
    log: PredictionLog, scored: Scored, received: Received, *, seconds: Sequence[float], shadow: bool = False
) -> None:
    """``seconds``: what each request took. On the event loop; waits for nothing."""
    now_us = time.time_ns() // 1000
    version, arm, probabilities = scored.bundle.version, scored.arm, scored.probabilities
    if received.rows is not None:
        answered = Answered(
            ids=scored.ids,
            time_us=now_us,
            version=version,
            arm=arm,
            shadow=shadow,
            rows=received.rows,
            predictions=scored.labels,
            probabilities=probabilities,
            latency_ms=round(seconds[0] * 1000, 3),
            size=received.size,
        )
        log.append_many(answered)
        return
    chances = probabilities or repeat(None)
    rows = zip(scored.ids, received.bodies, scored.labels, chances, seconds, strict=False)
    log.extend(
        [
            (name, now_us, version, arm, shadow, body, label, chance, round(taken * 1000, 3))
            for name, body, label, chance, taken in rows
        ]
    )
