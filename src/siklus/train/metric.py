"""The metric that candidates are compared by; asked by programs, too, that do not train."""

from siklus.project.sections import Project
from siklus.stats.scores import DEFAULT_METRIC


def metric_of(project: Project) -> str:
    """[train] metric, or the task's own."""
    return project.train.metric or DEFAULT_METRIC[project.project.task]
