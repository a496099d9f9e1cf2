"""The team: which worker stands where, who is missing, and when the next one may come."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from siklus.serve.supervision.board import Phase, Row
from siklus.serve.supervision.pulse import SILENT_SECONDS, Pulse, is_stuck, sight_of
from siklus.serve.wire.listening import Listener

QUICK_DEATH_SECONDS = 10.0  # a worker that lives longer was none of a series
FIRST_PAUSE_SECONDS = 0.5  # after the second quick death; doubled by each further one
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(kw_only=True)
class Worker:
    """A process that was forked at ``born``. ``fault_at``: when the one that it replaces failed, if one did.

    Times are seconds of the monotonic clock.
    """

    pid: int
    row: Row
    born: float
    fault_at: float | None = None
    pulse: Pulse = field(default_factory=Pulse)
    has_served: bool = False

    def is_stuck(self, *, seconds: float, max_body_bytes: int) -> bool:
        """Whether it has to be ended, after these seconds since the last look."""
        silent = self.row.last_beat == self.pulse.beat and self.pulse.silent + seconds >= SILENT_SECONDS / 4
        sight = sight_of(self.pid) if silent else None
        self.pulse = self.pulse.after(seconds, beat=self.row.last_beat, sight=sight)
        return is_stuck(self.pulse, self.row.phase, max_body_bytes=max_body_bytes)

    def begins_to_serve(self) -> bool:
        """Whether it answers since the last look."""
        begins = not self.has_served and self.row.phase is Phase.SERVING
        self.has_served = self.has_served or begins
        return begins

    @property
    def is_ending(self) -> bool:
        """Whether it has answered, and is on its way out."""
        return self.has_served and self.row.phase is Phase.DRAINING


@dataclass(kw_only=True)
class Place:
    """Worker number ``number``, whoever it is. ``leaving``: the one before, while both stand here."""

    number: int
    listener: Listener
    worker: Worker | None = None
    leaving: Worker | None = None
    quick_deaths: int = 0
    next_birth: float = 0.0
    fault_at: float | None = None

    @property
    def is_manned(self) -> bool:
        return any(each is not None and each.has_served for each in (self.worker, self.leaving))

    def let_leave(self) -> None:
        """A worker that ends because somebody else told it to makes room for the next one at once."""
        worker = self.worker
        if worker is not None and worker.is_ending and self.leaving is None:
            self.worker, self.leaving = None, worker

    def lost(self, *, now: float) -> None:
        """Its worker has died: note when another one may come."""
        worker = self.worker
        if worker is not None:
            series = not worker.has_served or now - worker.born < QUICK_DEATH_SECONDS
            self.quick_deaths = self.quick_deaths + 1 if series else 1
            self.fault_at = worker.fault_at if not worker.has_served and worker.fault_at else now
        self.worker = None
        self.next_birth = now + pause_after(self.quick_deaths)

    def may_be_filled(self, *, now: float) -> bool:
        return self.worker is None and now >= self.next_birth


def cover(places: Sequence[Place]) -> None:
    """Have those who serve stand in for those who do not, so that nobody waits at an empty place."""
    answered = any(place.is_manned for place in places)
    for place in places:
        if place.worker is not None and not place.worker.has_served:
            place.worker.row.tell_of_others(answer=answered)
    if places[0].listener.inode is not None:
        return  # one socket for all: nobody waits for a particular worker
    serving = [place.worker for place in places if place.worker is not None and place.worker.has_served]
    missing = [place.number for place in places if not place.is_manned]
    for order, worker in enumerate(serving):
        wanted = frozenset(missing[order :: len(serving)])
        if worker.row.covers != wanted:
            worker.row.cover(wanted)


def pause_after(quick_deaths: int) -> float:
    """Seconds until the next try: none after the first death, then longer and longer.

    >>> [pause_after(deaths) for deaths in (0, 1, 2, 3, 4, 20)]
    [0.0, 0.0, 0.5, 1.0, 2.0, 30.0]
    """
    if quick_deaths < 2:
        return 0.0
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(quick_deaths - 2, 10), LONGEST_PAUSE_SECONDS)
