"""Expectations: what must follow from a fault, held against what was seen. Pure.

A sighting is one thing that happened in the sandbox; an expectation says which one must come, within how many
seconds of the fault (and how many requests), or must not come at all.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

# An alert, verdict or entry of the journal; a mail; a state of a retraining or a rollout; what became of a
# worker; a request that was not answered as it should; and what the fault itself has tried.
What: TypeAlias = Literal[
    "alert", "verdict", "journal", "mail", "retraining", "rollout", "worker", "trouble", "attempt"
]
Result: TypeAlias = Literal["passed", "missed", "skipped"]


class Sighting(Struct, frozen=True, kw_only=True):
    """One thing that was seen. ``seconds``: after the fault.

    ``about``: which one (a signal, a receiver, a job, a version); ``became``: its state then; ``text``: in
    words. ``requests``: that the fault had met by then, where that is counted.
    """

    what: What
    seconds: float
    about: str = ""
    became: str = ""
    text: str = ""
    requests: int | None = None


class Expectation(Struct, frozen=True, kw_only=True):
    """One thing that must be seen, or (``never``) must not be. Empty fields fit anything.

    ``became``: any of these. ``words``: all of them stand in the text, whatever their case. ``within``: at
    most so many seconds after the fault, and of what must not be: watched for at least so long. ``requests``:
    at most so many of those that it has met.
    """

    told: str
    what: What
    about: str = ""
    became: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    within: float
    requests: int | None = None
    never: bool = False

    def fits(self, sighting: Sighting) -> bool:
        """Whether this is what is meant, whenever it was seen.

        >>> wanted = Expectation(told="drift is told", what="mail", words=("drift",), within=5)
        >>> wanted.fits(Sighting(what="mail", seconds=9.0, text="Drift alarm of flights"))
        True
        """
        if self.what != sighting.what or self.about not in ("", sighting.about):
            return False
        text = sighting.text.casefold()
        return (not self.became or sighting.became in self.became) and all(
            word.casefold() in text for word in self.words
        )


class Finding(Struct, frozen=True, kw_only=True):
    """What became of one expectation. ``seconds``: when it was first seen; None where it was not."""

    expected: str
    met: bool
    seen: str
    seconds: float | None = None
    requests: int | None = None


def find(expectation: Expectation, sightings: Sequence[Sighting]) -> Finding:
    """Hold one expectation against all that was seen."""
    fitting = sorted((each for each in sightings if expectation.fits(each)), key=lambda each: each.seconds)
    if expectation.never:
        return _found_never(expectation, fitting)
    if not fitting:
        near = [each for each in sightings if each.what == expectation.what]
        seen = f"only {_words_of(near[-1])}" if near else "nothing of the kind"
        return Finding(expected=expectation.told, met=False, seen=seen)
    first = fitting[0]
    return Finding(
        expected=expectation.told,
        met=in_time(expectation, first),
        seen=_words_of(first),
        seconds=first.seconds,
        requests=first.requests,
    )


def in_time(expectation: Expectation, sighting: Sighting) -> bool:
    """Soon enough, by the clock and by requests."""
    if sighting.seconds > expectation.within:
        return False
    most = expectation.requests
    return most is None or (sighting.requests is not None and sighting.requests <= most)


def is_over(expectations: Sequence[Expectation], sightings: Sequence[Sighting], *, seconds: float) -> bool:
    """Whether nothing more can change the findings, ``seconds`` after the fault.

    What must come has come, or its time is up; what must not come has been watched for long enough.
    """
    return all(
        seconds >= each.within or (not each.never and any(each.fits(sighting) for sighting in sightings))
        for each in expectations
    )


def result_of(findings: Sequence[Finding]) -> Result:
    """Passed only when every expectation was met, and there was one."""
    return "passed" if findings and all(finding.met for finding in findings) else "missed"


def _found_never(expectation: Expectation, fitting: Sequence[Sighting]) -> Finding:
    if not fitting:
        return Finding(expected=expectation.told, met=True, seen="none")
    more = f" and {len(fitting) - 1} more" if len(fitting) > 1 else ""
    return Finding(
        expected=expectation.told,
        met=False,
        seen=_words_of(fitting[0]) + more,
        seconds=fitting[0].seconds,
    )


def _words_of(sighting: Sighting) -> str:
    """`alert drift_alarm: firing`, or what its text says."""
    name = " ".join(part for part in (sighting.what, sighting.about) if part)
    became = f": {sighting.became}" if sighting.became else ""
    text = f" ({sighting.text.splitlines()[0][:160]})" if sighting.text else ""
    return f"{name}{became}{text}"
