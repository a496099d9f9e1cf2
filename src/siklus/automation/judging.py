"""Judging: a challenger against the champion, on labelled rows that neither was fitted on."""

from dataclasses import dataclass
from datetime import datetime

from siklus.automation.retrained import Judgement
from siklus.bundle.read import Bundle
from siklus.project.file import OpenProject
from siklus.train.gates import GateResult


@dataclass(frozen=True, kw_only=True)
class Contest:
    """``champion`` is None as long as there is none. ``gates``: of the challenger's training."""

    challenger: Bundle
    champion: Bundle | None
    gates: tuple[GateResult, ...]
    trigger: str


def judge(contest: Contest, *, opened: OpenProject, now: datetime) -> Judgement:
    """The verdict on what is known by ``now``; may be asked again and again, as more outcomes come.

    RecordsError RC003 or RC006 where the log cannot be read; AutomationError AU053 for a trusted set that
    cannot be used.
    """
    del opened, now
    return Judgement(verdict="undecided", reason=f"{contest.challenger.version} is not judged yet")
