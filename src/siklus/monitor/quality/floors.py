"""Floors: which metric is watched, and what it must keep."""

from collections.abc import Mapping
from typing import Any

import msgspec

from siklus.errors import MonitorError
from siklus.monitor.quality.report import FloorSource, QualityFloor, Verdict
from siklus.project.sections import Project
from siklus.stats.bounds import Bound, parse_bound
from siklus.stats.intervals import Estimate
from siklus.stats.scores import DEFAULT_METRIC, METRICS, Task, metric_named

MORE_ERROR = 1.25  # than in the evaluation, where nobody said what must be kept


def watched_metric(settings: Project, evidence: Mapping[str, Any], *, task: Task) -> str:
    """[monitor] metric, else [train] metric, else what the version was chosen by, else the task's own.

    ``evidence``: the version's evaluation.json. PJ010 for a name that is no metric of the task.
    """
    for where, name in (
        ("[monitor] metric", settings.monitor.metric),
        ("[train] metric", settings.train.metric),
    ):
        if name is not None:
            return metric_named(name, task=task, where=where).name
    chosen_by = str((evidence.get("search") or {}).get("metric"))
    return chosen_by if chosen_by in METRICS else DEFAULT_METRIC[task]


def measured(evidence: Mapping[str, Any]) -> dict[str, Estimate]:
    """The metrics of an evaluation.json; empty where a bundle has none."""
    evaluation = evidence.get("evaluation") or {}
    return msgspec.convert(evaluation.get("metrics", {}), type=dict[str, Estimate])


def floor_of(
    metric: str, settings: Project, evidence: Mapping[str, Any], *, task: Task
) -> QualityFloor | None:
    """What ``metric`` must keep; None where neither the project nor the evaluation.json says it.

    [monitor] floor speaks of the watched metric alone. MonitorError MO020 for one that points the wrong way,
    PJ012 for one that cannot be read.
    """
    text, gate = settings.monitor.floor, settings.gates.bounds.get(metric)
    if text is not None and metric == watched_metric(settings, evidence, task=task):
        bound = parse_bound(metric, text, task=task, where="[monitor] floor")
        if not _points_right(metric, bound):
            better, sign = ("greater", ">=") if METRICS[metric].greater_is_better else ("less", "<=")
            raise MonitorError(
                "MO020",
                f"[monitor] floor = {text!r} for {metric}, of which {better} is better",
                expected=f'a bound such as "{sign} {bound.limit:g}"',
            )
        return _floor(metric, bound, "[monitor] floor", "as [monitor] floor says")
    if gate is not None:
        bound = parse_bound(metric, gate, task=task, where="[gates]")
        if _points_right(metric, bound):
            return _floor(metric, bound, "[gates]", "the bound of [gates]")
    return _of_evaluation(metric, measured(evidence).get(metric))


def verdict_of(
    estimate: Estimate | None, floor: QualityFloor | None, *, labelled: int, fewest: int
) -> Verdict:
    """What one interval says of the floor."""
    if labelled == 0:
        return "no labels yet"
    if labelled < fewest or estimate is None or estimate.value is None:
        return "too few labels"
    if floor is None:
        return "no floor"
    bound = Bound(comparison=floor.comparison, limit=floor.limit)
    ends = [end for end in (estimate.low, estimate.high) if end is not None] or [estimate.value]
    kept = [bound.holds(end) for end in ends]
    return "keeps" if all(kept) else "unsure" if any(kept) else "beyond"


def _points_right(metric: str, bound: Bound) -> bool:
    return METRICS[metric].greater_is_better == (bound.comparison in (">=", ">"))


def _floor(metric: str, bound: Bound, source: FloorSource, why: str) -> QualityFloor:
    said = f"{metric} {bound.comparison} {bound.limit:.4g}, {why}"
    return QualityFloor(
        metric=metric, comparison=bound.comparison, limit=bound.limit, source=source, said=said
    )


def _of_evaluation(metric: str, found: Estimate | None) -> QualityFloor | None:
    """A quarter more error; of a score that greater values make better, the error is what is left to 1."""
    if found is None or found.value is None:
        return None
    if METRICS[metric].greater_is_better:
        bound = Bound(comparison=">=", limit=1 - MORE_ERROR * (1 - found.value))
    else:
        bound = Bound(comparison="<=", limit=MORE_ERROR * found.value)
    if bound.limit != found.value:
        why = f"a quarter more error than the {found.value:.4g} of its evaluation"
        return _floor(metric, bound, "evaluation", why)
    # Without a single error there, a quarter more is none: the worse end of the interval is the floor.
    worse = found.low if METRICS[metric].greater_is_better else found.high
    if worse is None:
        return None
    bound = Bound(comparison=bound.comparison, limit=worse)
    return _floor(metric, bound, "evaluation", f"the worse end of its evaluation's {found.value:.4g}")
