"""A drill's result is filed, journaled and read again; passed is only what was really seen."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from siklus.drill.expectations import Finding, Result
from siklus.drill.report import DrillReport, FaultReport, entry_of, file_report, read_report
from siklus.errors import DrillError

NOW = datetime(2026, 11, 1, 12, 30, 5, tzinfo=UTC)


def fault(name: str, result: Result) -> FaultReport:
    finding = Finding(expected="an alert", met=result == "passed", seen="alert", seconds=2.5)
    return FaultReport(name=name, injected="kill -9", result=result, findings=(finding,), seconds=2.5)


def report(*results: Result) -> DrillReport:
    return DrillReport(
        model="flights",
        version=3,
        digest="0" * 64,
        began=NOW,
        seconds=61.0,
        changes=('[monitor] look = "1s"',),
        faults=tuple(fault(f"fault-{i}", result) for i, result in enumerate(results)),
    )


@pytest.mark.parametrize(
    ("results", "passed"),
    [
        (["passed", "passed"], True),
        (["passed", "skipped"], True),
        (["passed", "missed"], False),
        (["skipped", "skipped"], False),
        ([], False),
    ],
)
def test_skipped_is_not_passed(results: list[Result], passed: bool) -> None:
    assert report(*results).passed is passed


def test_what_was_filed_is_read_again(tmp_path: Path) -> None:
    path = file_report(report("passed", "missed"), tmp_path)
    assert path == tmp_path / "drills" / "2026-11-01T123005Z.json"
    assert read_report(path) == report("passed", "missed")


def test_the_first_format_is_read_for_ever() -> None:
    golden = Path(__file__).parent / "golden" / "drill-1.json"
    found = read_report(golden)
    assert (found.model, found.version, found.passed) == ("flights", 3, False)
    assert found == report("passed", "missed", "skipped")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff"])
def test_what_is_no_drill_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DrillError, match="DR005"):
        read_report(tmp_path / "x.json")
    with pytest.raises(DrillError, match="DR005"):
        read_report(tmp_path / "none.json")


def test_another_format_is_refused(tmp_path: Path) -> None:
    later = msgspec.structs.replace(report("passed"), format=2)
    with pytest.raises(DrillError, match="format 2"):
        read_report(file_report(later, tmp_path))


def test_the_journal_has_a_sentence_and_the_whole_report() -> None:
    entry = entry_of(report("passed", "missed", "skipped"), author="anna", now=NOW)
    assert (entry.kind, entry.subject, entry.author) == ("drill", "version 3", "anna")
    assert entry.text == "drill of version 3: 1 passed, 1 missed, 1 skipped (missed: fault-1)"
    assert msgspec.json.decode(entry.evidence, type=DrillReport) == report("passed", "missed", "skipped")
