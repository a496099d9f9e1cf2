"""`siklus assess`"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from siklus.assess.answers import read_answers
from siklus.assess.facts import ANSWERS_LAST, Lens
from siklus.assess.gathering import gather
from siklus.assess.page import assess_page
from siklus.assess.report import Report, below, read_bounds, report_on
from siklus.assess.rubrics.rubric import RubricName
from siklus.cli.assess_asking import ask_all, ask_one, open_questions
from siklus.cli.assess_words import scale_text, summary_text
from siklus.cli.control import author
from siklus.cli.options import HERE, ProjectOption, opened, seconds_given
from siklus.cli.output import JsonFlag, command_app, harmless, print_json, remarks, results
from siklus.errors import AssessError
from siklus.files import write_atomic
from siklus.project.file import OpenProject

app = command_app()

BELOW = 1
WITHIN = "30d"


@app.command()
def assess(
    scale: Annotated[
        RubricName | None,
        typer.Argument(metavar="[SCALE]", help="Every criterion of google, microsoft or ml-test-score."),
    ] = None,
    within: Annotated[
        str, typer.Option(help="For how long what was exercised counts in full: 30d, 12w …")
    ] = WITHIN,
    ask: Annotated[bool, typer.Option("--ask", help="Answer what only people know.")] = False,
    question: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Ask this one, answered or not; repeatable.", show_default=False),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An HTML page of all of it.", show_default=False)
    ] = None,
    fail_under: Annotated[
        str | None,
        typer.Option(
            "--fail-under",
            metavar="BOUNDS",
            help="Exit code 1 below: google=2,microsoft=2,ml-test-score=3.",
            show_default=False,
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Where the project stands on Google's, Microsoft's and the ML Test Score's scales, from evidence.

    What is only configured counts half; what was exercised within 30 days counts in full. What only people
    know is asked by --ask, and kept in assess.toml. Nothing but that file is written, nothing is guessed.
    """
    bounds = {} if fail_under is None else read_bounds(fail_under)
    lens = Lens(now=datetime.now(UTC), within=timedelta(seconds=seconds_given(within, option="--within")))
    found = opened(project)
    if ask or question:
        _ask(found, lens, names=question or ())
    report = report_on(gather(found, now=lens.now), lens)
    if html is not None:
        write_atomic(html, assess_page(report))
        remarks().print(f"→ {html}", markup=False)
    if as_json:
        print_json(report)
    else:
        _show(report, scale)
    missed = below(report, bounds)
    for each in missed:
        told = f"{each.title}: {each.value:g}, below the {bounds[each.rubric]:g} that --fail-under asks for"
        remarks().print(told, markup=False)
    return BELOW if missed else 0


def _ask(project: OpenProject, lens: Lens, *, names: Sequence[str]) -> None:
    """Those of these names; without any, all that are open. AssessError AS006 without a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        wanted = "a terminal, or the answers in assess.toml (docs/assess.md has its form)"
        raise AssessError("AS006", "--ask has nobody to ask", expected=wanted)
    root, today = project.paths.root, lens.now.date()
    answers = read_answers(root, today=today)
    asked = [ask_one(name) for name in names]
    asked = asked or open_questions(answers, today=today, last=ANSWERS_LAST * lens.within)
    ask_all(asked, answers, root=root, who=author(), today=today)


def _show(report: Report, scale: RubricName | None) -> None:
    if scale is None:
        text = summary_text(report)
    else:
        text = "\n".join(scale_text(each) for each in report.standings if each.rubric == scale)
    # Not by rich, which would wrap the lines anew.
    for line in text.split("\n"):
        results().print(harmless(line), markup=False, soft_wrap=True)
