"""GitLab's pipeline: the same stages as jobs, and a schedule or a trigger that offers what it trains."""

import textwrap
from collections.abc import Mapping

from msgspec import Struct

from siklus.deploy.drafts import Draft
from siklus.deploy.pipelines.carried import carried_drafts
from siklus.deploy.pipelines.shell import line, script
from siklus.deploy.pipelines.stages import (
    REQUIREMENTS,
    SEVERE,
    Stage,
    roll_back,
    shipping_of,
    stages_of,
    undeployable,
    unpushable,
)
from siklus.deploy.rendering import render
from siklus.project.file import OpenProject
from siklus.project.sections import Project

FILE = ".gitlab-ci.yml"
CALLED = '$CI_PIPELINE_SOURCE == "schedule" || $CI_PIPELINE_SOURCE == "trigger"'
ON_MAIN = "if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
# The images of slim Python have neither; both are Debian's.
SSH = (
    "apt-get update -qq && apt-get install -qq --no-install-recommends openssh-client",
    # A key whose last line does not end is none to ssh, and GitLab keeps what was typed.
    'install -d -m 700 ~/.ssh && (umask 077; { cat "$SSH_KEY"; echo; } > ~/.ssh/id_ed25519)',
    'install -m 600 "$SSH_KNOWN_HOSTS" ~/.ssh/known_hosts',
)
SCAN = " ".join(("trivy image --cache-dir .cache/trivy", *SEVERE))
KUBECTL = ("apt-get update -qq && apt-get install -qq --no-install-recommends kubernetes-client",)


class Job(Struct, frozen=True, kw_only=True):
    """A stage as the template has it. ``script``: items of a list of YAML."""

    name: str
    about: str
    script: str


class Archive(Struct, frozen=True, kw_only=True):
    """An image as a file; ``image`` as a shell reads it."""

    path: str
    image: str


class Release(Struct, frozen=True, kw_only=True):
    """A way to production. ``rules``: of which pipelines; ``release`` and ``smoke``: one command each."""

    name: str
    about: str
    rules: tuple[str, ...]
    release: str
    smoke: str


def gitlab_drafts(project: OpenProject) -> tuple[Draft, ...]:
    """Paths start from the repository's top, which is the project's folder.

    DeployError DP010, DP011 where Siklus cannot be installed on another machine.
    """
    return (Draft(path=FILE, text=_pipeline(project.settings)), *carried_drafts(project))


def _pipeline(settings: Project) -> str:
    deploy = settings.deploy
    shipping = shipping_of(settings, tag="$TAG")
    stages = {stage.name: stage for stage in stages_of(shipping)}
    jobs = {name: _job(stage) for name, stage in stages.items()}
    registry = (deploy.image or "").partition("/")[0]
    return render(
        "gitlab/pipeline.yml",
        name=settings.project.name,
        base=deploy.base,
        requirements=REQUIREMENTS,
        checks=[jobs["lint"], jobs["test"], jobs["data"]],
        model=[jobs["train"], jobs["gates"], jobs["bundle"], jobs["papers"]],
        artifacts=(*stages["bundle"].artifacts, *stages["papers"].artifacts),
        image=jobs["image"],
        archives=[
            Archive(path="api.tar.gz", image=line((shipping.image,))),
            Archive(path="loop.tar.gz", image=line((shipping.loop_image,))),
        ],
        scan=SCAN,
        pushes=not unpushable(deploy),
        push=jobs.get("push"),
        registry=registry,
        own_registry=registry == "registry.gitlab.com",
        deploys=not undeployable(deploy),
        to=deploy.to,
        lacking=", ".join(undeployable(deploy)),
        url=deploy.url,
        access=SSH if deploy.to == "compose" else KUBECTL,
        rollback=line(roll_back(shipping)),
        releases=() if undeployable(deploy) else _releases(settings),
    )


def _job(stage: Stage) -> Job:
    return Job(name=stage.name, about=stage.about, script=_items(stage))


def _items(stage: Stage) -> str:
    """Each command an item, so that GitLab stops at the first that fails; what belongs together is one."""
    if stage.only_with is None:
        return "\n".join(f"    - {command}" for command in script(stage).split("\n"))
    return "    - |\n" + textwrap.indent(script(stage), " " * 6)


def _releases(settings: Project) -> tuple[Release, ...]:
    return (
        _release(settings, "deploy", rules=(f"if: {CALLED}\n      when: never", ON_MAIN), offer=False),
        _release(settings, "offer", rules=(f"if: {CALLED}",), offer=True),
    )


def _release(settings: Project, name: str, *, rules: tuple[str, ...], offer: bool) -> Release:
    stages: Mapping[str, Stage] = {
        stage.name: stage for stage in stages_of(shipping_of(settings, tag="$TAG", offer=offer))
    }
    return Release(
        name=name,
        about=stages["deploy"].about,
        rules=rules,
        release=script(stages["deploy"]),
        smoke=script(stages["smoke"]),
    )
