"""Versions: Python, what Siklus needs and with what the served models were proven."""

import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from msgspec import Struct

from siklus import __version__
from siklus.bundle.read import read_provenance
from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble, unknown
from siklus.errors import SiklusError
from siklus.project.sections import Project
from siklus.registry.published import PUBLISHED, found_policy

LEAST_PYTHON = (3, 11)
ABOUT = "versions"
# A graph may need a newer runtime than the one that is here, and the other way round never.
PROVEN = "onnxruntime"
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?:>=\s*([0-9][0-9A-Za-z.]*))?")
# By candidate: what is installed, and by which extra.
CANDIDATES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "lightgbm": (("lightgbm",), "lightgbm"),
    "xgboost": (("xgboost-cpu", "xgboost"), "xgboost"),
}


class Package(Struct, frozen=True, kw_only=True):
    """``least``: the lower bound, "" without one. ``found``: None where it is not installed."""

    name: str
    least: str
    found: str | None


class Optional(Struct, frozen=True, kw_only=True):
    """Something that siklus.toml names and that needs an extra. ``what``: the key with its value."""

    what: str
    extra: str
    found: bool


def judge_packages(packages: Sequence[Package]) -> list[Finding]:
    missing = [each for each in packages if each.found is None]
    old = [each for each in packages if each.found is not None and older(each.found, each.least)]
    found = [
        trouble(ABOUT, f"{each.name} is not installed", mend=f"pip install '{each.name}>={each.least}'")
        for each in missing
    ]
    found += [
        trouble(
            ABOUT, f"{each.name} {each.found} is older than {each.least}", mend=f"pip install -U {each.name}"
        )
        for each in old
    ]
    if found:
        return found
    python = platform.python_version()
    return [ok(ABOUT, f"Siklus {__version__}, Python {python}, and {len(packages)} packages new enough")]


def judge_optional(needed: Sequence[Optional]) -> list[Finding]:
    return [
        trouble("extras", f"{each.what}, which is not installed", mend=f"pip install 'siklus[{each.extra}]'")
        for each in needed
        if not each.found
    ]


def judge_proven(number: int, sealed: Mapping[str, str], found: str | None) -> Finding | None:
    """A version that was proven with a newer runtime than the one that is here."""
    proven = sealed.get(PROVEN)
    if proven is None or found is None or not older(found, proven):
        return None
    told = f"version {number} was proven with {PROVEN} {proven}, and {found} is here"
    return note(ABOUT, told, mend=f"pip install '{PROVEN}>={proven}'")


def older(found: str, least: str) -> bool:
    """
    >>> older("1.9.2", "1.10"), older("2.0", "2.0.0"), older("3.1rc1", "")
    (True, False, False)
    """
    here, wanted = _numbers(found), _numbers(least)
    width = max(len(here), len(wanted))
    return here + (0,) * (width - len(here)) < wanted + (0,) * (width - len(wanted))


def check_packages(case: Case) -> Sequence[Finding]:
    if sys.version_info < LEAST_PYTHON:
        wanted = ".".join(map(str, LEAST_PYTHON))
        told = f"Python {platform.python_version()} is older than {wanted}"
        return [trouble(ABOUT, told, mend=f"`uv venv --python {wanted}`, or another Python")]
    try:
        lines = requires("siklus") or []
    except PackageNotFoundError:
        lines = []
    needed = [_package(line) for line in lines if "extra ==" not in line]
    if needed:
        found = judge_packages(needed)
    else:
        python = f"Siklus {__version__} without its list of packages, Python {platform.python_version()}"
        found = [unknown(ABOUT, python, mend="`pip install -e .` in a checkout")]
    if case.project is None:
        return found
    return [*found, *judge_optional(list(_optional(case.project.settings))), *_proven(case)]


def _package(line: str) -> Package:
    name, least = REQUIREMENT.match(line).groups()  # type: ignore[union-attr]  # it matches any requirement
    return Package(name=name, least=least or "", found=_installed(name))


def _optional(project: Project) -> Iterator[Optional]:
    for candidate in project.train.candidates:
        if candidate in CANDIDATES:
            names, extra = CANDIDATES[candidate]
            found = any(_installed(name) is not None for name in names)
            yield Optional(what=f"[train] candidates names {candidate}", extra=extra, found=found)
    for key, url in (
        ("[state] control", project.state.control),
        ("[state] tracking_uri", project.state.tracking_uri),
        ("[data] url", project.data.url),
    ):
        if url is not None and url.startswith("postgres"):
            found = _installed("psycopg") is not None or _installed("psycopg2") is not None
            yield Optional(
                what=f"{key} is a PostgreSQL's, whose driver it needs", extra="postgres", found=found
            )


def _proven(case: Case) -> Iterator[Finding]:
    policy = None if case.project is None else found_policy(case.project.paths.run / PUBLISHED)
    if policy is None or case.project is None:
        return
    for arm in policy.allotment.everybody:
        try:
            sealed = read_provenance(case.project.paths.bundles / arm.digest).environment
        except (SiklusError, OSError):  # a damaged bundle is another check's to say
            continue
        found = judge_proven(arm.version, sealed, _installed(PROVEN))
        if found is not None:
            yield found


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version; what stands behind them makes it no older."""
    release = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in release[1].split(".")) if release else ()
