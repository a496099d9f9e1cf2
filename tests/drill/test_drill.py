"""A drill for real: server, loop, mails and faults, in a sandbox of a project that stays as it is."""

import json
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from siklus.drill.report import DrillReport, read_report
from tests.cli.projects import Answer, answered, mixed_rows, new_project, siklus, spawned
from tests.figures import Figure

QUICK = ("--only", "dead-worker", "--only", "corrupt-bundle", "--only", "full-disk")
PATIENT = ("--timeout", "300")  # a machine with much else to do is slow, and not wrong
# A receiver that must hear nothing: its mails come to the drill.
RECEIVER = """
[notify.ops-mail]
kind = "mail"
to = ["ops@example.com"]
smtp = "smtp://127.0.0.1:9"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained, with numbers, words, gaps, booleans and days. To be drilled only."""
    folder = tmp_path_factory.mktemp("drilled") / "mixed"
    new_project(folder, mixed_rows(1_500), "--key", "id", more=RECEIVER)
    answered("train", "-C", folder)
    return folder


def drilled(project: Path, *words: str) -> tuple[Answer, DrillReport]:
    before = set((project / ".siklus").glob("drills/*"))
    answer = siklus("drill", "-C", project, "--json", *words)
    [path] = set((project / ".siklus").glob("drills/*")) - before
    return answer, read_report(path)


def told(report: DrillReport) -> str:
    """What was missed, for whoever reads of a test that failed."""
    return "\n".join(
        f"{fault.name} {fault.reason} {[each for each in fault.findings if not each.met]}"
        for fault in report.faults
        if fault.result != "passed"
    )


def kept(project: Path) -> dict[str, bytes]:
    """All that a drill must leave as it is; it files its result, and journals it."""
    mine = ("drills", "control.db")
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and not any(name in str(path) for name in mine)
    }


def test_the_faults_of_a_server_are_seen_to_and_the_project_stays_as_it_is(
    project: Path, figure: Figure
) -> None:
    before = kept(project)
    answer, report = drilled(project, *QUICK, *PATIENT)
    assert answer.code == 0, told(report)
    assert [fault.name for fault in report.faults] == ["corrupt-bundle", "dead-worker", "full-disk"]
    assert json.loads(answer.out)["faults"][0]["result"] == "passed"
    assert kept(project) == before
    assert sum(fault.failed for fault in report.faults) == 0
    for fault in report.faults:
        figure(f"drill, {fault.name}: seconds until all was seen", f"{fault.seconds}")
    with sqlite3.connect(project / ".siklus" / "control.db") as database:
        [(kind, text)] = database.execute("SELECT kind, text FROM journal").fetchall()
    database.close()
    assert (kind, text) == ("drill", "drill of version 1: 3 passed, 0 missed, 0 skipped")


def test_a_rule_that_is_switched_off_is_a_miss(project: Path, tmp_path: Path) -> None:
    """The very fault whose alert nobody would have heard."""
    answer = siklus(
        "drill", "-C", project, "--json", "--only", "full-disk", "--timeout", "12",
        MONITOR__DEFAULT_ALERTS="false",
    )  # fmt: skip
    assert answer.code == 1
    [fault] = answer.document["faults"]
    assert fault["result"] == "missed"
    met = {finding["expected"]: finding["met"] for finding in fault["findings"]}
    assert met["alert on log_dropped"] is False
    assert met["no request fails"] is True
    shown = siklus("drill", "-C", project, "--only", "dead-workers")
    assert (shown.code, "'dead-worker'?" in shown.err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_a_drill_that_is_ended(
    project: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = spawned("drill", "-C", project, *QUICK, env={"TMPDIR": str(tmp_path)})
    try:
        eventually(lambda: bool(living(tmp_path, "siklus.serve")), "no sandbox was opened")
        process.send_signal(number)
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    eventually(lambda: not living(tmp_path), "something lives on")
    if number != signal.SIGKILL:
        assert list(tmp_path.iterdir()) == []


def living(folder: Path, word: str = "") -> list[str]:
    """The processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if str(folder) in line and word in line]


def eventually(true: Callable[[], bool], what: str, *, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.1)


@pytest.mark.slow
def test_all_faults_are_seen_to(project: Path, figure: Figure) -> None:
    answer, report = drilled(project, *PATIENT)
    assert answer.code == 0, told(report)
    assert {fault.result for fault in report.faults} == {"passed"}
    for fault in report.faults:
        figure(f"drill, {fault.name}: seconds until all was seen", f"{fault.seconds}")
        figure(f"drill, {fault.name}: requests meanwhile, and failed", f"{fault.requests}, {fault.failed}")
    figure("drill: seconds in all", f"{report.seconds:.0f}")
