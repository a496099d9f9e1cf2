"""The control database: whether it answers, how fast, takes decisions, and has tables of this release."""

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from msgspec import Struct

from siklus.automation.lease import LEASES
from siklus.automation.retraining.tables import ASKS, JOBS, PACES
from siklus.automation.rollout.freezes import FREEZES
from siklus.automation.rollout.table import ROLLOUTS
from siklus.automation.stages import MOVED
from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.doctor.mounts import mount_of
from siklus.errors import SiklusError
from siklus.monitor.alerts.outbox import WAITING
from siklus.monitor.alerts.silences import SILENCES
from siklus.monitor.alerts.store import STATES
from siklus.monitor.amounts import length_of_time
from siklus.monitor.looks import LAYOUTS, LOOKS
from siklus.monitor.watches import FOUND
from siklus.project.file import OpenProject
from siklus.registry.control import Control, control_file, control_uri, open_control
from siklus.registry.journal import ENTRIES
from siklus.registry.traffic import REVISIONS
from siklus.tracking.boundary import shown

ABOUT = "database"
FOREIGN = "RG013"  # a URL that is none of ours
# All that a control database of this release has; `siklus up` makes each when it is first needed.
TABLES: Mapping[str, sa.Table] = {
    each.name: each
    for each in (
        *(ENTRIES, REVISIONS, LEASES, JOBS, ASKS, PACES, ROLLOUTS, FREEZES, MOVED),
        *(LOOKS, LAYOUTS, FOUND, STATES, SILENCES, WAITING),
    )
}
SLOW_SECONDS = 0.2  # of one question: the loop asks dozens at each turn
PATIENCE_SECONDS = 2.0  # for a lock of SQLite: writers need milliseconds


class Database(Struct, frozen=True, kw_only=True):
    """``missing``: columns that this release writes and that a table there has not. ``refused``: why
    nothing can be written; "" where it can."""

    where: str
    seconds: float
    tables: int
    missing: tuple[str, ...] = ()
    refused: str = ""
    shared_disk: str = ""


def judge_database(found: Database) -> list[Finding]:
    findings = []
    if found.refused:
        told = f"{found.where} answers, and takes nothing: {found.refused}"
        cure = "a role that may write, a database that is no standby, a file of this user's"
        findings.append(trouble(ABOUT, told, mend=cure))
    if found.missing:
        told = f"{found.where} is of another release: it has no {', '.join(found.missing)}"
        findings.append(
            trouble(ABOUT, told, mend="the release of Siklus that wrote it, or a new [state] control")
        )
    if found.shared_disk:
        told = f"{found.where} is on {found.shared_disk}, where several machines damage SQLite"
        findings.append(note(ABOUT, told, mend="[state] control at a PostgreSQL, or a local disk"))
    if found.seconds > SLOW_SECONDS:
        told = f"{found.where} takes {length_of_time(found.seconds)} for a question"
        findings.append(note(ABOUT, told, mend="a database that is nearer, or a quicker disk"))
    if findings:
        return findings
    return [
        ok(ABOUT, f"{found.where}: {found.tables} tables, {length_of_time(found.seconds)} for a question")
    ]


def check_database(_case: Case, project: OpenProject) -> Sequence[Finding]:
    url = control_uri(project.settings.state.control, project.paths.root)
    if url is None or url.startswith("sqlite"):
        return _check_file(
            project.paths.control_database if url is None else Path(sa.make_url(url).database or "")
        )
    return _check_server(url, project)


@contextmanager
def control_of(project: OpenProject) -> Iterator[Control | None]:
    """The open control database; None where its file is not there yet: who only looks makes none."""
    paths, given = project.paths, project.settings.state.control
    file = control_file(given, root=paths.root, file=paths.control_database)
    if file is not None and not file.is_file():
        yield None
        return
    with open_control(control_uri(given, paths.root), file=paths.control_database) as control:
        yield control


def _check_file(file: Path) -> Sequence[Finding]:
    if not file.exists():
        return [
            note(
                ABOUT,
                f"{file} is not there yet: nothing was decided so far",
                mend="`siklus up`, or `siklus serve`",
            )
        ]
    mount = mount_of(file.absolute())
    begun = time.perf_counter()
    refused = ""
    try:
        with sqlite3.connect(
            f"file:{quote(str(file))}?mode=ro", uri=True, timeout=PATIENCE_SECONDS
        ) as reading:
            rows = reading.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            columns = {
                name: {row[1] for row in reading.execute(f'PRAGMA table_info("{name}")')} for (name,) in rows
            }
        seconds = time.perf_counter() - begun
        refused = _refused_by(file)
    except sqlite3.Error as exc:
        cure = (
            f"a backup in the place of {file}; `sqlite3 {file} 'PRAGMA integrity_check'` says how bad it is"
            if os.access(file, os.R_OK)
            else f"`chown $(id -u) {file}`, or start as its owner"
        )
        return [trouble(ABOUT, f"{file}: {exc}", mend=cure)]
    found = Database(
        where=str(file),
        seconds=seconds,
        tables=len(columns),
        missing=tuple(_missing(columns)),
        refused=refused,
        shared_disk=mount.kind if mount is not None and mount.shared else "",
    )
    return judge_database(found)


def _refused_by(file: Path) -> str:
    """Why nothing can be written there: found by taking the writer's turn and giving it back."""
    writing = sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=PATIENCE_SECONDS)
    try:
        writing.isolation_level = None
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("ROLLBACK")
    except sqlite3.OperationalError as exc:
        return str(exc)
    finally:
        writing.close()
    return ""


def _check_server(url: str, project: OpenProject) -> Sequence[Finding]:
    where = shown(url)
    try:
        with (
            open_control(url, file=project.paths.control_database) as control,
            control.transaction() as connection,
        ):
            begun = time.perf_counter()
            connection.execute(sa.text("SELECT 1"))
            seconds = time.perf_counter() - begun
            inspector = sa.inspect(connection)
            names = set(inspector.get_table_names()) & set(TABLES)
            columns = {name: {each["name"] for each in inspector.get_columns(name)} for name in names}
            refused = _refused_to_us(connection, names)
    except SiklusError as error:
        reach = "" if error.code == FOREIGN else f", and `psql {where}` from here"
        cure = f"[state] control{reach}; expected {error.expected}"
        return [trouble(ABOUT, f"{error.code} {error.message}", mend=cure)]
    missing = tuple(_missing(columns))
    return judge_database(
        Database(where=where, seconds=seconds, tables=len(columns), missing=missing, refused=refused)
    )


def _refused_to_us(connection: sa.Connection, tables: set[str]) -> str:
    if connection.execute(sa.text("SELECT pg_is_in_recovery()")).scalar_one():
        return "it is a standby"
    may = sa.text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
    if not tables and not connection.execute(may).scalar_one():
        return "this role may make no tables"
    writes = sa.text("SELECT has_table_privilege(:name, 'INSERT, UPDATE, DELETE')")
    closed = [name for name in sorted(tables) if not connection.execute(writes, {"name": name}).scalar_one()]
    return f"this role may not write {', '.join(closed)}" if closed else ""


def _missing(columns: Mapping[str, set[str]]) -> Iterator[str]:
    """`table.column` of all that this release writes; a table that is not there is made when it is needed."""
    for name, table in sorted(TABLES.items()):
        if name in columns:
            yield from (f"{name}.{each.name}" for each in table.columns if each.name not in columns[name])
