"""Models packaged as people have them, the records of what they answered, and the outcomes that came."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import siklus
from siklus.bundle.read import Bundle, with_version
from siklus.contract.columns import Contract
from siklus.contract.decode import decode_records
from siklus.monitor.quality.question import QualityQuestion, quality_report
from siklus.monitor.quality.report import QualityReport
from siklus.project.sections import Data, Gates, Monitor, Project, ProjectSection, Records
from siklus.records.entries import Answered
from siklus.records.ids import IdIssuer
from siklus.records.layout import Layout
from siklus.records.outcomes import Outcome, Outcomes
from siklus.records.predictions import PredictionLog

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEY = bytes(range(32))
HOUR = timedelta(hours=1)


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def packaged(folder: Path, model: Any, frame: pd.DataFrame, outcomes: Any, *, version: str = "1") -> Bundle:
    """The fitted model, judged on these rows."""
    return with_version(siklus.package(model, frame, outcomes, name="shop", directory=folder), version)


@dataclass(frozen=True)
class Batch:
    """What was answered: ids, the classes or numbers, and all that the model said (as `Predictions.raw`)."""

    ids: Sequence[str]
    predictions: Sequence[Any]
    raw: np.ndarray


@dataclass
class Traffic:
    """The records of a state, written as a server does."""

    root: Path
    issuer: IdIssuer = field(default_factory=lambda: IdIssuer(KEY))
    workers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    def answer(
        self,
        bundle: Bundle,
        frame: pd.DataFrame,
        *,
        at: datetime = NOON,
        arm: str = "champion",
        shadow: bool = False,
        contract: Contract | None = None,
    ) -> Batch:
        """All rows at one moment; ``contract`` says what is sensitive, the bundle's own by default."""
        rows = frame.to_dict("records")
        said = bundle.predict(decode_records(rows, bundle.contract).accepted())
        ids = self.issuer.issue(len(rows), now_ms=us(at) // 1000)
        raw = np.asarray(said.raw, dtype=np.float64)
        if raw.ndim == 2:
            raw /= raw.sum(axis=1, keepdims=True)  # float32 probabilities add up to 1 within 1e-7 only
        batch = Batch(ids, bundle.labels(said), raw)
        chances = said.probabilities
        with self._log(bundle, contract or bundle.contract) as log:
            log.append_many(
                Answered(
                    ids=ids,
                    time_us=us(at),
                    version=bundle.version,
                    arm=arm,
                    shadow=shadow,
                    rows=rows,
                    predictions=batch.predictions,
                    probabilities=None if chances is None else [float(chance) for chance in chances],
                    latency_ms=1.0,
                    size=100 * len(rows),
                )
            )
        return batch

    def tell(
        self,
        ids: Sequence[str],
        outcomes: Sequence[Any],
        *,
        at: datetime = NOON + HOUR,
        client: str | None = None,
        observed: datetime | None = None,
    ) -> None:
        """What came true, as `/feedback` stores it."""
        given = [
            Outcome(name, outcome, None if observed is None else us(observed))
            for name, outcome in zip(ids, np.asarray(outcomes).tolist(), strict=True)
        ]
        kept = Outcomes(self.layout.outcomes, settings=Records())
        kept.put(given, now_us=us(at), client=client)
        kept.close()

    @contextmanager
    def _log(self, bundle: Bundle, contract: Contract) -> Iterator[PredictionLog]:
        self.layout.segments.mkdir(parents=True, exist_ok=True)
        log = PredictionLog(self.layout.segments, worker=str(next(self.workers)), settings=Records(), key=KEY)
        log.describe(bundle.version, contract)
        yield log
        log.close()


def settings_of(bundle: Bundle, *, gates: Mapping[str, str] | None = None, **monitor: Any) -> Project:
    """A project's settings, [monitor] and the bounds of [gates] among them."""
    return Project(
        project=ProjectSection(name="shop", task=bundle.contract.task),
        data=Data(path="rows.csv", target=bundle.contract.target.name),
        gates=Gates(bounds=dict(gates or {})),
        monitor=Monitor(**monitor),
    )


def reported(
    traffic: Traffic, bundle: Bundle, *others: Bundle, settings: Project | None = None, **asked: Any
) -> QualityReport:
    """The report of everything until the day after, unless asked otherwise; ``others``: further versions."""
    question = QualityQuestion(**({"since": None, "until": NOON + 24 * HOUR} | asked))
    known = {each.version: each for each in (bundle, *others)}
    return quality_report(
        traffic.layout, question, settings or settings_of(bundle), champion=bundle, bundle_of=known.get
    )
