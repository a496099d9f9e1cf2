"""Reading siklus.toml: what is wrong is said with file, line, key and the nearest right key."""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from siklus.errors import ProjectError
from siklus.project.alerts import TABLE as ALERTS
from siklus.project.alerts import read_alerts
from siklus.project.loop import Retrain, RolloutPlan, refuse_unclear_retrain, refuse_unclear_steps
from siklus.project.notify import DEFAULT_RECEIVERS
from siklus.project.overrides import override
from siklus.project.paths import Paths
from siklus.project.places import Places, find_places
from siklus.project.receivers import read_receivers
from siklus.project.sections import (
    Data,
    Gates,
    Monitor,
    Project,
    ProjectSection,
    Records,
    Serve,
    Sign,
    SliceGate,
    State,
    Train,
    refuse_unclear_source,
)
from siklus.project.shipping import Deploy
from siklus.project.tables import near, read_table

FILE_NAME = "siklus.toml"

SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "project": ProjectSection,
    "data": Data,
    "train": Train,
    "serve": Serve,
    "records": Records,
    "monitor": Monitor,
    "retrain": Retrain,
    "rollout": RolloutPlan,
    "state": State,
    "deploy": Deploy,
    "sign": Sign,
}
KNOWN = (*SECTIONS, "gates", "notify", ALERTS)
GATE_SETTINGS = ("parity", "champion", "slices")
BOUND = 'a bound such as "<= 12"'
SLICES = 'a column and bounds: { column = "origin", mae = "<= 15" }'


@dataclass(frozen=True)
class OpenProject:
    """A project and where it lies."""

    settings: Project
    paths: Paths


def find_project(start: Path) -> Path:
    """The nearest siklus.toml in ``start`` or above it; ProjectError PJ001 when there is none."""
    if not start.exists():
        raise ProjectError(
            "PJ001", f"{start}: no such folder", expected="a project's folder, or one below it"
        )
    for folder in [start, *start.parents]:
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ProjectError("PJ001", f"{start}: no {FILE_NAME} here or above", expected="`siklus init` makes one")


def open_project(start: Path, *, environment: Mapping[str, str]) -> OpenProject:
    """Read the nearest project file, with the overrides of the environment. ProjectError PJ001 to PJ007."""
    try:
        path = find_project(start.resolve())
    except OSError as exc:
        raise _unreadable(start, exc) from exc
    settings = read_project(path, environment=environment)
    return OpenProject(settings, Paths.of(path.parent, settings))


def read_project(path: Path, *, environment: Mapping[str, str]) -> Project:
    """Parse and validate the file whole, so that a wrong key is found before any work starts.

    ``environment``: `SIKLUS_TRAIN__TRIALS=5` overrides `[train] trials`, `SIKLUS_DATA__SPLIT__BY`
    `[data.split] by`; a value is read as TOML where it is TOML, else as text. ProjectError PJ002 to PJ007.
    """
    text = _text(path)
    raw = _parsed(path, text)
    places = find_places(path, text, override(raw, environment, sections=KNOWN))
    for name in raw:
        if name not in KNOWN:
            place = f"{places.at((name,))}: unknown section [{name}]"
            raise ProjectError("PJ003", place, expected=near(name, KNOWN))
    for required in ("project", "data"):
        if required not in raw:
            raise ProjectError(
                "PJ005", f"{path}: no section [{required}]", expected=f"a section [{required}]"
            )
    sections: dict[str, Any] = {
        name: read_table(raw[name], kind, (name,), places) for name, kind in SECTIONS.items() if name in raw
    }
    refuse_unclear_source(sections["data"], where=places.at(("data",)))
    receivers = read_receivers(raw.get("notify", {}), places)
    declared = {*DEFAULT_RECEIVERS, *receivers}
    if "retrain" in sections:
        where = places.at(("retrain", "on"))
        refuse_unclear_retrain(sections["retrain"], where=where, receivers=declared)
    if "rollout" in sections:
        refuse_unclear_steps(sections["rollout"], where=places.at(("rollout", "steps")))
    return Project(
        **sections,
        gates=_gates(raw.get("gates", {}), places),
        notify=receivers,
        alerts=read_alerts(raw.get(ALERTS, []), places, receivers=declared),
    )


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    try:
        return raw.decode("utf-8-sig")  # some editors begin a file with a mark that TOML does not know
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise ProjectError(
            "PJ002", f"{path}:{line}: not UTF-8 at byte {exc.start}", expected="UTF-8 text"
        ) from exc


def _unreadable(path: Path, exc: OSError) -> ProjectError:
    told = f"{path}: cannot be read: {exc.strerror or exc}"
    return ProjectError("PJ002", told, expected="a project that this user may read")


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        what, _, place = str(exc).rpartition(" (at ")
        line = re.match(r"line (\d+)", place)
        at = f"{path}:{line[1]}" if line else str(path)
        raise ProjectError("PJ002", f"{at}: {what}", expected="TOML (text stands in quotes)") from exc


def _gates(raw: object, places: Places) -> Gates:
    """[gates] holds metrics as keys, so it is read by hand; which exist is the gates' own knowledge."""
    if not isinstance(raw, dict):
        raise ProjectError("PJ004", f"{places.at(('gates',))}: gates = {raw!r}", expected="a section")
    settings = {key: value for key, value in raw.items() if key in GATE_SETTINGS}
    bounds = {key: value for key, value in raw.items() if key not in GATE_SETTINGS}
    for key, value in bounds.items():
        if not isinstance(value, str):
            near = difflib.get_close_matches(key, GATE_SETTINGS, n=1)
            raise _gate_refused(key, value, places, expected=f"{near[0]!r}?" if near else BOUND)
    if not isinstance(settings.get("parity", False), bool):
        raise _gate_refused("parity", raw["parity"], places, expected="true or false")
    if not isinstance(settings.get("champion", ""), str):
        raise _gate_refused("champion", raw["champion"], places, expected="a metric's name")
    given = settings.pop("slices", [])
    slices = tuple(_slice_gate(item, places) for item in (given if isinstance(given, list) else [given]))
    return Gates(bounds=bounds, slices=slices, **settings)


def _slice_gate(raw: object, places: Places) -> SliceGate:
    bounds = dict(raw) if isinstance(raw, dict) else {}
    column = bounds.pop("column", None)
    if (
        not isinstance(column, str)
        or not bounds
        or not all(isinstance(text, str) for text in bounds.values())
    ):
        raise _gate_refused("slices", raw, places, expected=SLICES)
    return SliceGate(column=column, bounds=bounds)


def _gate_refused(key: str, value: object, places: Places, *, expected: str) -> ProjectError:
    told = f"{places.at(('gates', key))}: [gates] {key} = {json.dumps(value, default=str)}"
    return ProjectError("PJ007", told, expected=expected)
