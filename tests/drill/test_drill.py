"""A drill for real: server, loop, mails and faults, in a sandbox of a project that stays as it is."""

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


def drilled(project: Path, *words: str, **environment: str) -> tuple[Answer, DrillReport]:
    before = set((project / ".siklus").glob("drills/*"))
    answer = siklus("drill", "-C", project, "--json", *words, **environment)
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


def test_what_must_follow_is_seen_where_it_does_and_missed_where_nobody_would_have_heard(
    project: Path, figure: Figure
) -> None:
    """Without rules nobody hears of a full disk; another worker takes a dead one's place all the same."""
    before = kept(project)
    answer, report = drilled(
        project, "--only", "dead-worker", "--only", "full-disk", "--timeout", "10",
        MONITOR__DEFAULT_ALERTS="false",
    )  # fmt: skip
    assert answer.code == 1
    assert [fault["result"] for fault in answer.document["faults"]] == ["passed", "missed"], told(report)
    dead, full = report.faults
    assert (dead.failed, full.failed) == (0, 0)
    met = {finding.expected: finding.met for finding in full.findings}
    assert met["alert on log_dropped"] is False
    assert met["no request fails"] is True
    assert kept(project) == before
    with sqlite3.connect(project / ".siklus" / "control.db") as database:
        [(kind, text)] = database.execute("SELECT kind, text FROM journal").fetchall()
    database.close()
    assert (kind, text) == ("drill", "drill of version 1: 1 passed, 1 missed, 0 skipped (missed: full-disk)")
    figure("drill, dead-worker: seconds until all was seen", f"{dead.seconds}")


def test_a_fault_that_is_none_is_refused(project: Path) -> None:
    shown = siklus("drill", "-C", project, "--only", "dead-workers")
    assert (shown.code, "'dead-worker'?" in shown.err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_a_drill_that_is_ended(
    project: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = spawned("drill", "-C", project, "--only", "full-disk", env={"TMPDIR": str(tmp_path)})
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
