"""`siklus deploy github|gitlab`"""

from collections.abc import Iterator
from typing import Annotated

import typer

from siklus.cli.deploy.drafted import ForceFlag, put
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app
from siklus.deploy.pipelines.github import github_drafts
from siklus.deploy.pipelines.gitlab import gitlab_drafts
from siklus.deploy.pipelines.stages import DOCKERFILE, undeployable, unpushable
from siklus.deploy.pipelines.words import USUAL_SCHEDULE, calling_of
from siklus.project.file import OpenProject

app = command_app()

BranchOption = Annotated[str, typer.Option("--branch", metavar="NAME", help="The one that is deployed.")]


@app.command()
def github(
    branch: BranchOption = "main",
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="CRON",
            help=f"When to train anew, in UTC; the schedule of [retrain] on, or {USUAL_SCHEDULE}.",
            show_default=False,
        ),
    ] = None,
    force: ForceFlag = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Workflows: check, train, gates, image, scan, push, deploy, smoke; and one that trains anew.

    They are written to .github/workflows of the project's folder, which is the repository's.
    """
    found = opened(project)
    drafts = github_drafts(found, calling_of(found.settings, branch=branch, schedule=schedule))
    remarks = [*_remarks(found), *_outside(found)]
    return put(drafts, found.paths.root, force=force, remarks=remarks, as_json=as_json)


@app.command()
def gitlab(force: ForceFlag = False, project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """The same pipeline as .gitlab-ci.yml; its default branch is the one that is deployed."""
    found = opened(project)
    remarks = [*_remarks(found), *_outside(found)]
    return put(gitlab_drafts(found), found.paths.root, force=force, remarks=remarks, as_json=as_json)


def _remarks(project: OpenProject) -> Iterator[str]:
    deploy = project.settings.deploy
    if unpushable(deploy):
        yield "No image is pushed: [deploy] image names no registry, such as ghcr.io/acme/flights."
    lacking = undeployable(deploy)
    if lacking:
        yield f"No job deploys: [deploy] lacks {', '.join(lacking)} (to = {deploy.to!r})."
    if not (project.paths.root / DOCKERFILE).exists():
        yield f"The pipeline builds {DOCKERFILE}: `siklus deploy docker` writes it; commit both."


def _outside(project: OpenProject) -> Iterator[str]:
    """Who holds the repository reads its files at the top alone."""
    root = project.paths.root.resolve()
    if not (root / ".git").exists():
        yield f"{root} is not the top of a git repository: pipelines are read there, and start from there."
