"""Files that a pipeline carries in the project, whoever runs it: what it installs, and how it releases."""

from siklus.deploy.cluster.naming import cluster_name
from siklus.deploy.drafts import Draft
from siklus.deploy.pipelines.stages import BUNDLE, FOLDER, RELEASE, REQUIREMENTS, undeployable
from siklus.deploy.pipelines.words import requirement_of
from siklus.deploy.rendering import render
from siklus.project.file import OpenProject
from siklus.project.sections import Project


def carried_drafts(project: OpenProject) -> tuple[Draft, ...]:
    """Paths start from the project's folder. DeployError DP010, DP011 where Siklus cannot be installed."""
    settings = project.settings
    installed = render("pipeline/requirements.txt", siklus=requirement_of(project))
    drafts = (
        Draft(path=REQUIREMENTS, text=installed),
        Draft(path=f"{FOLDER}/.gitignore", text="# Made by each run of the pipeline.\n/papers/\n"),
    )
    return drafts if undeployable(settings.deploy) else (*drafts, _release(settings))


def _release(settings: Project) -> Draft:
    deploy = settings.deploy
    text = render(
        f"pipeline/release-{deploy.to}.sh",
        host=deploy.host,
        folder=deploy.folder,
        namespace=deploy.namespace,
        image=deploy.image,
        bundle=BUNDLE,
        n=cluster_name(settings.project.name),
        variable="TAG",
        services="api loop",
    )
    return Draft(path=RELEASE, text=text)
