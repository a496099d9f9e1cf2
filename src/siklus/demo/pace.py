"""How the demo goes through the year: every flight, or a sample that is through within three minutes."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

LABEL_DAYS = 2  # after a flight, until its time in the air is told
BATCH_FLIGHTS = 10  # of one request: a rollout deals whole requests, and needs many

Name: TypeAlias = Literal["whole", "fast"]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """``one_in``: of so many flights, chosen by their hash, one is taken. ``days``: after which labels are
    sent and the loop has its turn. ``labels``: after so many it trains anew, whatever their errors are.
    ``min_labels`` and ``min_requests``: as in [retrain] and [rollout].
    """

    name: Name
    one_in: int
    days: int
    candidates: tuple[str, ...]
    trials: int
    jobs: int
    steps: tuple[str | float, ...]
    labels: int
    min_labels: int
    min_requests: int


WHOLE = Pace(
    name="whole",
    one_in=1,
    days=2,
    candidates=("linear", "hist-gradient-boosting"),
    trials=4,
    jobs=2,
    steps=("shadow", 0.1, 0.5, 1.0),
    labels=30_000,
    min_labels=4_000,
    min_requests=50,
)
FAST = Pace(
    name="fast",
    one_in=4,
    days=4,
    candidates=("linear",),
    trials=1,
    jobs=1,  # a process of its own takes longer to start than this takes to fit
    steps=("shadow", 0.25, 1.0),
    labels=8_000,
    min_labels=1_000,
    min_requests=20,
)
