"""Signs: all that one look says of whether to train anew, as values."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from siklus.monitor.alerts.states import AlertState
from siklus.monitor.drift.report import DriftReport
from siklus.monitor.look import Seen
from siklus.monitor.quality.floors import measured
from siklus.monitor.quality.report import Expected
from siklus.monitor.quality.watch import QualitySeen
from siklus.monitor.signals import Signal
from siklus.project.durations import MONTH_SECONDS, seconds_of
from siklus.project.sections import Monitor
from siklus.stats.scores import METRICS
from siklus.stats.sequential import DriftEvidence

BEYOND_CHANCE = 2.0  # standard deviations over the shuffles, by which an importance is more than nothing


class Signs(Struct, frozen=True, kw_only=True):
    """Of the champion ``version``, at one moment.

    ``firing``: the alert rules that fire, with the value that each saw. ``worth``: by column, which share of
    the model's loss it gets worse by when the column's cells are shuffled (0 where that may be chance); None
    where the bundle does not say. ``strict``: the p-value below which a jump of missing or unseen cells is
    none of a month's false alarms.
    """

    version: str | None = None
    signals: tuple[Signal, ...] = ()
    firing: dict[str, float] = {}
    drift: DriftReport | None = None
    evidence: DriftEvidence | None = None
    quality: QualitySeen | None = None
    expected: Expected | None = None
    worth: dict[str, float] | None = None
    strict: float = 0.0

    def value(self, signal: str) -> float | None:
        """Of a signal that has one value; None where it cannot be said."""
        return next((each.value for each in self.signals if each.name == signal), None)

    def count(self, signal: str) -> int:
        """The same of rows, of which there are none where nobody knows of any."""
        return int(self.value(signal) or 0)


def signs_of(
    seen: Seen,
    *,
    firing: Iterable[AlertState],
    evaluation: Mapping[str, Any],
    settings: Monitor,
    expected: Expected | None = None,
) -> Signs:
    """``firing``: the states of all alerts; ``evaluation``: the champion's evaluation.json."""
    columns = 1 if seen.drift is None else max(1, len(seen.drift.columns))
    looks = MONTH_SECONDS / seconds_of(settings.look)
    return Signs(
        version=seen.version,
        signals=seen.signals,
        firing={state.rule.name: state.value for state in firing if state.state == "firing"},
        drift=seen.drift,
        evidence=seen.evidence,
        quality=seen.quality,
        expected=expected,
        worth=worth_of(evaluation),
        strict=settings.false_alarm_rate / (looks * columns),
    )


def worth_of(evaluation: Mapping[str, Any]) -> dict[str, float] | None:
    """By column: permutation importance as a share of the loss; None where the evaluation.json has none.

    The loss is the metric that the version was chosen by, or what is left of it to 1 where greater is better.
    """
    importance = (evaluation.get("evaluation") or {}).get("importance")
    metric = (evaluation.get("search") or {}).get("metric")
    found = measured(evaluation).get(str(metric))
    if not importance or found is None or found.value is None:
        return None
    loss = 1 - found.value if METRICS[str(metric)].greater_is_better else found.value
    return {
        name: _share(told["mean"], of=loss) if told["mean"] > BEYOND_CHANCE * told["std"] else 0.0
        for name, told in importance.items()
    }


def _share(lost: float, *, of: float) -> float:
    """Of a model without loss any is all."""
    return lost / of if of > 0 else 1.0
