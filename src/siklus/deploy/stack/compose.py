"""Compose: the whole stack of one machine, as files that a person would have written."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from siklus.deploy.drafts import Draft
from siklus.deploy.images.context import folder_in_context
from siklus.deploy.images.docker import data_file, image_of, trusted_keys, way_of_rows
from siklus.deploy.images.words import PROJECT, stack_words
from siklus.deploy.quoting import checked_duration, yaml_text
from siklus.deploy.rendering import render
from siklus.deploy.stack.images import BOTO3, IMAGES, MLFLOW, PSYCOPG
from siklus.deploy.stack.mounts import mount
from siklus.deploy.stack.receivers import handed, receiver_remarks
from siklus.deploy.stack.secrets import FOLDER, OWN
from siklus.deploy.watching.alertmanager import GROUP_INTERVAL, GROUP_WAIT, Sending, alertmanager_files
from siklus.deploy.watching.grafana import Viewing, grafana_drafts
from siklus.deploy.watching.prometheus import SCRAPE, rule_files
from siklus.errors import DeployError
from siklus.monitor.alerts.rules import Rule
from siklus.project.file import OpenProject
from siklus.project.sections import Project

DOCKER = "docker"  # the folder beside ours, with the images' files
STOP_SECONDS = 10  # that a container is given beyond the requests' own grace
LEAST_SLOTS = 20  # replicas that the proxy has room for
MOUNTED_SECRETS = Path("/run/secrets")  # where Compose puts them


class Stack(Struct, frozen=True, kw_only=True):
    """``directory``: where the files go, below the project. The rest is for Prometheus and Alertmanager, as
    with their own commands."""

    directory: Path
    every: str = SCRAPE
    group_wait: str = GROUP_WAIT
    group_interval: str = GROUP_INTERVAL


class StackFiles(Struct, frozen=True, kw_only=True):
    """``drafts``: files to commit. ``environment``: the text of .env, which people change, so it is written
    once. ``remarks``: what is still to do, a sentence each."""

    drafts: tuple[Draft, ...]
    environment: str
    remarks: tuple[str, ...]


def compose_files(project: OpenProject, rules: Sequence[Rule], stack: Stack) -> StackFiles:
    """DeployError DP012 for a folder outside the project, DP020 for a server that speaks no plain HTTP, DP021
    and DP022 for paths and variables that Compose could not hand on."""
    settings = _inside(project.settings)
    _refuse_unshippable(settings)
    name, image = settings.project.name, image_of(project)
    sending = Sending(
        project=Path(PROJECT),
        secrets=MOUNTED_SECRETS,
        group_wait=stack.group_wait,
        group_interval=stack.group_interval,
    )
    telling = alertmanager_files(settings, rules, sending)
    every = checked_duration(stack.every, what="the scrape interval")
    slots = max(LEAST_SLOTS, 2 * settings.deploy.replicas)
    drivers = {"mlflow": MLFLOW, "psycopg": PSYCOPG, "boto3": BOTO3}
    files = {
        "compose.yaml": _compose(project, settings, stack),
        "haproxy.cfg": render("compose/haproxy.cfg", name=name, slots=slots),
        "mlflow.Dockerfile": render("compose/mlflow.Dockerfile", base=settings.deploy.base, **drivers),
        "postgres.sql": render("compose/postgres.sql"),
        "prometheus/prometheus.yml": render("compose/prometheus.yml", job=name, scrape=every),
        **{f"prometheus/rules/{name}-{kind}.yml": text for kind, text in rule_files(settings, rules).items()},
        ".gitignore": f"# Passwords, which `siklus deploy compose` makes.\n/{FOLDER}/\n",
    }
    viewing = Viewing(prometheus="http://prometheus:9090", dashboards="/etc/grafana/dashboards")
    drafts = [Draft(path=path, text=text) for path, text in files.items()]
    drafts += _below("alertmanager", telling.drafts) + _below("grafana", grafana_drafts(viewing))
    return StackFiles(
        drafts=tuple(drafts),
        environment=render("compose/env", name=name, image=image),
        remarks=tuple(_remarks(project, stack.directory, telling.remarks)),
    )


def _compose(project: OpenProject, settings: Project, stack: Stack) -> str:
    folder_in_context(stack.directory, project.paths.root)  # or no build could reach the project from there
    root = os.path.relpath(project.paths.root.resolve(), stack.directory.resolve())
    given = handed(settings.notify, root=root)
    data = data_file(project)
    rows = [] if data is None else [mount(data, root=root, what="[data] path")]
    keys = trusted_keys(project)
    trusting = [mount(key, root=root, what="[serve] trusted_keys") for key in keys]
    own = {"key": settings.sign.key, "password_file": settings.sign.password_file}
    signing = [mount(file, root=root, what=f"[sign] {key}") for key, file in own.items() if file is not None]
    return render(
        "compose/compose.yaml",
        name=settings.project.name,
        image=image_of(project),
        images=IMAGES,
        context=root,
        docker=folder_in_context(stack.directory.parent / DOCKER, project.paths.root),
        words=[_text(word) for word in stack_words(settings, trusted=[Path(key).name for key in keys])],
        grace=round(settings.serve.grace_seconds) + STOP_SECONDS,
        workers=settings.serve.workers,
        replicas=settings.deploy.replicas,
        variables=given.variables,
        mounts=[_text(each) for each in (*rows, *trusting, *signing, *given.files)],
        notify_secrets=given.secrets,
        notify_mounts=[_text(each) for each in given.files],
        secrets=[*OWN, *given.secrets],
    )


def _text(word: str) -> str:
    """A word of compose.yaml, in which `$NAME` is filled in and `$$` is a dollar."""
    return yaml_text(word.replace("$", "$$"))


def _inside(settings: Project) -> Project:
    """As the project is within the stack, where Alertmanager sends."""
    return msgspec.structs.replace(
        settings, monitor=msgspec.structs.replace(settings.monitor, evaluator="prometheus")
    )


def _refuse_unshippable(settings: Project) -> None:
    for key in ("uds", "tls_certificate"):
        found = getattr(settings.serve, key)
        if found is not None:
            raise DeployError(
                "DP020",
                f"[serve] {key} = {found!r}, but the proxy speaks plain HTTP to the replicas",
                expected=f"no {key}; TLS is the proxy's, as haproxy.cfg says",
            )


def _below(folder: str, drafts: Sequence[Draft]) -> list[Draft]:
    return [Draft(path=f"{folder}/{draft.path}", text=draft.text) for draft in drafts]


def _remarks(project: OpenProject, directory: Path, telling: Sequence[str]) -> Iterator[str]:
    settings = project.settings
    if not (directory.parent / DOCKER / "Dockerfile").exists():
        yield "`siklus deploy docker` writes the Dockerfiles that this stack is built of."
    if data_file(project) is None:
        yield f"The loop's image holds no rows: {way_of_rows(project)}."
    given = handed(settings.notify, root=".")
    yield from receiver_remarks(settings.notify, directory, given.secrets)
    # Where the secrets lie is said above as a person sees it.
    yield from (line for line in telling if str(MOUNTED_SECRETS) not in line)
