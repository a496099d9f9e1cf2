"""GitHub's workflows: one that checks, trains and deploys, and one that calls for it when it is time."""

import textwrap
from collections.abc import Sequence

from siklus.deploy.drafts import Draft
from siklus.deploy.pipelines.actions import ACTIONS
from siklus.deploy.pipelines.carried import carried_drafts
from siklus.deploy.pipelines.shell import line, script
from siklus.deploy.pipelines.stages import (
    REQUIREMENTS,
    Stage,
    roll_back,
    shipping_of,
    stages_of,
    undeployable,
    unpushable,
)
from siklus.deploy.pipelines.words import Calling, events_of, python_of
from siklus.deploy.quoting import yaml_text
from siklus.deploy.rendering import render
from siklus.project.file import OpenProject
from siklus.project.sections import Project

WORKFLOWS = ".github/workflows"
NO_PULL_REQUEST = "github.event_name != 'pull_request'"
GATES_KEPT = ' | tee "$RUNNER_TEMP/gates.txt"'  # for the run's page


def github_drafts(project: OpenProject, calling: Calling) -> tuple[Draft, ...]:
    """Paths start from the repository's top, which is the project's folder.

    DeployError DP010, DP011 where Siklus cannot be installed on another machine.
    """
    settings = project.settings
    return (
        Draft(path=f"{WORKFLOWS}/siklus.yml", text=_pipeline(settings, calling)),
        Draft(path=f"{WORKFLOWS}/siklus-retrain.yml", text=_retraining(settings, calling)),
        *carried_drafts(project),
    )


def _pipeline(settings: Project, calling: Calling) -> str:
    shipping = shipping_of(settings, tag="$TAG")
    stages = {stage.name: stage for stage in stages_of(shipping)}
    deploy = settings.deploy
    return render(
        "github/siklus.yml",
        gh=expression,
        actions=ACTIONS,
        name=settings.project.name,
        branch=calling.branch,
        python=_python(python_of(settings)),
        checks=_steps(stages, ("lint", "test", "data")),
        model=[
            step_of(stages["train"]),
            step_of(stages["gates"], more=GATES_KEPT),
            *_steps(stages, ("bundle", "papers")),
        ],
        artifacts=(*stages["bundle"].artifacts, *stages["papers"].artifacts),
        images=_steps(stages, ("image",)),
        scan_name=yaml_text(f"scan: {stages['scan'].about}"),
        scanned=[
            image.replace("$TAG", expression("env.TAG")) for image in (shipping.image, shipping.loop_image)
        ],
        pushes=not unpushable(deploy),
        push="" if unpushable(deploy) else step_of(stages["push"], condition=NO_PULL_REQUEST),
        registry=(deploy.image or "").partition("/")[0],
        ghcr=(deploy.image or "").startswith("ghcr.io/"),
        deploys=not undeployable(deploy),
        lacking=", ".join(undeployable(deploy)),
        url=deploy.url,
        access=render("github/access.yml", to=deploy.to, gh=expression).rstrip(),
        release=() if undeployable(deploy) else _release(settings),
        rollback=line(roll_back(shipping)),
    )


def _retraining(settings: Project, calling: Calling) -> str:
    return render(
        "github/siklus-retrain.yml",
        gh=expression,
        name=settings.project.name,
        schedule=calling.schedule,
        branch=calling.branch,
        event_types=", ".join(events_of(settings)),
    )


def expression(text: str) -> str:
    """GitHub's, never inside of `run:`, where it would become part of the script."""
    return "${{ " + text + " }}"


def step_of(stage: Stage, *, condition: str = "", name: str = "", more: str = "") -> str:
    """A stage as a step. ``condition``: of `if:`; ``name``: its id; ``more``: behind its last command."""
    head = [f"- name: {yaml_text(f'{name or stage.name}: {stage.about}')}"]
    head += [f"  id: {name}"] if name else []
    head += [f"  if: {condition}"] if condition else []
    text = script(stage) + more
    run = [f"  run: {text}"] if "\n" not in text else ["  run: |", textwrap.indent(text, "    ")]
    return textwrap.indent("\n".join([*head, *run]), " " * 6)


def _steps(stages: dict[str, Stage], names: Sequence[str]) -> list[str]:
    return [step_of(stages[name]) for name in names]


def _release(settings: Project) -> list[str]:
    """Deploying and offering are one stage with two ways; which of them is an input of the run."""
    at_once = {each.name: each for each in stages_of(shipping_of(settings, tag="$TAG"))}
    offered = {each.name: each for each in stages_of(shipping_of(settings, tag="$TAG", offer=True))}
    return [
        step_of(at_once["deploy"], condition=expression("!inputs.offer"), name="deploy"),
        step_of(offered["deploy"], condition="inputs.offer", name="offer"),
        step_of(at_once["smoke"], condition=expression("!inputs.offer")),
        step_of(offered["smoke"], condition="inputs.offer", name="ready"),
    ]


def _python(version: str) -> str:
    text = render("github/python.yml", actions=ACTIONS, version=version, requirements=REQUIREMENTS)
    return text.rstrip()
