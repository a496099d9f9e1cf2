"""Projects to examine, and what a check says of them."""

from collections.abc import Sequence
from pathlib import Path

from siklus.doctor.case import Case, open_case
from siklus.doctor.checks import checks_of
from siklus.doctor.examine import examine
from siklus.doctor.finding import Finding

CONTRACT = """{"format": 1, "columns": [{"kind": "number", "name": "a"}], "target": {"name": "y"}}"""
FILE = """\
[project]
name = "line"
task = "regression"

[data]
path = "rows.csv"
target = "y"
"""


def patient(folder: Path, more: str = "") -> Path:
    """A project of one column; nothing was trained. ``more``: further sections."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "siklus.toml").write_text(f"{FILE}\n{more}")
    (folder / "contract.json").write_text(CONTRACT)
    return folder


def case_of(folder: Path, *, mail: bool = False, **environment: str) -> Case:
    return open_case(folder, environment=environment, mail=mail)


def seen(case: Case, *names: str) -> list[Finding]:
    """What these checks find; a project's checks are there only where its file is whole."""
    checks = checks_of(case)
    return [found for _, found in examine(case, {name: checks[name] for name in names})]


def states(found: Sequence[Finding]) -> list[str]:
    return [each.state for each in found]


def the(found: Sequence[Finding]) -> Finding:
    """The only one."""
    assert len(found) == 1, found
    return found[0]
