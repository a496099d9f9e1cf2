"""An experiment's rows: what each arm has answered since it began, as far as the outcomes are known."""

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from siklus.automation.rollout.experiment import OUTCOME, ArmRows, ExperimentResult, experiment_result
from siklus.automation.rollout.rollout import Rollout
from siklus.contract.columns import Label
from siklus.monitor.quality.judging import EACH, Judged, with_two_probabilities
from siklus.project.durations import seconds_or_zero
from siklus.records.joined import Stretch, Words, read_joined
from siklus.records.layout import Layout
from siklus.registry.policy import CHALLENGER, CHAMPION
from siklus.stats.allocation import AllocationEvidence
from siklus.stats.paired import loss_of

INSTEAD = "accuracy"  # of a loss of probabilities that no record has: over more than two classes


def read_result(
    layout: Layout,
    experiment: Rollout,
    *,
    metric: str,
    classes: tuple[Label, ...] | None,
    until: datetime,
    allocation: AllocationEvidence | None = None,
) -> ExperimentResult:
    """Compare what the two arms have answered ``until`` then. ``metric``: one of the task's, or
    `outcome`.

    RecordsError RC003, RC006; ValueError: the outcome of more than two classes, which has no mean.
    """
    if metric == OUTCOME and classes is not None and len(classes) > 2:
        raise ValueError("the outcome of more than two classes has no mean")
    settled = timedelta(seconds=seconds_or_zero(experiment.plan.settle))
    rows = read_joined(layout, Stretch(since=experiment.began + settled, until=until), classes=classes)
    judged = Judged(rows=rows, probabilities=with_two_probabilities(rows))
    asked = metric if metric == OUTCOME or judged.knows(loss_of(metric)) else INSTEAD
    return experiment_result(
        asked,
        challenger=_arm(judged, asked, name=CHALLENGER, version=experiment.challenger.version),
        champion=_arm(judged, asked, name=CHAMPION, version=experiment.champion.version),
        allocation=allocation,
    )


def _arm(judged: Judged, metric: str, *, name: str, version: int) -> ArmRows:
    """The labelled rows of an arm. Who asked for the version by its number was not dealt to it."""
    measure = INSTEAD if metric == OUTCOME and judged.rows.classes is not None else metric
    loss = "mae" if metric == OUTCOME and judged.rows.classes is None else loss_of(measure)
    dealt = _is(judged.rows.arm, name) & _is(judged.rows.version, str(version))
    places: EACH = judged.judged(loss)
    places = places[dealt[places]]
    return ArmRows(outcomes=judged.truth(places), predictions=judged.predictions(loss, places))


def _is(words: Words, word: str) -> NDArray[np.bool_]:
    """Where the word stands."""
    code = words.names.index(word) if word in words.names else -1
    return np.asarray(words.codes == code)
