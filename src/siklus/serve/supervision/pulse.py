"""Pulse: whether a worker that does not say how it is can be helped by waiting.

A wall clock alone would kill the innocent: reading a body of 16 MB as JSON may hold Python's lock for more
than a second, and a crowded machine stretches that at will. So what counts is what the process does
meanwhile. One that uses no processor is stopped or blocked for good; one that does is given much longer.
"""

from dataclasses import dataclass
from pathlib import Path

from siklus.serve.supervision.board import Phase

SILENT_SECONDS = 0.8  # eight beats; a shorter silence means nothing
STILL_SECONDS = 0.6  # of no processor time within it: stopped, or waiting for what never comes
LOADING_SECONDS = 120.0  # opening a large model may hold Python's lock all the while
# Of processor time without a beat: a worker that turns in a circle. 16 MB of `[]` take 1.2 s to read.
RUNAWAY_SECONDS = 5.0
CROWDED_TIMES = 3.0  # as long, for a worker that would run if the machine or its disk let it
RUNAWAY_SECONDS_PER_BYTE = RUNAWAY_SECONDS / 16_000_000

STAT_AFTER_NAME = 3  # /proc/PID/stat: the fields behind the name in brackets start with number 3
UTIME, STIME = 14 - STAT_AFTER_NAME, 15 - STAT_AFTER_NAME
TICKS_A_SECOND = 100  # of the processor times there: a constant of Linux's interface


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A process as it looks from outside. ``waits``: it would run, if processor or disk were free."""

    processor_seconds: float
    waits: bool


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """Since the last beat: seconds of ``silent`` and, within them, ``still`` time and time ``burnt``.

    ``sight``: the last look at the process, None before the first of this silence.
    """

    beat: int = 0
    silent: float = 0.0
    still: float = 0.0
    burnt: float = 0.0
    sight: Sight | None = None

    def after(self, seconds: float, *, beat: int, sight: Sight | None) -> "Pulse":
        """The pulse so many seconds later. ``sight`` is needed once the silence is long."""
        if beat != self.beat:
            return Pulse(beat=beat)
        silent = self.silent + seconds
        if sight is None or self.sight is None:
            return Pulse(beat=beat, silent=silent, sight=sight)
        used = sight.processor_seconds - self.sight.processor_seconds
        still = 0.0 if used or sight.waits else self.still + seconds
        return Pulse(beat=beat, silent=silent, still=still, burnt=self.burnt + used, sight=sight)


def is_stuck(pulse: Pulse, phase: Phase, *, max_body_bytes: int) -> bool:
    """Whether nothing can be expected of this worker any more."""
    if phase in (Phase.NEW, Phase.LOADING):
        return pulse.silent >= LOADING_SECONDS or pulse.still >= SILENT_SECONDS + STILL_SECONDS
    if pulse.silent < SILENT_SECONDS:
        return False
    runaway = max(RUNAWAY_SECONDS, RUNAWAY_SECONDS_PER_BYTE * max_body_bytes)
    longest = runaway * CROWDED_TIMES
    return pulse.still >= STILL_SECONDS or pulse.burnt >= runaway or pulse.silent >= longest


def sight_of(pid: int) -> Sight | None:
    """Look at a process of this machine; None when it is gone."""
    try:
        state, used = _stat(Path(f"/proc/{pid}/stat"))
        # The lock may be held by another thread than the first.
        states = [_stat(task / "stat")[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Sight(processor_seconds=used, waits=any(each in "RD" for each in [state, *states]))


def _stat(path: Path) -> tuple[str, float]:
    """State letter and processor seconds; the name before them may hold anything, brackets too."""
    fields = path.read_text().rpartition(")")[2].split()
    return fields[0], (int(fields[UTIME]) + int(fields[STIME])) / TICKS_A_SECOND
