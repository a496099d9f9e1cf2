"""Figures: what was measured, its medians, and the ratios that are the result.

Every ratio is ours divided by the other's: throughput better above 1, everything else better below.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from msgspec import Struct

from benchmarks.serving.contenders import SIKLUS


class Figure(Struct, frozen=True, kw_only=True):
    """One contender in one setting of one session: a round's, or the medians over its rounds.

    ``per_second``: requests, in a batch setting rows. ``cpu_us``: that one of these costs, in all of the
    server's processes together.
    """

    session: str
    contender: str
    setting: str
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


class Standing(Struct, frozen=True, kw_only=True):
    """What a contender costs before and beside its answers; memory (PSS) is that after single rows."""

    session: str
    contender: str
    startup_s: float
    memory_mb: float


@dataclass(frozen=True)
class Measure:
    """A number of a figure, and what its ratio is called."""

    name: str
    attribute: str


MEASURES = (
    Measure("throughput", "per_second"),
    Measure("p50", "p50_ms"),
    Measure("p99", "p99_ms"),
    Measure("cpu", "cpu_us"),
)


def medians(rounds: Iterable[Figure]) -> list[Figure]:
    """One figure for each contender and setting of each session, in the order of their first round."""
    groups: dict[tuple[str, str, str], list[Figure]] = {}
    for figure in rounds:
        groups.setdefault((figure.session, figure.contender, figure.setting), []).append(figure)
    return [
        Figure(
            session=session,
            contender=contender,
            setting=setting,
            per_second=median(figure.per_second for figure in group),
            p50_ms=median(figure.p50_ms for figure in group),
            p99_ms=median(figure.p99_ms for figure in group),
            cpu_us=median(figure.cpu_us for figure in group),
        )
        for (session, contender, setting), group in groups.items()
    ]


def ratios(figures: Sequence[Figure], standings: Sequence[Standing]) -> dict[str, float]:
    """`throughput_c16_vs_baseline` and the like: ours ÷ the other's, both of the same session.

    ``figures``: medians, each contender, setting and session once.
    """
    found: dict[str, float] = {}
    ours = {(figure.session, figure.setting): figure for figure in figures if figure.contender == SIKLUS}
    for other in figures:
        mine = ours.get((other.session, other.setting))
        if mine is None or other.contender == SIKLUS:
            continue
        for measure in MEASURES:
            name = f"{measure.name}_{other.setting}_vs_{_key(other.contender)}"
            found[name] = _ratio(getattr(mine, measure.attribute), getattr(other, measure.attribute))
    for standing in standings:
        own = next(each for each in standings if (each.session, each.contender) == (standing.session, SIKLUS))
        if standing is not own:
            found[f"memory_vs_{_key(standing.contender)}"] = _ratio(own.memory_mb, standing.memory_mb)
            found[f"startup_vs_{_key(standing.contender)}"] = _ratio(own.startup_s, standing.startup_s)
    return found


def _key(contender: str) -> str:
    return contender.replace("-", "_")


def _ratio(mine: float, other: float) -> float:
    # A clock that ticks a hundred times a second sees nothing of a server that was hardly asked.
    return float(f"{mine / other:.4g}") if other else float("inf")
