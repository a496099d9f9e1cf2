"""The environment's overrides of a project file: `SIKLUS_TRAIN__TRIALS=5` is `[train] trials = 5`."""

import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from siklus.errors import ProjectError
from siklus.project.places import Key

PREFIX = "SIKLUS_"
STEP = "__"  # between a section and its key


def override(
    raw: dict[str, Any], environment: Mapping[str, str], *, sections: Collection[str]
) -> dict[Key, str]:
    """Write the environment's settings into ``raw``; the overridden keys with their variables come back.

    A value is read as TOML where it is TOML, else as text. ProjectError PJ003 for a variable that names a
    section and means a key of it, but spells the two wrong; what is unknown otherwise is found with the
    file's own keys. Other variables that begin with SIKLUS_ are none of the project's business, and one that
    is empty says nothing: that is how pipelines and Compose hand on what nobody has set.
    """
    found: dict[Key, str] = {}
    for variable, value in sorted(environment.items()):
        if not variable.startswith(PREFIX) or not value:
            continue
        words = variable.removeprefix(PREFIX).lower()
        if STEP in words:
            key = tuple(words.split(STEP))
            _put(raw, key, _value(value), variable)
            found[key] = variable
        elif (section := words.partition("_")[0]) in sections:
            wanted = PREFIX + section.upper() + STEP + words.partition("_")[2].upper()
            raise ProjectError("PJ003", f"{variable}: names no key", expected=f"{wanted}?")
    return found


def _put(raw: dict[str, Any], key: Key, value: object, variable: str) -> None:
    table: Any = raw
    for section in key[:-1]:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise ProjectError(
                "PJ003", f"{variable}: {section} is no section", expected="SIKLUS_SECTION__KEY"
            )
    table[key[-1]] = value


def _value(text: str) -> object:
    text = text.removesuffix("\n")  # of the file that a Secret was made from
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text
