"""Bounds on a metric, as people write them: `<= 12`."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from siklus.errors import ProjectError
from siklus.stats.scores import Task, metric_named

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
BOUND = re.compile(r"\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True, kw_only=True)
class Bound:
    """`<= 12`: a comparison and a limit."""

    comparison: str
    limit: float

    def holds(self, value: float) -> bool:
        return COMPARISONS[self.comparison](value, self.limit)

    def worst(self, values: Sequence[float]) -> float:
        """The value that is nearest to breaking the bound, or farthest beyond it."""
        return max(values) if self.comparison in ("<=", "<") else min(values)


def parse_bound(name: str, text: str, *, task: Task, where: str) -> Bound:
    """The bound of metric ``name``; ``where`` is what says it: `[gates]` …

    ProjectError: PJ010 for a metric that the task does not have, PJ012 for what is no bound.
    """
    metric_named(name, task=task, where=where)
    found = BOUND.fullmatch(text)
    if found is None:
        raise ProjectError(
            "PJ012",
            f"{where} {name} = {text!r}",
            expected='one of <=, >=, < and > with a number, such as "<= 12"',
        )
    return Bound(comparison=found[1], limit=float(found[2]))
