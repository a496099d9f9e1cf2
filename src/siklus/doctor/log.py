"""The prediction log: what was dropped, what dead writers have left, what is damaged, how large it is."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.doctor.locks import held_locks, holder
from siklus.ledgers.totals import read_totals
from siklus.monitor.amounts import amount, counted
from siklus.project.file import OpenProject
from siklus.records.layout import Layout
from siklus.records.segments import OPEN

ABOUT = "prediction log"


class Kept(Struct, frozen=True, kw_only=True):
    """``abandoned``: segments that no living process writes, and that are not sealed. ``dropped``: records,
    since counting began."""

    where: str
    taken: int
    most: int
    written: int = 0
    dropped: int = 0
    abandoned: int = 0
    damaged: int = 0


def judge_log(log: Kept) -> list[Finding]:
    found = []
    if log.dropped:
        told = f"{log.dropped:,} records were dropped, and {log.written:,} written"
        cure = "a quicker disk, or one with room: `siklus doctor` measures it; see docs/records.md"
        found.append(trouble(ABOUT, told, mend=cure))
    if log.damaged:
        told = f"{counted(log.damaged, 'segment')} with unreadable places in {log.where}/damaged"
        found.append(
            note(ABOUT, told, mend="`siklus log` leaves out what was unreadable; look, then `rm` them")
        )
    if log.abandoned:
        told = f"{counted(log.abandoned, 'segment')} of writers that died, not sealed; they can be read"
        found.append(note(ABOUT, told, mend="the next `siklus serve` or `siklus up` seals them"))
    if found:
        return found
    share = f"{amount(log.taken, 'bytes')} of at most {amount(log.most, 'bytes')}"
    return [ok(ABOUT, f"{share}; {log.written:,} records written here, none dropped")]


def check_log(_case: Case, project: OpenProject) -> Sequence[Finding]:
    records = project.settings.records
    if not records.enabled:
        cure = "[records] enabled = true"
        return [note(ABOUT, "is switched off: no drift by labels, no retraining on answers", mend=cure)]
    layout, held = Layout(project.paths.records), held_locks()
    servers = read_totals(project.paths.run / "counters").servers
    return judge_log(
        Kept(
            where=str(layout.root),
            taken=sum(_size(file) for file in layout.root.rglob("*")),
            most=records.keep_bytes,
            written=sum(server.total("log", "written") for server in servers),
            dropped=sum(server.total("log", "dropped") for server in servers),
            abandoned=sum(holder(file, held) is None for file in layout.segments.glob(f"*{OPEN}")),
            damaged=len(list(layout.damaged.glob("*"))),
        )
    )


def _size(file: Path) -> int:
    """0 for what a compaction has just moved away."""
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:
        return 0
