"""Prediction logs of any contract, written as a server writes them, without a model behind the answers."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from siklus.contract.columns import Contract
from siklus.project.sections import Records
from siklus.records.entries import Answered
from siklus.records.layout import Layout
from siklus.records.outcomes import Outcome, Outcomes
from siklus.records.predictions import PredictionLog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = bytes(range(32))


@dataclass
class Log:
    """Rows with ids p0, p1 …, in the order in which they were answered."""

    root: Path
    contract: Contract
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    def answer(
        self,
        rows: Sequence[dict[str, Any] | list[Any]],
        outcomes: Sequence[Any],
        *,
        at: datetime = NOON,
        received: datetime | None = None,
        client: str | None = None,
        shadow: bool = False,
    ) -> list[str]:
        """Answer with what comes true: an outcome of None never comes. Received an hour later by default."""
        ids = [f"p{next(self.numbers):09d}" for _ in rows]
        self.layout.segments.mkdir(parents=True, exist_ok=True)
        log = PredictionLog(self.layout.segments, worker=ids[0], settings=Records(), key=KEY)
        log.describe("1", self.contract)
        log.append_many(
            Answered(
                ids=ids,
                time_us=microseconds(at),
                version="1",
                arm="champion",
                shadow=shadow,
                rows=list(rows),
                predictions=[outcome if outcome is not None else outcomes[0] for outcome in outcomes],
                probabilities=None,
                latency_ms=1.0,
                size=100 * len(rows),
            )
        )
        log.close()
        kept = Outcomes(self.layout.outcomes, settings=Records())
        told = [
            Outcome(name, outcome) for name, outcome in zip(ids, outcomes, strict=True) if outcome is not None
        ]
        kept.put(told, now_us=microseconds(received or at + HOUR), client=client)
        kept.close()
        return ids


def microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
