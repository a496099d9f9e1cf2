"""What was found about a project: traces of what stands there or has happened, by the sign that they give."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

ANSWERS_LAST = (
    12  # times as long as what was exercised: within 30 days, an answer is asked again after a year
)
NOTHING, HALF, FULL = 0.0, 0.5, 1.0
APART = timedelta(days=1)  # that clocks of several machines and time zones may be

Kind: TypeAlias = Literal["configured", "exercised", "answered"]
# A place that keeps evidence. Where one cannot be read, what it would show is unknown, not missing.
Area: TypeAlias = Literal["files", "pipelines", "registry", "journal", "watch", "records", "git", "answers"]


class Trace(Struct, frozen=True, kw_only=True):
    """One piece of evidence. ``said``: a sentence's part; ``where``: where a person finds it.

    ``when``: in UTC, of whatever has happened or was answered; None for what stands there. ``most``: what it
    is worth at most: 0.5 where it shows only a part or was done by hand, 0 for the answer "no". ``mend``: the
    command that would make a part the whole.
    """

    kind: Kind
    said: str
    where: str
    when: datetime | None = None
    most: float = FULL
    mend: str = ""


class Facts(Struct, frozen=True, kw_only=True):
    """All that was found, the newest first. ``unknown``: places that could not be read, and why."""

    project: str
    traces: Mapping[str, tuple[Trace, ...]] = {}
    unknown: Mapping[Area, str] = {}


class Sighting(Struct, frozen=True):
    """A trace of the sign that is called ``sign``."""

    sign: str
    trace: Trace


class Lens(Struct, frozen=True, kw_only=True):
    """How facts are looked at: what has happened ``within`` this time before ``now`` counts in full."""

    now: datetime
    within: timedelta

    def worth(self, trace: Trace) -> float:
        """0, 0.5 or 1: configured is half; exercised full, and half once it is old, or as long as one of the
        clocks that told it lies; an old answer is none."""
        if trace.kind == "configured" or trace.when is None:
            return min(HALF, trace.most)
        age = self.now - trace.when
        if trace.kind == "answered":
            return trace.most if age <= ANSWERS_LAST * self.within else NOTHING
        return trace.most if -APART <= age <= self.within else min(HALF, trace.most)

    def told(self, trace: Trace) -> str:
        """When it was, beside how long it counts: "12 days ago"; "" for what stands there."""
        if trace.when is None:
            return ""
        if trace.when - self.now > APART:
            return "in the future, by this clock"
        days = (self.now - trace.when).days
        return "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"


def together(sightings: Iterable[Sighting]) -> dict[str, tuple[Trace, ...]]:
    """By sign, the newest first; what stands there without a time comes last."""
    found: dict[str, list[Trace]] = {}
    for each in sightings:
        found.setdefault(each.sign, []).append(each.trace)
    return {sign: tuple(sorted(traces, key=_newest_first)) for sign, traces in found.items()}


def _newest_first(trace: Trace) -> float:
    return float("inf") if trace.when is None else -trace.when.timestamp()
