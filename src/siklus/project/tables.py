"""One table of the project file as a frozen struct; what is wrong is said as a person would say it."""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar, get_args

import msgspec

from siklus.errors import ProjectError
from siklus.project.places import ITEM, Key, Places
from siklus.project.wanted import type_at, wanted

S = TypeVar("S", bound=msgspec.Struct)


def read_table(raw: object, kind: type[S], key: Key, places: Places) -> S:
    """The table at ``key``, such as ("data", "split"). ProjectError PJ003, PJ004 or PJ005."""
    _refuse_unknown_keys(raw, kind, key, places)
    try:
        return msgspec.convert(raw, type=kind)
    except msgspec.ValidationError as exc:
        raise _refused(str(exc), raw, kind, key, places) from exc


def near(word: str, known: Sequence[str]) -> str:
    """What would be right: the known word that is nearest, as a question; else all of them.

    >>> near("latancy", ["latency", "quality"]), near("x", ["latency", "quality"])
    ("'latency'?", 'one of latency, quality')
    """
    close = difflib.get_close_matches(word, known, n=1)
    return f"{close[0]!r}?" if close else f"one of {', '.join(known)}"


def _refused(problem: str, raw: object, kind: type[msgspec.Struct], key: Key, places: Places) -> ProjectError:
    """What msgspec found: its messages end in "at `$.split.by`"."""
    what, _, place = problem.partition(" - at `$")
    inside = tuple(re.findall(r"\.([A-Za-z_]+)", place))
    title = _title((*key, *inside[:-1]))
    missing = re.search(r"missing required field `(\w+)`", what)
    if missing:
        return ProjectError(
            "PJ005",
            f"{places.at((*key, *inside))}: {_title((*key, *inside))} has no {missing[1]}",
            expected=f"{missing[1]} = …",
        )
    given: Any = raw
    for part in inside:
        given = given[part]
    told = f"{places.at((*key, *inside))}: {title} {inside[-1]} = {json.dumps(given, default=str)}"
    return ProjectError("PJ004", told, expected=wanted(type_at(msgspec.inspect.type_info(kind), inside)))


def _refuse_unknown_keys(raw: object, kind: type[msgspec.Struct], path: Key, places: Places) -> None:
    if not isinstance(raw, dict):
        raise ProjectError(
            "PJ004", f"{places.at(path)}: {_title(path).strip('[]')} = {raw!r}", expected="a section"
        )
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in raw.items():
        if key not in fields:
            place = f"{places.at((*path, key))}: {_title(path)} unknown key {key!r}"
            raise ProjectError("PJ003", place, expected=near(key, list(fields)))
        nested = [part for part in (fields[key], *get_args(fields[key])) if _is_struct(part)]
        if nested:
            _refuse_unknown_keys(value, nested[0], (*path, key), places)


def _title(key: Key) -> str:
    """As it stands in the file: `[data.split]`, or `[[alerts]]` for one of several."""
    words = [word for word in key if not word.startswith(ITEM)]
    return f"[{'.'.join(words)}]" if len(words) == len(key) else f"[[{'.'.join(words)}]]"


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
