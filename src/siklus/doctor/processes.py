"""Processes of this project: who runs, who decides, and when somebody last looked."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from siklus.automation.lease import LEASES, Lease
from siklus.automation.retraining.retrained import lock_of
from siklus.doctor.case import Case
from siklus.doctor.databases import control_of
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.doctor.locks import held_locks, holder
from siklus.doctor.ports import holder_of
from siklus.errors import SiklusError
from siklus.ledgers.board import NAME as BOARD
from siklus.ledgers.board import Board
from siklus.ledgers.totals import read_totals
from siklus.ledgers.workers import living
from siklus.monitor.amounts import length_of_time
from siklus.monitor.rounds import LOCK as WATCH
from siklus.project.durations import seconds_of
from siklus.project.file import OpenProject

ABOUT = "processes"
UP = "up.lock"  # as `siklus up` names it
MISSED_LOOKS = 3  # of the watch, before it is said; a wide table may take one look's time
SOME_SECONDS = 60.0  # at least


class Running(Struct, frozen=True, kw_only=True):
    """``locks``: by what it is for, who holds it (0: nobody that this container sees). ``foreign``: of them
    those that are held by a process which is none of Siklus', with its command line.

    ``servers``: processes that answer or supervise; ``served``: seconds since the first of them began.
    ``looked``: seconds since the last look, or None.
    """

    servers: int
    served: float = 0.0
    locks: dict[str, int] = {}
    foreign: dict[str, str] = {}
    looked: float | None = None
    look_seconds: float = 60.0
    monitored: bool = True


def judge_running(seen: Running) -> list[Finding]:
    holders = [f"{what} (process {pid})" if pid else what for what, pid in seen.locks.items()]
    found = []
    if not seen.servers and not holders:
        found.append(note(ABOUT, "nothing of this project runs here", mend="`siklus up`, or `siklus serve`"))
    else:
        runs = [f"{seen.servers} of the server" if seen.servers else "no server", *holders]
        found.append(ok(ABOUT, ", ".join(runs)))
    for what, command in seen.foreign.items():
        pid = seen.locks[what]
        told = f"the lock of {what} is held by process {pid}, which does not look like Siklus: {command}"
        found.append(note(ABOUT, told, mend=f"`ps -fp {pid}` says more; end it if nobody needs it"))
    return [*found, *_watched(seen)]


def _watched(seen: Running) -> list[Finding]:
    """Whether the watch is alive, where there is something to be watched."""
    if not seen.servers or not seen.monitored:
        return []
    start = "`siklus watch`, or a server that is started by `siklus up` or `siklus serve`"
    due = max(MISSED_LOOKS * seen.look_seconds, SOME_SECONDS)
    if seen.looked is None:
        told = f"the server runs for {length_of_time(seen.served)}, and nobody has looked at its traffic yet"
        return [trouble("watch", told, mend=start)] if seen.served > due else [ok("watch", told)]
    ago = length_of_time(seen.looked)
    # What began just now has not had its time yet.
    if min(seen.looked, seen.served) > due:
        told = f"the last look was {ago} ago; one is due every {length_of_time(seen.look_seconds)}"
        return [trouble("watch", told, mend=f"the log of the watch says why (`look_failed`); {start}")]
    return [ok("watch", f"the last look was {ago} ago")]


def check_processes(_case: Case, project: OpenProject) -> Sequence[Finding]:
    return judge_running(_running(project, now=datetime.now(UTC).timestamp()))


def check_lease(_case: Case, project: OpenProject) -> Sequence[Finding]:
    """Which machine decides, of those that look at one control database."""
    try:
        with control_of(project) as control:
            if control is None or not control.has(LEASES):
                return []
            held = Lease(control, project.settings.project.name, holder="doctor", seconds=1.0).seen()
    except SiklusError:  # the check of the database says so
        return []
    if held is None:
        return []
    if held.over:
        told = f"{held.holder} held the lease of the loop and has not come back: nobody decides"
        return [note("lease", told, mend="`siklus up` here or there: whoever comes next takes it")]
    return [ok("lease", f"{held.holder} decides")]


def _running(project: OpenProject, *, now: float) -> Running:
    paths, held = project.paths, held_locks()
    files: Mapping[str, Path] = {
        "`siklus up`": paths.run / UP,
        "the watch": paths.run / WATCH,
        "a training": paths.lock,
        "a retraining": lock_of(paths),
    }
    locks = {what: pid for what, path in files.items() if (pid := holder(path, held)) is not None}
    commands = {what: holder_of(pid, state=paths.state).command for what, pid in locks.items() if pid > 0}
    alive = list(living(read_totals(paths.run / "counters").servers))
    return Running(
        servers=len(alive),
        served=max((now - each.usage.started for each in alive), default=0.0),
        locks=locks,
        foreign={what: told for what, told in commands.items() if "siklus" not in told},
        looked=_looked(paths.run / BOARD, now=now),
        look_seconds=seconds_of(project.settings.monitor.look),
        monitored=project.settings.monitor.enabled,
    )


def _looked(board: Path, *, now: float) -> float | None:
    """Seconds since the board was written, also of one that is too old to be shown."""
    try:
        written = msgspec.json.decode(board.read_bytes(), type=Board).written
    except (OSError, msgspec.MsgspecError):
        return None
    return max(now - written, 0.0)
