"""MLflow's tracking store: whether it answers, and whether it is of a version that ours can speak to."""

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from msgspec import Struct

from siklus.asking import Answered, ask
from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble, unknown
from siklus.monitor.amounts import length_of_time
from siklus.project.file import OpenProject
from siklus.tracking.boundary import shown
from siklus.tracking.store import from_root, sqlite_file, sqlite_uri

ABOUT = "tracking"
CLIENT = "mlflow-skinny"
MIGRATIONS = "mlflow/store/db_migrations/versions/"
REVISION = re.compile(r"^(revision|down_revision)\s*(?::[^=]*)?=\s*['\"]([0-9a-f]+)['\"]", re.MULTILINE)


class Server(Struct, frozen=True, kw_only=True):
    """``version``: what it says of itself, "" where it says none. ``client``: ours."""

    uri: str
    health: Answered
    version: str
    client: str


class Store(Struct, frozen=True, kw_only=True):
    """A database of MLflow's. ``revision``: of its tables; ``known``: that of our MLflow, "" if unknown."""

    where: str
    revision: str
    known: str


def judge_server(server: Server) -> Finding:
    """
    >>> old = Server(uri="http://m", health=Answered(status=200), version="2.9.1", client="3.17.2")
    >>> judge_server(old).state
    'note'
    """
    health = server.health
    reach = f"`curl -sS {server.uri}/health`; `mlflow server` there, or another [state] tracking_uri"
    if health.status == 0:
        return trouble(ABOUT, f"nobody answers at {server.uri}: {health.problem}", mend=reach)
    if health.status in (401, 403):
        cure = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or …_TOKEN) in the environment"
        return note(ABOUT, f"{server.uri} answers {health.status}: it asks who one is", mend=cure)
    if health.status != 200:
        return trouble(ABOUT, f"{server.uri}/health answers {health.status}", mend=reach)
    which = f"MLflow {server.version}" if server.version else "MLflow of an unknown version"
    told = f"{which} at {server.uri}, {length_of_time(health.seconds)}"
    if server.version and server.version.partition(".")[0] != server.client.partition(".")[0]:
        cure = f"`pip install 'mlflow=={server.client}'` where it runs"
        return note(ABOUT, f"{told}; ours is {server.client}", mend=cure)
    return ok(ABOUT, told)


def judge_store(store: Store) -> Finding:
    """MLflow refuses a database of another revision, of an older one until it was migrated."""
    if not store.revision:
        return trouble(
            ABOUT,
            f"{store.where} has none of MLflow's tables",
            mend="the database's right name in tracking_uri",
        )
    if store.known and store.revision != store.known:
        told = (
            f"{store.where} has MLflow's tables of revision {store.revision}, and ours writes {store.known}"
        )
        cure = "a backup, then `mlflow db upgrade URL`; or the MLflow that wrote it"
        return trouble(ABOUT, told, mend=cure)
    return ok(ABOUT, f"{store.where}, tables of revision {store.revision}")


def check_tracking(case: Case, project: OpenProject) -> Sequence[Finding]:
    given = project.settings.state.tracking_uri
    uri = sqlite_uri(project.paths.tracking_database.absolute()) if given is None else given
    uri = from_root(uri, project.paths.root)
    file = sqlite_file(uri)
    if file is not None:
        return [_file(file)]
    if uri.startswith("http"):
        place = uri.rstrip("/")
        health = ask(f"{place}/health", seconds=case.seconds)
        said = ask(f"{place}/version", seconds=case.seconds) if health.status == 200 else Answered(status=0)
        text = said.body.decode(errors="replace").strip() if said.status == 200 else ""
        found = text if re.fullmatch(r"[0-9][0-9A-Za-z.+-]{0,30}", text) else ""
        return [judge_server(Server(uri=shown(place), health=health, version=found, client=_client()))]
    if uri.startswith("postgres"):
        return [_by_url(uri)]
    return [unknown(ABOUT, f"{shown(uri)} is not looked at", mend="`siklus models` asks it")]


def _file(file: Path) -> Finding:
    if not file.exists():
        return note(ABOUT, f"{file} is not there yet: nothing was trained so far", mend="`siklus train`")
    try:
        with sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=2.0) as database:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as exc:
        cure = (
            "a backup in its place"
            if os.access(file, os.R_OK)
            else f"`chown $(id -u) {file}`, or start as its owner"
        )
        return trouble(ABOUT, f"{file}: {exc}", mend=cure)
    return judge_store(Store(where=str(file), revision=row[0] if row else "", known=_head()))


def _by_url(uri: str) -> Finding:
    try:
        engine = sa.create_engine(
            sa.make_url(uri).set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 4}
        )
        with engine.connect() as connection:
            found = ""
            if sa.inspect(connection).has_table("alembic_version"):
                found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or ""
        engine.dispose()
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as exc:
        told = " ".join(str(getattr(exc, "orig", None) or exc).split())[:300]
        return trouble(ABOUT, f"{shown(uri)}: {told}", mend="a database that answers at [state] tracking_uri")
    return judge_store(Store(where=shown(uri), revision=found, known=_head()))


def _client() -> str:
    try:
        return version(CLIENT)
    except PackageNotFoundError:
        return ""


def _head() -> str:
    """The revision of the tables that our MLflow writes, by its migrations: importing it takes seconds."""
    after, before = set(), set()
    for text in _migrations():
        found = dict(REVISION.findall(text))
        after.add(found.get("revision", ""))
        before.add(found.get("down_revision", ""))
    heads = after - before - {""}
    return heads.pop() if len(heads) == 1 else ""


def _migrations() -> Iterator[str]:
    try:
        listed = files(CLIENT) or []
    except PackageNotFoundError:
        return
    for file in listed:
        if str(file).startswith(MIGRATIONS) and file.suffix == ".py":
            yield file.read_text(encoding="utf-8")
