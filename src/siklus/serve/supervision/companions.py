"""Companions: other programs that run beside the workers, and whose end harms none of them."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from siklus.project.sections import Records
from siklus.records.layout import Layout
from siklus.records.segments import SEALED
from siklus.serve.supervision.forking import die_with_parent
from siklus.serve.supervision.team import pause_after

LOW_PRIORITY = 10  # added to an errand's niceness: requests go first
ERRAND_SECONDS = 30.0
REST_SECONDS = 3600.0  # what is too old is deleted no later, though nobody asks the server anything
LONG_LIFE_SECONDS = 60.0  # a companion that lived so long is started again at once
STOP_SECONDS = 5.0  # for what is told to end; then it is killed

_LOG = logging.getLogger("siklus.serve")


@dataclass(kw_only=True)
class Companion:
    """A program that is started again whenever it ends; later and later if it never lives long."""

    argv: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    ends: int = 0
    next_start: float = 0.0

    def look(self, *, now: float) -> None:
        if self.process is not None and self.process.poll() is not None:
            _LOG.warning("companion_ended", extra={"argv": self.argv, "code": self.process.returncode})
            self._rest(now=now)
        if self.process is None and now >= self.next_start:
            self.born = now
            self.process = _start(self.argv)
            if self.process is None:
                self._rest(now=now)

    def _rest(self, *, now: float) -> None:
        self.process = None
        self.ends = 1 if now - self.born >= LONG_LIFE_SECONDS else self.ends + 1
        self.next_start = now + pause_after(self.ends)


@dataclass(kw_only=True)
class Errand:
    """A program that does a piece of work and ends; started every so often, where there is work.

    And once an hour anyhow: there may be work that only the program itself sees.
    """

    argv: Sequence[str]
    is_needed: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = None
    next_start: float = 0.0
    due_anyhow: float | None = None  # an hour after the first look or the last start

    def look(self, *, now: float) -> None:
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            if code:
                _LOG.warning("errand_failed", extra={"argv": self.argv, "code": code})
            self.process = None
        if self.due_anyhow is None:
            self.due_anyhow = now + REST_SECONDS
        if now >= self.next_start:
            self.next_start = now + ERRAND_SECONDS
            if now >= self.due_anyhow or self.is_needed():
                self.due_anyhow = now + REST_SECONDS
                self.process = _start(self.argv, niceness=LOW_PRIORITY)


def upkeep(state: Path, records: Records) -> Errand:
    """Turns sealed segments of the log into Parquet and deletes what is too old; without DuckDB only that."""
    try:
        metadata.version("duckdb")
        module = "siklus.records.compact"
    except metadata.PackageNotFoundError:
        module = "siklus.records.retention"
    layout = Layout(state / "records")
    words = ["--records", str(layout.root), "--keep-days", str(records.keep_days)]
    return Errand(
        argv=[sys.executable, "-m", module, *words, "--keep-bytes", str(records.keep_bytes)],
        is_needed=partial(_has_sealed_segments, layout.segments),
    )


def end(companions: Sequence[Companion | Errand]) -> None:
    """Tell all of them to end, and wait for it; whoever does not is killed."""
    running = [each.process for each in companions if each.process is not None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _has_sealed_segments(segments: Path) -> bool:
    return any(segments.glob(f"*{SEALED}"))


def _start(argv: Sequence[str], *, niceness: int = 0) -> subprocess.Popen[bytes] | None:
    parent = os.getpid()

    def before() -> None:
        os.nice(niceness)
        die_with_parent(parent)

    try:
        # What they have to say goes to stderr, as ours does.
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            process_group=0,  # a terminal's Ctrl-C is for the supervisor, which ends them
            # The supervisor has one thread, so that running something between fork and exec is safe.
            preexec_fn=before,  # noqa: PLW1509
        )
    except OSError as exc:
        _LOG.warning("companion_failed", extra={"argv": argv, "reason": str(exc)})
        return None
