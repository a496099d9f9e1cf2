"""The clock: whether it jumps, and whether it agrees with those of the machines that this project speaks to.

Splits by time, leases, the ages of looks and certificates all go by it.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import sqlalchemy as sa
from msgspec import Struct

from siklus.asking import ask
from siklus.automation.lease import CLOCKS
from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.errors import SiklusError
from siklus.monitor.amounts import length_of_time
from siklus.project.file import FILE_NAME, OpenProject
from siklus.registry.control import control_uri, open_control

APART_SECONDS = 2.0  # HTTP tells whole seconds
FAR_APART_SECONDS = 30.0  # beyond it a lease is taken from whoever holds it
JUMP_SECONDS = 0.05
WATCHED_SECONDS = 0.5
ABOUT = "clock"
SET = "`timedatectl set-ntp true`, or chrony; in a container it is the host's clock that counts"


class Clock(Struct, frozen=True, kw_only=True):
    """``now``: Unix time. ``jumped``: seconds that it moved on beside the monotonic clock, while it was
    watched. ``ahead``: by whose clock, and by how many seconds it is before it."""

    now: float
    jumped: float
    ahead: dict[str, float] = {}


def judge_clock(clock: Clock) -> list[Finding]:
    """
    >>> [each.state for each in judge_clock(Clock(now=1.8e9, jumped=0.0, ahead={"the database": -45.0}))]
    ['trouble']
    """
    found = []
    if abs(clock.jumped) > JUMP_SECONDS:
        told = f"it jumped by {clock.jumped:+.3f} s within {WATCHED_SECONDS} s"
        found.append(trouble(ABOUT, told, mend=f"one program alone that sets it: {SET}"))
    for whose, seconds in clock.ahead.items():
        if abs(seconds) > APART_SECONDS:
            way = "ahead of" if seconds > 0 else "behind"
            told = f"{length_of_time(abs(seconds))} {way} {whose}"
            told_as = trouble if abs(seconds) > FAR_APART_SECONDS else note
            found.append(told_as(ABOUT, told, mend=SET))
    if found:
        return found
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(clock.now))
    agrees = (
        f", and agrees with {', '.join(clock.ahead)}" if clock.ahead else "; there is none to compare it with"
    )
    return [ok(ABOUT, f"{moment} UTC{agrees}")]


def check_clock(case: Case) -> Sequence[Finding]:
    wall, steady = time.time(), time.monotonic()
    ahead = dict(_others(case))
    time.sleep(max(WATCHED_SECONDS - (time.monotonic() - steady), 0.0))
    now = time.time()
    jumped = (now - wall) - (time.monotonic() - steady)
    return judge_clock(Clock(now=now, jumped=jumped, ahead=ahead))


def _others(case: Case) -> Iterator[tuple[str, float]]:
    """By whose clock this one is held; one that does not answer is another check's to say."""
    if case.project is None:
        return
    written = _written(case.project) - time.time()
    if written > APART_SECONDS:
        yield "what was written here last", -written
    settings = case.project.settings
    urls = {"the tracking server": settings.state.tracking_uri, "Prometheus": settings.monitor.prometheus}
    for whose, url in urls.items():
        if url is not None and url.startswith("http"):
            ahead = ask(url, seconds=case.seconds).ahead
            if ahead is not None:
                yield whose, ahead
    control = settings.state.control
    if control is not None and control.startswith("postgres"):
        found = _of_database(case, control)
        if found is not None:
            yield "the control database", found


def _written(project: OpenProject) -> float:
    """When a file of the project was written last, in Unix time: no true clock is before that."""
    paths, times = project.paths, [0.0]
    for file in (paths.root / FILE_NAME, paths.tracking_database, paths.control_database):
        with suppress(OSError):
            times.append(file.stat().st_mtime)
    return max(times)


def _of_database(case: Case, url: str) -> float | None:
    if case.project is None:
        return None
    paths = case.project.paths
    try:
        with (
            open_control(control_uri(url, paths.root), file=paths.control_database) as control,
            control.transaction() as connection,
        ):
            begun = time.time()
            theirs = connection.execute(sa.text(CLOCKS[connection.dialect.name])).scalar_one()
            ended = time.time()
    except SiklusError:
        return None
    return float((begun + ended) / 2 - theirs / 1000)
