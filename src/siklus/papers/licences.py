"""Licences of packages, as those that are installed here declare them."""

import re
from collections.abc import Mapping
from importlib.metadata import distributions

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.license import License

LONGEST = 100  # characters of a licence's name; beyond it a package has its text where the name belongs
FIRST = "License :: OSI Approved :: "


def licences(environment: Mapping[str, str]) -> dict[str, License]:
    """By package, those of the same version as in ``environment``: another version may have another one."""
    factory = LicenseFactory()
    found = {}
    for installed in distributions():
        paper = installed.metadata
        name = paper["Name"]
        if name and environment.get(name) == paper["Version"]:
            words = _declared(
                paper["License-Expression"], paper["License"], paper.get_all("Classifier") or []
            )
            if words:
                found[name] = factory.make_from_string(words)
    return found


def _declared(expression: str | None, name: str | None, classifiers: list[str]) -> str:
    """As SPDX where the package says so, else the name that it gives, else that of its classifier."""
    if expression:
        return expression
    if name and len(name) <= LONGEST and "\n" not in name.strip() and name != "UNKNOWN":
        return name.strip()
    given = [words.removeprefix(FIRST) for words in classifiers if words.startswith(FIRST)]
    return re.sub(r" \((.+)\)$", "", given[0]) if len(given) == 1 else ""
