"""Facts made by hand: what the rubrics ask for, all of it there, at a given moment."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from siklus.assess.facts import Facts, Kind, Lens, Trace
from siklus.assess.judging import Standing, judged
from siklus.assess.questions import ASK
from siklus.assess.rubrics.catalogue import RUBRICS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LENS = Lens(now=NOW, within=timedelta(days=30))

# Each scale's criteria with their needs, as one list.
NEEDS = [
    (rubric.name, criterion, need)
    for rubric in RUBRICS.values()
    for criterion in rubric.criteria
    for need in criterion.needs
]
SIGNS_ASKED = sorted({sign for _, _, need in NEEDS for sign in need})


def trace(sign: str, *, ago: timedelta = timedelta(days=1), most: float = 1.0) -> Trace:
    """One of the sign, as it would be told in full."""
    kind: Kind = "answered" if sign.startswith(ASK) else "exercised"
    return Trace(kind=kind, said=f"{sign} was seen", where="a test", when=NOW - ago, most=most)


def everything(**how: object) -> dict[str, tuple[Trace, ...]]:
    """A trace of whatever any scale asks for."""
    return {sign: (trace(sign, **how),) for sign in SIGNS_ASKED}  # type: ignore[arg-type]  # of `trace`


def standings(traces: Mapping[str, tuple[Trace, ...]], *, lens: Lens = LENS) -> dict[str, Standing]:
    facts = Facts(project="line", traces=traces)
    return {name: judged(rubric, facts, lens) for name, rubric in RUBRICS.items()}


def scores(traces: Mapping[str, tuple[Trace, ...]], *, lens: Lens = LENS) -> dict[tuple[str, str], float]:
    """Each criterion's, by its scale and key."""
    found = standings(traces, lens=lens)
    return {(name, each.key): each.score for name, one in found.items() for each in one.findings}


def values(traces: Mapping[str, tuple[Trace, ...]], *, lens: Lens = LENS) -> dict[str, float]:
    return {name: one.value for name, one in standings(traces, lens=lens).items()}
