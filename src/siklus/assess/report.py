"""Where a project stands on all scales, as one value: what `--json` prints and the page shows."""

import math
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from siklus import __version__
from siklus.assess.facts import Area, Facts, Lens
from siklus.assess.judging import Standing, judged
from siklus.assess.rubrics.catalogue import RUBRICS
from siklus.assess.rubrics.rubric import RubricName
from siklus.errors import AssessError
from siklus.project.durations import duration_of
from siklus.project.tables import near

FORMAT = 1


class Report(Struct, frozen=True, kw_only=True):
    """``within``: for how long what has happened counts in full, as `30d`. ``unknown``: places that could not
    be read, and why: what they would show is not counted."""

    format: int = FORMAT
    project: str
    made: datetime
    siklus: str = __version__
    within: str
    standings: tuple[Standing, ...]
    unknown: Mapping[Area, str]


def report_on(facts: Facts, lens: Lens) -> Report:
    """On every scale."""
    return Report(
        project=facts.project,
        made=lens.now,
        within=duration_of(int(lens.within.total_seconds())),
        standings=tuple(judged(rubric, facts, lens) for rubric in RUBRICS.values()),
        unknown=facts.unknown,
    )


def read_bounds(text: str) -> dict[RubricName, float]:
    """The least values, as `google=2,ml-test-score=3` gives them; AssessError AS005.

    >>> read_bounds("google=2, ml-test-score=3.5")
    {'google': 2.0, 'ml-test-score': 3.5}
    """
    bounds: dict[RubricName, float] = {}
    for part in text.split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        rubric = next((rubric for rubric in RUBRICS if rubric == name), None)
        if rubric is None:
            told = f"--fail-under {text!r}: {name!r} is no scale"
            raise AssessError("AS005", told, expected=near(name, list(RUBRICS)))
        if rubric in bounds:
            told = f"--fail-under {text!r}: {name} stands there twice"
            raise AssessError("AS005", told, expected="each scale once")
        bounds[rubric] = _bound(text, rubric, number)
    return bounds


def _bound(text: str, rubric: RubricName, number: str) -> float:
    highest = RUBRICS[rubric].highest
    try:
        found = float(number)
    except ValueError:
        found = math.nan
    if not 0 <= found <= highest:
        told = f"--fail-under {text!r}: {rubric} = {number!r}"
        raise AssessError("AS005", told, expected=f"a number from 0 to {highest}, as {rubric}=2")
    return found


def below(report: Report, bounds: Mapping[RubricName, float]) -> list[Standing]:
    """The scales on which the project stands below its bound."""
    return [each for each in report.standings if not each.value >= bounds.get(each.rubric, 0)]
