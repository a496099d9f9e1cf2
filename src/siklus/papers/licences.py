"""Licences of packages, as those that are installed here declare them."""

import re
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.license import License

LONGEST = 100  # characters of a licence's name; beyond it a package has its text where the name belongs
FIRST = "License :: OSI Approved :: "


def licences(environment: Mapping[str, str]) -> dict[str, License]:
    """By package, those of the same version as in ``environment``: another version may have another one."""
    factory = LicenseFactory()
    found = {}
    for installed in distributions():
        name, version = _first(installed, "Name"), _first(installed, "Version")
        words = _declared(installed) if name and environment.get(name) == version else ""
        if words:
            found[name] = factory.make_from_string(words)
    return found


def _declared(installed: Distribution) -> str:
    """As SPDX where the package says so, else the name that it gives, else that of its classifier."""
    expression, name = _first(installed, "License-Expression"), _first(installed, "License").strip()
    if expression:
        return expression
    if name and len(name) <= LONGEST and "\n" not in name and name != "UNKNOWN":
        return name
    classifiers = installed.metadata.get_all("Classifier") or []
    given = [words.removeprefix(FIRST) for words in classifiers if words.startswith(FIRST)]
    return re.sub(r" \((.+)\)$", "", given[0]) if len(given) == 1 else ""


def _first(installed: Distribution, field: str) -> str:
    """The field, "" without it: what reads it by `[]` differs between readers of metadata."""
    found = installed.metadata.get_all(field) or [""]
    return str(found[0])
