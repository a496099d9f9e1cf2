"""An MLflow project: entry points of `mlflow run`, and the environment that it makes for them."""

import re
from collections.abc import Sequence

from siklus.deploy.drafts import Draft
from siklus.deploy.images.locks import CANDIDATES, loop_lock
from siklus.deploy.pipelines.words import python_of, requirement_of
from siklus.deploy.rendering import render
from siklus.project.file import OpenProject
from siklus.project.sections import Project

CONSTRAINTS = "deploy/mlproject/constraints.txt"
PINNED = re.compile(r"^[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", re.MULTILINE)


def mlproject_drafts(project: OpenProject) -> Sequence[Draft]:
    """`MLproject`, which MLflow finds at the top of the project alone, with what it names. DeployError DP010
    and DP011 as `installing`."""
    settings = project.settings
    python_env = render(
        "mlproject/python_env.yaml",
        python=python_of(settings),
        siklus=_with_extras(requirement_of(project), settings),
        constraints=CONSTRAINTS,
    )
    return (
        Draft(path="MLproject", text=render("mlproject/MLproject", name=settings.project.name)),
        Draft(path="python_env.yaml", text=python_env),
        Draft(path=CONSTRAINTS, text=_constraints(settings)),
    )


def _with_extras(requirement: str, project: Project) -> str:
    """`siklus[lightgbm]==1.2.0`; what the candidates need beside Siklus itself."""
    extras = [name for name in project.train.candidates if name in CANDIDATES]
    if not extras:
        return requirement
    found, mark, version = requirement.partition("==")
    return f"{found}[{','.join(sorted(extras))}]{mark}{version}"


def _constraints(project: Project) -> str:
    """The lock without its hashes: with them pip would want one of a wheel that nobody has published."""
    lines = PINNED.findall(loop_lock(project.train.candidates))
    head = "# What `mlflow run .` installs for this project, at the versions that Siklus was tested with."
    return "\n".join([head, *lines, ""])
