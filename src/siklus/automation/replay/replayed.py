"""Replayed: what came of logged requests that a candidate was asked, and what speaks against it."""

from datetime import datetime

import msgspec

from siklus.contract.columns import Task
from siklus.monitor.amounts import amount, counted, length_of_time
from siklus.stats.challenge import ChallengeEvidence

# Of the rows that the champion answers, those that a candidate may leave unanswered: so few show up in a
# canary as well as here, and a single row that nobody would send again is no reason.
MOST_LOST = 0.001
# What a request takes beside its row: whoever waits for both together hardly sees 50 µs become 100.
REQUEST_SECONDS = 0.0002


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why rows were not answered. ``code``: of a refusal, as in docs/problems.md; "" where the model failed.

    ``first``: the id of the first of these predictions.
    """

    code: str
    column: str | None
    message: str
    rows: int
    first: str


class Distances(msgspec.Struct, frozen=True, kw_only=True):
    """How far the candidate's answers are from those that were given, over ``rows`` rows.

    Of numbers: what it says minus what was said, ``mean``; and the quantiles of the absolute difference. Of
    classes the same of the probability of the class that was answered.
    """

    rows: int
    mean: float
    median: float
    p90: float
    p99: float
    largest: float


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that were answered by the one class, and by the candidate with the other."""

    answered: str
    candidate: str
    rows: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the rows. ``same``: of the answered ones; ``distance``: their mean absolute difference.

    ``gain``: by how much the candidate's loss is lower than the champion's, on the ``labelled`` rows.
    """

    name: str
    rows: int
    unanswered: int
    same: float | None
    distance: float | None
    labelled: int
    gain: float | None


class Far(msgspec.Struct, frozen=True, kw_only=True):
    """One of the rows on which the candidate is farthest from what was answered."""

    prediction_id: str
    version: str
    features: dict[str, object]
    answered: str | int | float | bool
    candidate: str | int | float | bool
    distance: float
    outcome: str | float | None = None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Processor seconds of one row alone, decoded and scored: half take less, and 99 in 100 do."""

    median: float
    p99: float


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Both on the same ``rows``, in turn, each the quickest of some runs."""

    rows: int
    candidate: Cost
    champion: Cost

    def factor(self, *, beside: float = REQUEST_SECONDS) -> float:
        """How much longer a request takes, at the median or at the 99 % quantile, where that is more."""
        pairs = (
            (self.candidate.median, self.champion.median),
            (self.candidate.p99, self.champion.p99),
        )
        return max((ours + beside) / (theirs + beside) for ours, theirs in pairs)


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Logged rows of the time from ``since`` until ``until``, asked of ``version`` and of ``champion``.

    ``logged``: rows of that time, of which ``rows`` were drawn. Of these the candidate ``answered`` some;
    ``refused``: they break its contract; ``failed``: its model did; ``invalid``: it said no finite number.
    ``lost``: those that it did not answer, and the champion does. ``same``: answers that were the same.

    ``quality``: candidate against champion on the ``labelled`` rows that both answer, by the loss that stands
    for ``metric``; ``unseen``: of these rows only such as were answered after both were trained.
    """

    version: str
    champion: str
    task: Task
    metric: str
    since: datetime
    until: datetime
    logged: int
    rows: int
    answered: int
    refused: int
    failed: int
    invalid: int
    lost: int
    same: int
    reasons: tuple[Reason, ...] = ()
    distances: Distances | None = None
    switches: tuple[Switch, ...] = ()
    groups: dict[str, tuple[Part, ...]] = {}
    farthest: tuple[Far, ...] = ()
    latency: Latency | None = None
    labelled: int = 0
    unseen: bool = True
    champion_loss: float | None = None
    quality: ChallengeEvidence | None = None
    seconds: float = 0.0

    @property
    def unanswered(self) -> int:
        return self.rows - self.answered


def replay_refusal(found: Replay, *, latency_factor: float, most_lost: float = MOST_LOST) -> str:
    """Why the candidate should meet no user; "" where nothing speaks against it.

    ``latency_factor``: how much longer a request may take than the champion's; ``most_lost``: the share of
    rows that it may leave unanswered where the champion answers them.
    """
    if found.rows and found.lost > most_lost * found.rows:
        first = f", such as {_said(found.reasons[0])}" if found.reasons else ""
        share = amount(found.lost / found.rows, "share")
        return (
            f"it does not answer {counted(found.lost, 'row')} of {found.rows:,} ({share}) that "
            f"version {found.champion} answers{first}"
        )
    if found.latency is not None and found.latency.factor() > latency_factor:
        ours, theirs = found.latency.candidate, found.latency.champion
        return (
            f"it is too slow: a row takes {length_of_time(ours.median)} (99 %: {length_of_time(ours.p99)}), "
            f"of version {found.champion} {length_of_time(theirs.median)} ({length_of_time(theirs.p99)}); "
            f"with all else a request takes {found.latency.factor():.1f} times as long, "
            f"and may {latency_factor:g} times"
        )
    return ""


def _said(reason: Reason) -> str:
    where = f" in {reason.column}" if reason.column else ""
    return f"{reason.code}{where}: {reason.message}" if reason.code else reason.message
