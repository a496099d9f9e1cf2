"""The stages of a pipeline, defined once: GitHub, GitLab and `siklus ci` run these commands in this order."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from siklus.errors import DeployError
from siklus.project.sections import Project
from siklus.project.shipping import Deploy

FOLDER = "deploy/pipeline"  # of the project: what the pipeline itself is made of
REQUIREMENTS = f"{FOLDER}/requirements.txt"
RELEASE = f"{FOLDER}/release.sh"
DOCKERFILE = "deploy/docker/Dockerfile"
LOOP_DOCKERFILE = "deploy/docker/loop.Dockerfile"
STAMPED = (DOCKERFILE, "deploy/docker/.siklus-deploy.json")  # say which version the bundle is
BUNDLE = "deploy/docker/bundle"
PAPERS = f"{FOLDER}/papers"
SEVERE = ("--severity", "HIGH,CRITICAL", "--ignore-unfixed", "--exit-code", "1")  # of trivy

RELEASE_STAGES = ("push", "deploy", "smoke")

Words: TypeAlias = tuple[str, ...]
Where: TypeAlias = Literal["here", "remote"]


class Made(Struct, frozen=True):
    """A file of the project that a stage takes, and the command that writes it."""

    path: str
    by: str


class Stage(Struct, frozen=True, kw_only=True):
    """One step of a pipeline.

    ``commands``: argument lists, run one after the other until one fails. ``tools``: programs that must be on
    the path. ``only_with``: a path of the project, without which there is nothing to do; ``without`` is what
    is said then. ``takes``: files that must be there. ``needed``: to go without it would be a false yes.
    ``where``: a remote stage changes what others use. ``artifacts``: paths that later stages want.
    """

    name: str
    about: str
    commands: tuple[Words, ...]
    tools: tuple[str, ...] = ()
    only_with: str | None = None
    without: str = ""
    takes: tuple[Made, ...] = ()
    needed: bool = False
    where: Where = "here"
    artifacts: tuple[str, ...] = ()


class Shipping(Struct, frozen=True, kw_only=True):
    """What a pipeline's commands must know. ``tag``: of the images, a word as it stands in the commands;
    ``engine``: docker, or podman, which takes the same words; ``offer``: a new version is tried by the loop's
    rollout instead of answering at once."""

    name: str
    deploy: Deploy
    tag: str
    engine: str = "docker"
    scanner: str = "trivy"
    offer: bool = False

    @property
    def image(self) -> str:
        """The server's image with its tag."""
        return f"{self.deploy.image or self.name}:{self.tag}"

    @property
    def loop_image(self) -> str:
        return f"{self.deploy.image or self.name}-loop:{self.tag}"


def shipping_of(settings: Project, *, tag: str, engine: str = "docker", offer: bool = False) -> Shipping:
    return Shipping(name=settings.project.name, deploy=settings.deploy, tag=tag, engine=engine, offer=offer)


def unpushable(deploy: Deploy) -> tuple[str, ...]:
    """The keys of [deploy] without which no image can go to a registry."""
    return () if deploy.image is not None and "/" in deploy.image else ("image",)


def undeployable(deploy: Deploy) -> tuple[str, ...]:
    """The keys of [deploy] without which nothing can be deployed; `image` among them."""
    wanted = {"host": deploy.host, "folder": deploy.folder}
    if deploy.to == "kubernetes":
        wanted = {"namespace": deploy.namespace}
    lacking = [key for key, value in {**wanted, "url": deploy.url}.items() if value is None]
    return (*unpushable(deploy), *lacking)


def stages_of(shipping: Shipping) -> tuple[Stage, ...]:
    """All of them, in order; `push`, `deploy` and `smoke` only where [deploy] says all that they need."""
    return (*_checks(), *_model(), *_images(shipping), *_release(shipping))


def chosen(
    stages: Sequence[Stage], *, names: Sequence[str], first: str | None, until: str | None
) -> tuple[Stage, ...]:
    """Those of ``names``, or from ``first`` to ``until``; DeployError DP042 for a stage that there is not."""
    there = [stage.name for stage in stages]
    for name in (*names, *filter(None, (first, until))):
        if name not in there:
            raise DeployError("DP042", f"no stage {name!r}", expected=", ".join(there))
    if names:
        return tuple(stage for stage in stages if stage.name in names)
    begin = there.index(first) if first else 0
    end = there.index(until) + 1 if until else len(there)
    if begin >= end:
        raise DeployError("DP042", f"{until!r} stands before {first!r}", expected=", ".join(there))
    return tuple(stages[begin:end])


DOCKERFILES = (Made(DOCKERFILE, "siklus deploy docker"), Made(LOOP_DOCKERFILE, "siklus deploy docker"))


def _checks() -> tuple[Stage, ...]:
    return (
        Stage(
            name="lint",
            about="the project's own code reads well",
            commands=(("ruff", "check", "."),),
            tools=("ruff",),
        ),
        Stage(
            name="test",
            about="its own tests pass; how much of the code they reach is told",
            commands=(
                ("coverage", "run", "--source=.", "-m", "pytest", "tests"),
                ("coverage", "report"),
            ),
            tools=("coverage", "pytest"),
            only_with="tests",
            without="nothing to test: there is no folder tests",
            needed=True,
        ),
        Stage(
            name="data",
            about="every row keeps the contract",
            commands=(("siklus", "contract", "check"),),
        ),
    )


def _model() -> tuple[Stage, ...]:
    return (
        Stage(
            name="train",
            about="search, fit, measure on held-out rows, export with proof",
            commands=(("siklus", "train", "--until", "export"),),
        ),
        Stage(
            name="gates",
            about="all of [gates] hold, or nothing is registered and the pipeline ends",
            commands=(("siklus", "train"),),
        ),
        Stage(
            name="bundle",
            about="the sealed bundle of this run's version, for the image and for production",
            commands=(("siklus", "deploy", "docker", "--version", "trained", "--bundle-only"),),
            artifacts=(BUNDLE, DOCKERFILE),
        ),
        Stage(
            name="papers",
            about="the bundle is as it was sealed; its card, and the list of all parts it was made with",
            commands=(
                ("siklus", "verify", BUNDLE),
                ("siklus", "card", "--bundle", BUNDLE, "--out", f"{PAPERS}/card.md"),
                ("siklus", "sbom", "--bundle", BUNDLE, "--out", f"{PAPERS}/sbom.cdx.json"),
            ),
            artifacts=(PAPERS,),
        ),
    )


def _images(shipping: Shipping) -> tuple[Stage, ...]:
    build = (shipping.engine, "build", "--file")
    return (
        Stage(
            name="image",
            about="the server's image with the sealed bundle in it, and the loop's",
            commands=(
                (*build, DOCKERFILE, "--tag", shipping.image, "."),
                (*build, LOOP_DOCKERFILE, "--tag", shipping.loop_image, "."),
            ),
            tools=(shipping.engine,),
            takes=DOCKERFILES,
        ),
        Stage(
            name="scan",
            about="no grave hole in the images that a newer package has closed",
            commands=tuple(_scan(shipping.scanner, image) for image in (shipping.image, shipping.loop_image)),
            tools=(shipping.scanner,),
            takes=DOCKERFILES,
        ),
    )


def _scan(scanner: str, image: str) -> Words:
    if scanner == "grype":
        return ("grype", image, "--fail-on", "high", "--only-fixed")
    return ("trivy", "image", *SEVERE, image)


def _release(shipping: Shipping) -> tuple[Stage, ...]:
    deploy, found = shipping.deploy, []
    then = "the loop tries the new version there" if shipping.offer else "the new version answers there"
    if not unpushable(deploy):
        found.append(
            Stage(
                name="push",
                about="the images go to the registry",
                commands=tuple(
                    (shipping.engine, "push", image) for image in (shipping.image, shipping.loop_image)
                ),
                tools=(shipping.engine,),
                where="remote",
                needed=True,
            )
        )
    if not undeployable(deploy):
        found += [
            Stage(
                name="deploy",
                about=f"the images run in production, and {then}",
                commands=(("sh", RELEASE, "offer" if shipping.offer else "deploy", shipping.tag),),
                tools=("ssh",) if deploy.to == "compose" else ("kubectl",),
                takes=(Made(RELEASE, "siklus deploy github"),),
                where="remote",
                needed=True,
            ),
            Stage(
                name="smoke",
                about="the service is ready"
                + ("" if shipping.offer else ", and the golden rows come out as sealed"),
                commands=(_smoke(shipping),),
                where="remote",
            ),
        ]
    return tuple(found)


def _smoke(shipping: Shipping) -> Words:
    asked = ("--health",) if shipping.offer else ("--bundle", BUNDLE)
    return ("siklus", "smoke", shipping.deploy.url or "", *asked, "--timeout", "120")


def roll_back(shipping: Shipping) -> Words:
    """What takes back a deployment that failed, or whose smoke did."""
    return ("sh", RELEASE, "rollback", shipping.tag)
