"""Limits: open files, shared memory and memory, against what this project's processes need."""

import os
import resource
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.doctor.mounts import mount_of
from siklus.monitor.amounts import amount

ABOUT = "limits"
# Resident, measured with small models; what rows and models take comes on top.
WORKER_BYTES = 110_000_000
LOOP_BYTES = 200_000_000
TRAINING_BYTES = 450_000_000
JOB_BYTES = 210_000_000
OWN_FILES = 64  # that a worker has open beside its connections
LEAST_SHARED = 32_000_000  # bytes of /dev/shm: what processes of a search pass to each other
CGROUP = Path("/sys/fs/cgroup")
V1_UNLIMITED = 1 << 60  # how cgroups of version 1 write that there is no limit


class Limits(Struct, frozen=True, kw_only=True):
    """``memory``: bytes that this process and its children may have; ``limited`` where a cgroup says so.
    ``shared``: free bytes of /dev/shm, None without one. ``cores``: may be a part of one."""

    open_files: int
    memory: int
    limited: bool
    shared: int | None
    cores: float


class Needs(Struct, frozen=True, kw_only=True):
    """``connections``: of one worker."""

    workers: int = 0
    connections: int = 0
    jobs: int = 0

    @property
    def serving(self) -> int:
        return self.workers * WORKER_BYTES

    @property
    def training(self) -> int:
        return LOOP_BYTES + TRAINING_BYTES + self.jobs * JOB_BYTES


def judge_limits(limits: Limits, needs: Needs) -> list[Finding]:
    found = []
    if limits.open_files < needs.connections + OWN_FILES:
        told = f"{limits.open_files:,} open files, and a worker may have {needs.connections:,} connections"
        cure = (
            f"`ulimit -n {needs.connections + OWN_FILES}` (LimitNOFILE in systemd), or fewer max_connections"
        )
        found.append(trouble("open files", told, mend=cure))
    memory = amount(limits.memory, "bytes") + (" (the limit of this container)" if limits.limited else "")
    if needs.workers and limits.memory < needs.serving:
        told = f"{memory}, and {needs.workers} workers need about {amount(needs.serving, 'bytes')}"
        found.append(trouble("memory", told, mend="a higher limit, or fewer [serve] workers"))
    elif needs.workers and limits.memory < needs.serving + needs.training:
        told = f"{memory}; serving and a retraining at once need about "
        told += amount(needs.serving + needs.training, "bytes")
        found.append(note("memory", told, mend="a higher limit, fewer [train] jobs, or the loop elsewhere"))
    if limits.shared is not None and limits.shared < LEAST_SHARED:
        told = f"{amount(limits.shared, 'bytes')} free in /dev/shm, which a search's processes share"
        found.append(
            note("shared memory", told, mend="`--shm-size=128m` for the container, or [train] jobs = 1")
        )
    if needs.workers > max(limits.cores, 1):
        told = f"{needs.workers} workers on {limits.cores:g} processors"
        found.append(note("processors", told, mend=f"[serve] workers = {max(int(limits.cores), 1)}"))
    if found:
        return found
    return [ok(ABOUT, f"{limits.open_files:,} open files, {memory} of memory, {limits.cores:g} processors")]


def check_limits(case: Case) -> Sequence[Finding]:
    needs = Needs()
    if case.project is not None:
        serve, train = case.project.settings.serve, case.project.settings.train
        needs = Needs(workers=serve.workers, connections=serve.max_connections, jobs=train.jobs)
    return judge_limits(limits_here(), needs)


def limits_here() -> Limits:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _memory_limit()
    there = _available()
    return Limits(
        open_files=1 << 30 if soft == resource.RLIM_INFINITY else soft,
        memory=there if limit is None else min(there, limit),
        limited=limit is not None and limit < there,
        shared=_shared(),
        cores=_cores(),
    )


def _available() -> int:
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _memory_limit() -> int | None:
    """Of this cgroup, as the container sees it; None without one."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # `max` is no number, and no limit
            limit = int((CGROUP / name).read_text())
            return limit if limit < V1_UNLIMITED else None
    return None


def _cores() -> float:
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with suppress(OSError, ValueError):
        quota, period = (CGROUP / "cpu.max").read_text().split()
        return min(cores, int(quota) / int(period))
    return cores


def _shared() -> int | None:
    place = Path("/dev/shm")  # noqa: S108 - asked how large it is; nothing is written there
    if mount_of(place) is None or not place.is_dir():
        return None
    seen = os.statvfs(place)
    return seen.f_bavail * seen.f_frsize
