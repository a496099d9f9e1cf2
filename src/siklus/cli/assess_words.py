"""Where a project stands, in lines of at most 80 characters."""

import textwrap
from collections.abc import Iterator

from siklus.assess.judging import Finding, Standing
from siklus.assess.page import value_of
from siklus.assess.report import Report

WIDTH = 80
COLUMN = 18  # of the scales' names
TITLED = 2  # criteria of one command; of more the keys are enough
MARKS = {1.0: "●", 0.5: "◐", 0.0: "○"}
LEGEND = "● counts in full   ◐ half: configured only, older, or by hand   ○ missing"


def summary_text(report: Report) -> str:
    """Values on top; then of each scale what separates it from the next level, and what to do."""
    lines = [f"{report.project}, by the evidence of the last {report.within}:", ""]
    for each in report.standings:
        lines += _value(each)
    for area, why in report.unknown.items():
        lines += ["", *_wrapped(f"Unknown: the {area} cannot be read, so nothing of it counts. {why}", "")]
    for each in report.standings:
        lines += ["", each.title, *_wrapped(each.between, "  "), *_advice(each)]
    names = ", ".join(each.rubric for each in report.standings)
    lines += [
        "",
        *_wrapped(f"Every criterion with its evidence: siklus assess SCALE ({names}), or --html FILE.", ""),
    ]
    return "\n".join(lines)


def scale_text(standing: Standing) -> str:
    """Every criterion with its evidence, and what is missing."""
    lines = [*_value(standing), "", *_wrapped(standing.between, ""), *_advice(standing), "", LEGEND]
    for each in standing.sums:
        points = f"{each.points:g} of {each.of}"
        lines += ["", f"{each.title} {points:>{WIDTH - len(each.title) - 1}}"]
        for finding in standing.findings:
            if finding.section == each.section:
                lines += _finding(finding)
    return "\n".join(
        [*lines, "", *_wrapped(f"After {standing.source}, in words of our own: {standing.url}", "")]
    )


def _value(standing: Standing) -> Iterator[str]:
    name = "" if standing.rubric == "ml-test-score" else f"{standing.name}: "
    head = f"{standing.title:<{COLUMN}}{value_of(standing):<15}"
    said = textwrap.wrap(f"{name}{standing.means}", WIDTH - len(head))
    yield f"{head}{said[0]}"
    yield from (f"{'':<{len(head)}}{line}" for line in said[1:])
    if standing.rubric == "ml-test-score":
        sums = ", ".join(f"{each.section} {each.points:g}" for each in standing.sums)
        yield f"{'':<{COLUMN}}{sums}"


def _advice(standing: Standing) -> Iterator[str]:
    if standing.advice:
        yield "  Next, the quickest first:"
    for each in standing.advice:
        yield f"    {each.command}"
        titles = [f"{one.key} {one.title}" for one in standing.findings if one.key in each.lifts]
        yield from _wrapped(f"for {', '.join(titles if len(titles) <= TITLED else each.lifts)}", "      ")


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{MARKS[finding.score]} {finding.key}  {finding.title}"
    for shown in finding.evidence:
        age = f", {shown.age}" if shown.age else ""
        yield from _wrapped(f"{shown.said} ({shown.where}{age})", "    ")
    for gap in finding.gaps:
        yield from _wrapped(f"→ {gap.said}", "    ")
        if gap.command:
            yield f"      {gap.command}"


def _wrapped(text: str, indent: str) -> list[str]:
    lines = textwrap.TextWrapper(
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.wrap(text)
