"""The page of where a project stands."""

from dataclasses import dataclass

from siklus.assess.judging import Finding, Standing
from siklus.assess.report import Report
from siklus.monitor.pages.html import rendered

MARKS = {1.0: ("full", "full"), 0.5: ("half", "half"), 0.0: ("none", "missing")}


@dataclass(frozen=True, kw_only=True)
class Section:
    """A level or a section of a scale, with its criteria."""

    title: str
    points: str
    share: int  # of its points, in percent
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A scale as the page shows it."""

    standing: Standing
    value: str
    sections: tuple[Section, ...]


def assess_page(report: Report) -> str:
    """One HTML file that loads and runs nothing."""
    return rendered(
        "assess.html.j2", report=report, scales=[_scale(each) for each in report.standings], marks=MARKS
    )


def value_of(standing: Standing) -> str:
    """`level 1 of 2`, or `2.5 of 7`."""
    level = "" if standing.rubric == "ml-test-score" else "level "
    return f"{level}{standing.value:g} of {standing.highest:g}"


def _scale(standing: Standing) -> Scale:
    sections = tuple(
        Section(
            title=each.title,
            points=f"{each.points:g} of {each.of}",
            share=round(100 * each.points / each.of),
            findings=tuple(one for one in standing.findings if one.section == each.section),
        )
        for each in standing.sums
    )
    return Scale(standing=standing, value=value_of(standing), sections=sections)
