"""Reading siklus.toml: what is wrong is said with file, line, key and the nearest right key."""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from siklus.errors import ProjectError
from siklus.project.paths import Paths
from siklus.project.sections import (
    Data,
    Gates,
    Project,
    ProjectSection,
    Serve,
    SliceGate,
    State,
    Train,
    refuse_unclear_source,
)

FILE_NAME = "siklus.toml"
ENVIRONMENT_PREFIX = "SIKLUS_"

SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "project": ProjectSection,
    "data": Data,
    "train": Train,
    "serve": Serve,
    "state": State,
}


@dataclass(frozen=True)
class OpenProject:
    """A project and where it lies."""

    settings: Project
    paths: Paths


def find_project(start: Path) -> Path:
    """The nearest siklus.toml in ``start`` or above it; ProjectError PJ001 when there is none."""
    for folder in [start, *start.parents]:
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ProjectError("PJ001", f"{start}: no {FILE_NAME} here or above", expected="`siklus init` makes one")


def open_project(start: Path, *, environment: Mapping[str, str]) -> OpenProject:
    """Read the nearest project file, with the overrides of the environment."""
    path = find_project(start.resolve())
    settings = read_project(path, environment=environment)
    return OpenProject(settings, Paths.of(path.parent, settings))


def read_project(path: Path, *, environment: Mapping[str, str]) -> Project:
    """Parse and validate the file whole, so that a wrong key is found before any work starts.

    ``environment``: `SIKLUS_TRAIN__TRIALS=5` overrides `[train] trials`, `SIKLUS_DATA__SPLIT__BY`
    `[data.split] by`; a value is read as TOML where it is TOML, else as a string.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as exc:
        raise ProjectError("PJ002", f"{path}: not UTF-8 at byte {exc.start}", expected="UTF-8 text") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ProjectError("PJ002", f"{path}: {exc}", expected="TOML") from exc
    lines = _Lines(path, text)
    _override(raw, environment, lines)
    known = [*SECTIONS, "gates"]
    for name in raw:
        if name not in known:
            raise ProjectError("PJ003", f"{lines.at((name,))}: unknown section [{name}]", expected=_near(name, known))
    for required in ("project", "data"):
        if required not in raw:
            raise ProjectError("PJ005", f"{path}: no section [{required}]", expected=f"a section [{required}]")
    sections: dict[str, Any] = {
        name: _section(raw[name], kind, name, lines) for name, kind in SECTIONS.items() if name in raw
    }
    refuse_unclear_source(sections["data"], where=lines.at(("data",)))
    return Project(**sections, gates=_gates(raw.get("gates", {}), lines))


class _Lines:
    """Where each key stands, since tomllib keeps no positions."""

    HEADER = re.compile(r"^\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(#.*)?$")
    KEY = re.compile(r"^\s*([A-Za-z0-9_-]+|\"[^\"]+\"|'[^']+')\s*[=.]")

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.places: dict[tuple[str, ...], int] = {}
        section: tuple[str, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := self.HEADER.match(line):
                section = tuple(part.strip().strip("\"'") for part in header[1].split("."))
                self.places.setdefault(section, number)
            elif key := self.KEY.match(line):
                self.places.setdefault((*section, key[1].strip("\"'")), number)

    def at(self, key: tuple[str, ...]) -> str:
        """`file:line` of the key, or of the nearest thing around it that has a line of its own."""
        while key and key not in self.places:
            key = key[:-1]
        return f"{self.path}:{self.places[key]}" if key else str(self.path)


def _override(raw: dict[str, Any], environment: Mapping[str, str], lines: _Lines) -> None:
    for variable, value in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or "__" not in variable:
            continue
        *sections, key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        table = raw
        for section in sections:
            table = table.setdefault(section, {})
        table[key] = _toml_value(value)
        lines.places.pop((*sections, key), None)  # the message must not point at a line that was overridden


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _section(raw: object, kind: type[msgspec.Struct], name: str, lines: _Lines) -> msgspec.Struct:
    _refuse_unknown_keys(raw, kind, (name,), lines)
    try:
        return msgspec.convert(raw, type=kind)
    except msgspec.ValidationError as exc:
        problem, _, place = str(exc).partition(" - at `$")
        path = (name, *(part for part in place.rstrip("`").split(".") if part))
        raise ProjectError(
            "PJ004", f"{lines.at(path)}: [{name}]{_shown(raw, path[1:])}", expected=_lowered(problem)
        ) from exc


def _refuse_unknown_keys(raw: object, kind: type[msgspec.Struct], path: tuple[str, ...], lines: _Lines) -> None:
    if not isinstance(raw, dict):
        raise ProjectError("PJ004", f"{lines.at(path)}: {'.'.join(path)} = {raw!r}", expected="a section")
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in raw.items():
        if key not in fields:
            place = f"{lines.at((*path, key))}: [{'.'.join(path)}] unknown key {key!r}"
            raise ProjectError("PJ003", place, expected=_near(key, list(fields)))
        nested = [part for part in (fields[key], *get_args(fields[key])) if _is_struct(part)]
        if nested:
            _refuse_unknown_keys(value, nested[0], (*path, key), lines)


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _gates(raw: Mapping[str, Any], lines: _Lines) -> Gates:
    """[gates] holds metric names as keys, so it is read by hand; which metrics exist is the gates' own knowledge."""
    bounds: dict[str, str] = {}
    settings: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "slices":
            entries = value if isinstance(value, list) else [value]
            settings["slices"] = tuple(_slice_gate(entry, lines) for entry in entries)
        elif key in ("parity", "champion"):
            settings[key] = value
        elif isinstance(value, str):
            bounds[key] = value
        else:
            raise ProjectError(
                "PJ007", f"{lines.at(('gates', key))}: [gates] {key} = {value!r}", expected='a bound such as "<= 12"'
            )
    try:
        return msgspec.convert({"bounds": bounds, **settings}, type=Gates)
    except msgspec.ValidationError as exc:
        raise ProjectError("PJ007", f"{lines.at(('gates',))}: [gates] {exc}", expected="as docs/project-file.md says") from exc


def _slice_gate(raw: object, lines: _Lines) -> SliceGate:
    if not isinstance(raw, dict) or not isinstance(raw.get("column"), str) or len(raw) < 2:
        raise ProjectError(
            "PJ007",
            f"{lines.at(('gates', 'slices'))}: [gates] slices = {raw!r}",
            expected='a column and bounds: { column = "origin", mae = "<= 15" }',
        )
    return SliceGate(column=raw["column"], bounds={key: value for key, value in raw.items() if key != "column"})


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"{close[0]!r}?" if close else f"one of {', '.join(known)}"


def _shown(raw: object, path: tuple[str, ...]) -> str:
    for part in path:
        raw = raw.get(part) if isinstance(raw, dict) else raw
    return f" {'.'.join(path)} = {json.dumps(raw, default=str)}" if path else ""


def _lowered(problem: str) -> str:
    """msgspec says "Expected `int`, got `str`"; our sentence already begins with "expected"."""
    text = problem.removeprefix("Expected ").replace("`", "")
    return text.replace("Object missing required field", "the key")
