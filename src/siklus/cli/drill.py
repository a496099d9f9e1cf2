"""`siklus drill`"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from siklus.cli.control import author, project_control
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.registered import champion_of
from siklus.drill.catalogue import chosen
from siklus.drill.holding import Errand, hold
from siklus.drill.report import DrillReport, FaultReport, entry_of, file_report
from siklus.drill.sandbox import raw_project
from siklus.project.file import OpenProject
from siklus.registry.journal import Journal

MISSED = 1

app = command_app()


@app.command()
def drill(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Only this fault; repeatable.", show_default=False),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the sandboxes where they are, to look into them.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            min=1,
            help="Seconds that anything expected may take, instead of its own.",
            show_default=False,
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Prove that the loop works: faults on purpose in a copy of the project, and what follows of each.

    Drift, a missing column, a version that fails or is slow or learnt nonsense, a damaged bundle, a dead
    worker, a full disk: each in a sandbox with its own ports and mail server. The project itself is not
    touched; only the result is filed there. 0 when all of it was seen, 1 when something was missed.
    """
    found = opened(project)
    faults = chosen(only or [])
    began = time.monotonic()

    def tell(name: str, text: str) -> None:
        said = f"{name}: {text}" if name else text
        sys.stderr.write(f"{time.monotonic() - began:5.0f} s  {said}\n")

    with _folder(keep=keep) as folder:
        errand = Errand(
            project=found,
            raw=raw_project(found.paths.root, environment=os.environ),
            champion=champion_of(found),
            faults=faults,
            folder=folder,
            tell=tell,
            timeout=timeout,
        )
        report = hold(errand, now=datetime.now(UTC))
    path = _filed(found, report)
    if as_json:
        print_json(report)
    else:
        _show(report, path)
    return 0 if report.passed else MISSED


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="siklus-drill-"))
    try:
        yield folder
    finally:
        if keep:
            sys.stderr.write(f"siklus: the sandboxes are in {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _filed(project: OpenProject, report: DrillReport) -> Path:
    path = file_report(report, project.paths.state)
    with project_control(project) as control:
        journal = Journal(control, project.settings.project.name)
        journal.append(entry_of(report, author=author(), now=datetime.now(UTC)))
    return path


def _show(report: DrillReport, path: Path) -> None:
    console = results()
    rows = [row for fault in report.faults for row in _rows(fault)]
    console.print(table("", ["fault", "injected", "expected", "seen", "seconds"], rows))
    counts = {name: sum(fault.result == name for fault in report.faults) for name in RESULTS}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    console.print(
        f"\nVersion {report.version} of {report.model}: {told}, in {report.seconds:.0f} s.", markup=False
    )
    console.print("In the sandbox otherwise than in the project:", markup=False)
    for change in report.changes:
        console.print(f"  {change}", markup=False)
    console.print(f"Filed as {path}", markup=False)


RESULTS = ("passed", "missed", "skipped")


def _rows(fault: FaultReport) -> Iterator[tuple[str, str, str, str, str]]:
    """The fault, then a line for each thing that was expected of it."""
    seconds = "" if fault.seconds is None else f"{fault.seconds:.1f}"
    answered = f"{fault.requests:,} requests, {fault.failed:,} failed" if fault.requests else ""
    yield fault.name, fault.injected or fault.reason, f"→ {fault.result}", fault.reason or answered, seconds
    for finding in fault.findings:
        mark = "✓" if finding.met else "✗"
        when = "" if finding.seconds is None else f"{finding.seconds:.1f}"
        after = "" if finding.requests is None else f"after {finding.requests:,} requests: "
        yield "", "", f"{mark} {finding.expected}", after + finding.seen, when
