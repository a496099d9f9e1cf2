"""One look at a project: every place that keeps evidence is asked once, and one that fails is named."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime

from siklus.assess.answers import answered, read_answers
from siklus.assess.evidence.decisions import KINDS, decided
from siklus.assess.evidence.pipelines import ran
from siklus.assess.evidence.project_files import files_in
from siklus.assess.evidence.registered import versions_in
from siklus.assess.evidence.releases import Release, made, releases_of
from siklus.assess.evidence.repository import in_git
from siklus.assess.evidence.traffic import in_the_log, on_the_board
from siklus.assess.facts import Area, Facts, Sighting, together
from siklus.errors import SiklusError, TrackingError
from siklus.project.file import OpenProject
from siklus.registry.control import control_file, control_uri, open_control
from siklus.registry.journal import ENTRIES as TABLE
from siklus.registry.journal import Journal
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import open_tracking
from siklus.tracking.store import from_root, sqlite_file

FETCHED = 2  # of a registry elsewhere: what the newest two say of themselves is brought here
ENTRIES = 300  # of each kind that are read, the newest
LOOKED_INTO = 20  # versions whose bundles are read, the newest


def gather(project: OpenProject, *, now: datetime) -> Facts:
    """All facts; nothing is written. AssessError AS001 to AS004 for a broken assess.toml: all else that
    cannot be read is among the unknown."""
    sightings: list[Sighting] = []
    unknown: dict[Area, str] = {}
    answers = read_answers(project.paths.root, today=now.date())
    places: dict[Area, Callable[[], Iterator[Sighting]]] = {
        "files": lambda: files_in(project),
        "pipelines": lambda: ran(project),
        "registry": lambda: made(_releases(project), snapshots=project.paths.snapshots),
        "journal": lambda: _journal(project),
        "watch": lambda: on_the_board(project),
        "records": lambda: in_the_log(project.paths),
        "git": lambda: in_git(project),
        "answers": lambda: answered(answers),
    }
    for area, look in places.items():
        try:
            sightings.extend(look())
        except SiklusError as exc:
            unknown[area] = f"{exc.code} {exc.message}"
        except OSError as exc:
            unknown[area] = str(exc)
    return Facts(project=project.settings.project.name, traces=together(sightings), unknown=unknown)


def _journal(project: OpenProject) -> Iterator[Sighting]:
    paths, given = project.paths, project.settings.state.control
    file = control_file(given, root=paths.root, file=paths.control_database)
    if file is not None and not file.is_file():
        return  # to look makes no database
    url = control_uri(given, paths.root)
    with open_control(url, file=paths.control_database) as control:
        if not control.has(TABLE):
            return
        journal = Journal(control, project.settings.project.name)
        entries = [entry for kind in KINDS for entry in journal.history(limit=ENTRIES, kinds=(kind,))]
    yield from decided(entries)


def _releases(project: OpenProject) -> list[Release]:
    return releases_of(_versions(project)[:LOOKED_INTO], project.paths.bundles)


def _versions(project: OpenProject) -> tuple[Version, ...]:
    """By MLflow's own file where there is one, else by MLflow."""
    name, uri = project.settings.project.name, project.settings.state.tracking_uri
    database = project.paths.tracking_database
    file = database if uri is None else sqlite_file(from_root(uri, project.paths.root))
    if file is not None and not file.is_file():
        return ()  # to look makes no database
    if uri is None:
        try:
            return versions_in(database, name)
        except sqlite3.OperationalError:  # tables of another MLflow, which the one here may know to read
            pass
        except sqlite3.Error as exc:
            raise TrackingError("TK001", f"{database}: {exc}", expected="MLflow's database") from exc
    registry = Registry(open_tracking(uri, paths=project.paths))
    versions = registry.versions(name)
    for version in versions[:FETCHED]:
        if version.digest is not None:
            registry.fetch(version, project.paths.bundles)
    return versions
