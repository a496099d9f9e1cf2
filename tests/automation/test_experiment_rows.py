"""An experiment's result is read off the records: what each arm has answered itself, while it lasted."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from siklus.automation.rollout.experiment import OUTCOME, ExperimentResult
from siklus.automation.rollout.experiment_rows import read_result
from siklus.contract.columns import Contract, Label, Number, Target
from siklus.project.sections import Records
from siklus.records.entries import Answered
from siklus.records.layout import Layout
from siklus.records.outcomes import Outcome, Outcomes
from siklus.records.predictions import PredictionLog
from tests.automation.logs import KEY, microseconds
from tests.automation.rollouts import PLAN, after, rollout

EXPERIMENT = rollout(msgspec.structs.replace(PLAN, steps=(0.5,)), kind="experiment")
END = after(hours=2)
ROWS = 300
IDS = itertools.count()


@dataclass
class Arms:
    """What versions 8 (challenger) and 7 (champion) have answered, and what came true."""

    layout: Layout
    classes: tuple[Label, ...] | None = None

    def answer(
        self,
        version: int,
        arm: str,
        said: Sequence[Any],
        truth: Sequence[Any],
        *,
        at: datetime,
        chances: Sequence[float] | None = None,
    ) -> None:
        ids = [f"p{next(IDS):09d}" for _ in said]
        self.layout.segments.mkdir(parents=True, exist_ok=True)
        log = PredictionLog(self.layout.segments, worker=ids[0], settings=Records(), key=KEY)
        target = Target(name="y", classes=self.classes)
        log.describe(str(version), Contract(columns=(Number(name="a"),), target=target))
        log.append_many(
            Answered(
                ids=ids,
                time_us=microseconds(at),
                version=str(version),
                arm=arm,
                shadow=False,
                rows=[{"a": 1.0} for _ in ids],
                predictions=np.asarray(said).tolist(),
                probabilities=chances,
                latency_ms=1.0,
                size=100 * len(ids),
            )
        )
        log.close()
        kept = Outcomes(self.layout.outcomes, settings=Records())
        kept.put(
            [Outcome(name, true) for name, true in zip(ids, truth, strict=True)], now_us=microseconds(at)
        )
        kept.close()

    def result(self, metric: str, *, until: datetime = END) -> ExperimentResult:
        return read_result(self.layout, EXPERIMENT, metric=metric, classes=self.classes, until=until)


@pytest.fixture
def arms(tmp_path: Path) -> Arms:
    return Arms(Layout(tmp_path / "records"))


def test_each_arm_is_judged_by_its_own_answers_while_it_lasted(arms: Arms) -> None:
    truth = np.arange(float(ROWS))
    errors = np.tile([0.5, 1.5], ROWS // 2)
    hour = after(hours=1)
    arms.answer(8, "challenger", truth + errors, truth, at=hour)
    arms.answer(7, "champion", truth + errors + 2, truth, at=hour)
    # Before it, at its settling, after it, by name, and another version's: none of these says anything.
    arms.answer(7, "champion", truth + 90, truth, at=after(hours=-1))
    arms.answer(7, "champion", truth + 90, truth, at=after(seconds=1))
    arms.answer(7, "champion", truth + 90, truth, at=after(hours=3))
    arms.answer(8, "direct", truth + 90, truth, at=hour)
    arms.answer(9, "challenger", truth + 90, truth, at=hour)
    found = arms.result("mae")
    assert (found.measured, found.rows, found.means) == ("mae", (ROWS, ROWS), (1.0, 3.0))
    assert (found.estimate, found.verdict) == (-2.0, "better")
    assert arms.result("mae", until=after(minutes=30)).rows == (0, 0)


def test_outcomes_themselves_can_be_compared(arms: Arms) -> None:
    hour = after(hours=1)
    arms.answer(8, "challenger", [0.0] * ROWS, np.tile([10.0, 14.0], ROWS // 2), at=hour)
    arms.answer(7, "champion", [0.0] * ROWS, np.tile([9.0, 11.0], ROWS // 2), at=hour)
    found = arms.result(OUTCOME)
    assert (found.measured, found.means, found.estimate, found.verdict) == (
        OUTCOME,
        (12.0, 10.0),
        2.0,
        "better",
    )


def test_two_classes_have_their_probabilities(arms: Arms) -> None:
    arms.classes = ("no", "yes")
    hour, truth = after(hours=1), ["yes"] * ROWS
    arms.answer(8, "challenger", truth, truth, at=hour, chances=[0.9] * ROWS)
    arms.answer(7, "champion", truth, truth, at=hour, chances=[0.6] * ROWS)
    found = arms.result("log_loss")
    assert found.measured == "log_loss"
    assert found.means == pytest.approx((-np.log(0.9), -np.log(0.6)), rel=1e-6)
    sales = arms.result(OUTCOME)
    assert (sales.measured, sales.means) == (OUTCOME, (1.0, 1.0))


def test_of_more_classes_only_the_predicted_one_is_known(arms: Arms) -> None:
    arms.classes = ("a", "b", "c")
    hour = after(hours=1)
    arms.answer(8, "challenger", ["a", "b", "c"] * 100, ["a"] * ROWS, at=hour, chances=[0.5] * ROWS)
    arms.answer(7, "champion", ["a", "a", "c"] * 100, ["a"] * ROWS, at=hour, chances=[0.5] * ROWS)
    found = arms.result("log_loss")
    assert found.measured == "accuracy"
    assert found.means == pytest.approx((2 / 3, 1 / 3))
    with pytest.raises(ValueError, match="more than two classes"):
        arms.result(OUTCOME)
