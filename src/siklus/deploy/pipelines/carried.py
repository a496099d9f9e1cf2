"""Files that a pipeline carries in the project, whoever runs it: what it installs, and how it releases."""

from siklus.deploy.cluster.naming import cluster_name
from siklus.deploy.drafts import Draft
from siklus.deploy.pipelines.stages import BUNDLE, RELEASE, REQUIREMENTS, undeployable
from siklus.deploy.pipelines.words import requirement_of
from siklus.deploy.rendering import render
from siklus.project.sections import Project


def carried_drafts(settings: Project) -> tuple[Draft, ...]:
    """Paths start from the project's folder."""
    installed = Draft(
        path=REQUIREMENTS, text=render("pipeline/requirements.txt", siklus=requirement_of(settings))
    )
    return (installed,) if undeployable(settings.deploy) else (installed, _release(settings))


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
        variable="IMAGE_TAG",
        services="api loop",
    )
    return Draft(path=RELEASE, text=text)
