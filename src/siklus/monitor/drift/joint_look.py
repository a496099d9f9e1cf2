"""`python -m siklus.monitor.drift.joint_look --project DIR`: the look at all columns together.

The watch has it done once a day. It needs scikit-learn and seconds, so it is a process of its own that ends.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from siklus.errors import SiklusError
from siklus.events import tell
from siklus.files import write_atomic
from siklus.monitor.drift.joint import JointDrift, joint_drift_between
from siklus.monitor.subject import Pinned, Subjects, add_subject_options, pinned_by
from siklus.project.durations import MONTH_SECONDS, NEVER, seconds_of
from siklus.project.file import OpenProject, open_project

NAME = "joint.json"  # in the run directory
RETRY_SECONDS = 600.0  # after a process that has left no answer
SOON = timedelta(hours=1)  # after one that could say nothing yet


class JointSeen(Struct, frozen=True, kw_only=True):
    """``found``: None where it could not be said, and ``reason`` says why."""

    time: datetime
    version: str
    found: JointDrift | None
    reason: str = ""

    @property
    def tells(self) -> bool:
        """Whether there were rows enough to say anything."""
        return self.found is not None and self.found.verdict != "too few"


class JointErrand:
    """Starts that process when it is due, and reads what it has written."""

    def __init__(self, project: OpenProject, pinned: Pinned | None) -> None:
        words = ["--project", str(project.paths.root)]
        if pinned is not None:
            words += ["--bundle", str(pinned.bundle), "--version", pinned.version]
        self._run, self._every = project.paths.run, project.settings.monitor.joint
        self._command = [sys.executable, "-m", "siklus.monitor.drift.joint_look", *words]
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -RETRY_SECONDS

    def look(self, version: str, *, now: datetime) -> JointSeen | None:
        """The last one of this version that is not older than two periods; None without one."""
        if self._every == NEVER:
            return None
        seen, period = read_joint(self._run), timedelta(seconds=seconds_of(self._every))
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        rest = period if seen is not None and seen.tells else min(period, SOON)
        is_due = seen is None or seen.version != version or not timedelta(0) <= now - seen.time < rest
        if is_due and self._process is None and time.monotonic() - self._started >= RETRY_SECONDS:
            self._started = time.monotonic()
            nothing = subprocess.DEVNULL
            self._process = subprocess.Popen(self._command, stdin=nothing, stdout=nothing)
        return seen if seen is not None and seen.version == version and now - seen.time < 2 * period else None

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def read_joint(run: Path) -> JointSeen | None:
    """What was written last; None without anything that can be read."""
    try:
        return msgspec.json.decode((run / NAME).read_bytes(), type=JointSeen)
    except (OSError, msgspec.MsgspecError):
        return None


def look_at_all_columns(project: OpenProject, *, pinned: Pinned | None, now: datetime) -> JointSeen | None:
    """The last period's logged rows against training; None while nothing is served.

    A month of such looks together has the stated rate of false alarms (Bonferroni).
    """
    subject = Subjects(project.paths, pinned=pinned).current()
    if subject is None:
        return None
    settings, seconds = project.settings.monitor, seconds_of(project.settings.monitor.joint)
    rate = settings.false_alarm_rate * min(1.0, seconds / MONTH_SECONDS)
    since = now - timedelta(seconds=seconds)
    try:
        found = joint_drift_between(
            subject.bundle,
            since,
            now,
            paths=project.paths,
            settings=replace(settings, false_alarm_rate=rate),
        )
    except SiklusError as error:  # rows that nobody kept: the next day may have them
        return JointSeen(time=now, version=subject.version, found=None, reason=str(error))
    return JointSeen(time=now, version=subject.version, found=found)


def main(arguments: Sequence[str]) -> int:
    """Look once: 0; 2 on a broken project file."""
    parser = argparse.ArgumentParser(prog="python -m siklus.monitor.drift.joint_look")
    add_subject_options(parser)
    given = parser.parse_args(arguments)
    try:
        project = open_project(given.project, environment=os.environ)
        seen = look_at_all_columns(project, pinned=pinned_by(given), now=datetime.now(UTC))
        if seen is not None:
            write_atomic(project.paths.run / NAME, msgspec.json.encode(seen))
    except SiklusError as error:
        tell("joint_look_failed", level="error", code=error.code, reason=str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
