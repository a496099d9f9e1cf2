"""`siklus doctor`"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.markup import escape

from siklus.cli.options import HERE, ProjectOption
from siklus.cli.output import JsonFlag, command_app, harmless, print_json, results
from siklus.doctor.case import open_case
from siklus.doctor.checks import checks_of
from siklus.doctor.examine import examine
from siklus.doctor.finding import Finding, State

COLORS: Mapping[State, str] = {"ok": "green", "note": "yellow", "trouble": "bold red", "unknown": "magenta"}
TROUBLE = 1

app = command_app()


@app.command()
def doctor(
    project: ProjectOption = HERE,
    mail: Annotated[
        bool, typer.Option("--mail", help="Send a test mail by each [notify.*] of kind mail.")
    ] = False,
    as_json: JsonFlag = False,
) -> int:
    """What is wrong with this machine or with what the project needs, and how to mend it.

    Without a project, the machine alone. Exit code 1: there is trouble.
    """
    case = open_case(project, environment=os.environ, mail=mail)
    found = examine(case, checks_of(case))
    if as_json:
        states = Counter(each.state for _, each in found)
        print_json(
            {"states": states, "findings": [{"check": name, **_document(each)} for name, each in found]}
        )
    else:
        _show([each for _, each in found])
    return TROUBLE if any(each.state == "trouble" for _, each in found) else 0


def _document(finding: Finding) -> dict[str, str]:
    told = {"state": finding.state, "about": finding.about, "found": finding.found}
    return {**told, "mend": finding.mend} if finding.mend else told


def _show(found: Sequence[Finding]) -> None:
    console = results()
    width = max(len(each.about) for each in found)
    for each in found:
        mark = f"[{COLORS[each.state]}]{each.state:<8}[/]"
        line = f"{mark} {escape(each.about):<{width}}  {escape(harmless(each.found))}"
        console.print(line, soft_wrap=True)
        if each.mend and each.state != "ok":
            console.print(f"{'':<8} {'':<{width}}  mend: {escape(harmless(each.mend))}", soft_wrap=True)
    states = Counter(each.state for each in found)
    told = ", ".join(f"{states[state]} {state}" for state in COLORS if states[state])
    console.print(f"\n{told}")
