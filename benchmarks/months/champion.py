"""Champions: models whose reference is known row by row, so that other tools can judge by the same rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np

from siklus.bundle.read import open_bundle
from siklus.contract.columns import Contract
from siklus.contract.decode import Rows, decode_table
from siklus.monitor.quality.floors import floor_of, measured
from siklus.monitor.quality.report import QualityFloor
from siklus.project.file import OpenProject
from siklus.project.sections import Project
from siklus.stats.intervals import Estimate, estimate
from siklus.stats.losses import Floats
from siklus.stats.profile import Profile
from siklus.table import FloatRows, Table
from siklus.train.candidates import CANDIDATES, Question
from siklus.train.run import Training
from siklus.train.sealing import reference_profile
from siklus.train.setting import setting_of
from siklus.train.steps import Span
from siklus.train.trials import fit, predict

METRIC = "mae"
TREES = "hist-gradient-boosting"

Answer: TypeAlias = Callable[[FloatRows], Floats]


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A model and what it is held against.

    ``matrix``: the rows that it was fitted on, and ``reference`` their profile, with that of its answers to
    the ``held`` rows, which it had not seen. ``evaluated``: its mean absolute error there.
    """

    contract: Contract
    reference: Profile
    matrix: FloatRows
    held: Table
    answer: Answer
    evaluated: Estimate
    floor: QualityFloor


def trained(project: OpenProject) -> Champion:
    """The demo's version, by the project's own training."""
    setting = setting_of(project, now=datetime.now(UTC), trigger="benchmarks.months", listen=lambda *_: None)
    training = Training(setting, span=Span())
    release = training.run(told=lambda *_: None)
    assert release is not None
    assert release.bundle is not None
    bundle = open_bundle(Path(release.bundle))
    results, evidence = training.results, bundle.document("evaluation.json")
    floor = floor_of(METRIC, project.settings, evidence, task="regression")
    assert floor is not None
    parts = results.parts
    return Champion(
        contract=bundle.contract,
        reference=bundle.profile(),
        matrix=results.matrix[np.concatenate([parts.train, parts.valid])],
        held=results.table.take(parts.test),
        answer=lambda matrix: np.asarray(bundle.predict(Rows(matrix, {}, {})).raw, dtype=np.float64),
        evaluated=measured(evidence)[METRIC],
        floor=floor,
    )


def fitted(table: Table, held: Table, contract: Contract, settings: Project) -> Champion:
    """A model of the same kind with its first parameters, fitted on ``table`` and judged on ``held``."""
    question = Question(contract=contract, metric=METRIC, seed=0)
    matrix = decode_table(table, contract).accepted().matrix
    model = fit(question, TREES, CANDIDATES[TREES].first, matrix, _target(table, contract), Path())
    answers = predict(model, decode_table(held, contract).rows.matrix, question)
    found = estimate(METRIC, _target(held, contract), answers, seed=0)
    evidence = {
        "evaluation": {"metrics": {METRIC: {"value": found.value, "low": found.low, "high": found.high}}}
    }
    floor = floor_of(METRIC, settings, evidence, task="regression")
    assert floor is not None
    return Champion(
        contract=contract,
        reference=reference_profile(contract, matrix, answers),
        matrix=matrix,
        held=held,
        answer=lambda rows: predict(model, rows, question),
        evaluated=found,
        floor=floor,
    )


def _target(table: Table, contract: Contract) -> Floats:
    return table[contract.target.name].astype(np.float64)
