"""What a drill came to, as it is shown, filed and journaled."""

from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from siklus.drill.expectations import Finding, Result
from siklus.errors import DrillError
from siklus.files import write_atomic
from siklus.registry.journal import Entry, evidence_of

FORMAT = 1
KIND = "drill"  # of journal entries
FOLDER = "drills"  # in the state directory
MOST_BYTES = 10_000_000  # of a filed report; one has some ten thousand


class FaultReport(Struct, frozen=True, kw_only=True):
    """One fault. ``injected``: what was done, in words; ``reason``: why it was skipped, or could not be held.

    ``seconds``: from the fault to the last thing that was expected of it. ``requests``: asked meanwhile;
    ``failed``: of these, not answered.
    """

    name: str
    injected: str
    result: Result
    findings: tuple[Finding, ...] = ()
    seconds: float | None = None
    requests: int = 0
    failed: int = 0
    reason: str = ""


class DrillReport(Struct, frozen=True, kw_only=True):
    """One drill. ``version``: the project's own that was drilled, by number and digest.

    ``changes``: settings that the sandbox has otherwise than the project, as `[monitor] look = "1s"`.
    """

    format: int = FORMAT
    model: str
    version: int
    digest: str
    began: datetime
    seconds: float
    changes: tuple[str, ...]
    faults: tuple[FaultReport, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was missed, and something was really tried."""
        results = [fault.result for fault in self.faults]
        return "missed" not in results and "passed" in results


def file_report(report: DrillReport, state: Path) -> Path:
    """Keep it as `<state>/drills/<time>.json`; FileError FS001."""
    path = state / FOLDER / f"{report.began:%Y-%m-%dT%H%M%SZ}.json"
    write_atomic(path, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return path


def read_report(path: Path) -> DrillReport:
    """A filed drill; DrillError DR005 for what is none, or of another format."""
    wanted = f"a drill of format {FORMAT}, as `siklus drill` files it"
    try:
        with path.open("rb") as file:
            report = msgspec.json.decode(file.read(MOST_BYTES), type=DrillReport)
    except (OSError, msgspec.MsgspecError) as exc:
        raise DrillError("DR005", f"{path}: {exc}", expected=wanted) from exc
    if report.format != FORMAT:
        raise DrillError("DR005", f"{path}: format {report.format}", expected=wanted)
    return report


def entry_of(report: DrillReport, *, author: str, now: datetime) -> Entry:
    """The journal's entry: one sentence for people, the whole report as evidence."""
    counts = dict.fromkeys(("passed", "missed", "skipped"), 0)
    for fault in report.faults:
        counts[fault.result] += 1
    missed = ", ".join(fault.name for fault in report.faults if fault.result == "missed")
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Entry(
        time=now,
        kind=KIND,
        subject=f"version {report.version}",
        author=author,
        text=f"drill of version {report.version}: {told}" + (f" (missed: {missed})" if missed else ""),
        evidence=evidence_of(report),
    )
