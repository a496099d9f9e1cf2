"""The disk under the state directory: room, inodes, and how long it takes until something is really on it."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.doctor.mounts import mount_of
from siklus.monitor.amounts import amount, length_of_time

LEAST_FREE = 200_000_000  # bytes: a training's snapshot and bundles of a small project need about half of it
LITTLE_FREE = 2_000_000_000
LEAST_INODES = 1_000  # a training makes about a hundred files
SLOW_SYNC_SECONDS = 0.1  # `durability = "synced"` waits so long for each group of outcomes
SAMPLE_BYTES = 1_000_000
ABOUT = "disk"


class Disk(Struct, frozen=True, kw_only=True):
    """``growth``: bytes that the prediction log may still take. ``sync_seconds``: of one megabyte, written
    and synced; None where it was refused, with the reason in ``refused``. Inodes are 0 where there are none.
    """

    path: str
    total: int
    free: int
    inodes: int
    free_inodes: int
    growth: int = 0
    sync_seconds: float | None = None
    refused: str = ""


def judge_disk(disk: Disk) -> list[Finding]:
    """One finding, or one for each thing that is not right."""
    see = f"`du -xh --max-depth=2 {disk.path} | sort -h | tail` shows what takes it"
    free = f"{amount(disk.free, 'bytes')} of {amount(disk.total, 'bytes')} are free at {disk.path}"
    found = []
    if disk.refused:
        cure = f"`chown -R $(id -u) {disk.path}`; in a container, a volume mounted there"
        found.append(trouble(ABOUT, f"{disk.path} cannot be written: {disk.refused}", mend=cure))
    if disk.free < LEAST_FREE:
        found.append(trouble(ABOUT, f"only {free}", mend=see))
    elif disk.free < disk.growth:
        more = amount(disk.growth, "bytes")
        wanted = f"{free}, and the prediction log may grow by {more} ([records] keep_bytes)"
        found.append(note(ABOUT, wanted, mend=f"a smaller keep_bytes or keep_days in [records]; {see}"))
    elif disk.free < LITTLE_FREE:
        found.append(note(ABOUT, f"only {free}", mend=see))
    if disk.inodes and disk.free_inodes < LEAST_INODES:
        told = f"{disk.free_inodes:,} of {disk.inodes:,} inodes are free at {disk.path}"
        cure = f"`du -x --inodes {disk.path} | sort -n | tail` shows where the many small files are"
        found.append(trouble("inodes", told, mend=cure))
    if disk.sync_seconds is not None and disk.sync_seconds > SLOW_SYNC_SECONDS:
        told = f"1 MB takes {length_of_time(disk.sync_seconds)} until it is on the disk at {disk.path}"
        found.append(
            note("disk speed", told, mend='[state] directory on a local disk; durability = "written"')
        )
    if found:
        return found
    speed = (
        ""
        if disk.sync_seconds is None
        else f"; 1 MB is written and synced in {length_of_time(disk.sync_seconds)}"
    )
    return [ok(ABOUT, f"{free}{speed}")]


def check_disk(case: Case) -> Sequence[Finding]:
    found = judge_disk(look_at_disk(case))
    mount = mount_of(case.home)
    if mount is not None and mount.shared:
        told = f"{case.home} is on {mount.kind}, a network file system"
        cure = "[state] directory on a local disk, and [state] control at a PostgreSQL, where it is shared"
        found.append(note("file system", told, mend=cure))
    return found


def look_at_disk(case: Case) -> Disk:
    """Writes one megabyte and takes it away again."""
    seen = os.statvfs(case.home)
    seconds, refused = None, ""
    try:
        seconds = _sync(case.home)
    except OSError as exc:
        refused = exc.strerror or str(exc)
    return Disk(
        path=str(case.home),
        total=seen.f_blocks * seen.f_frsize,
        free=seen.f_bavail * seen.f_frsize,
        inodes=seen.f_files,
        free_inodes=seen.f_favail,
        growth=_growth(case),
        sync_seconds=seconds,
        refused=refused,
    )


def _sync(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder) as file:
        begun = time.perf_counter()
        file.write(bytes(SAMPLE_BYTES))
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - begun


def _growth(case: Case) -> int:
    if case.project is None or not case.project.settings.records.enabled:
        return 0
    taken = sum(file.stat().st_size for file in case.project.paths.records.rglob("*") if file.is_file())
    return max(case.project.settings.records.keep_bytes - taken, 0)
