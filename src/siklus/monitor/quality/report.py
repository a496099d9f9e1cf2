"""Quality: what live answers are worth once their outcomes are known, and how sure that is."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from siklus.stats.intervals import Estimate
from siklus.stats.scores import Task

# `beyond`: the whole interval is beyond the floor; `unsure`: the floor lies inside of it.
Verdict: TypeAlias = Literal["no labels yet", "too few labels", "keeps", "unsure", "beyond", "no floor"]
FloorSource: TypeAlias = Literal["[monitor] floor", "[gates]", "evaluation"]


class Labels(Struct, frozen=True, kw_only=True):
    """How many predictions have their outcome, and after how many seconds it came; None without any."""

    predictions: int
    labelled: int
    coverage: float | None
    delay_median: float | None
    delay_p90: float | None


class QualityPart(Struct, frozen=True, kw_only=True):
    """The predictions of one stretch of time, version, arm or value of a column, which is its ``name``.

    ``metrics``: by name; empty where no prediction has its outcome. ``verdict`` is about the watched metric,
    and about this part alone: of many parts some look bad by chance, so it raises no alarm.
    """

    name: str
    since: datetime
    until: datetime
    labels: Labels
    metrics: dict[str, Estimate]
    verdict: Verdict


class QualityFloor(Struct, frozen=True, kw_only=True):
    """The bound that the watched metric must keep: ``comparison`` is `<=`, `<`, `>=` or `>`.

    ``limit`` is in the metric's own unit. ``said``: the bound and where it is from, in a sentence.
    """

    metric: str
    comparison: str
    limit: float
    source: FloorSource
    said: str


class QualityAlarm(Struct, frozen=True, kw_only=True):
    """Whether the champion's quality is beyond the floor, by a test that may be looked at any time.

    ``rows``: labelled rows, in the order in which their outcomes came. ``estimate``: the watched metric on
    them, with bounds that hold at all times together (None below 100 rows). ``log_evidence``: ln of the
    e-detector's statistic over the last 60 steps with outcomes; the alarm is raised at ``log_threshold``.
    ``since``: when the outcomes began to come that speak most against it.
    """

    rows: int
    estimate: Estimate
    log_evidence: float
    log_threshold: float
    since: datetime | None
    alarm: bool
    said: str


class LabelBias(Struct, frozen=True, kw_only=True):
    """Whether rows with their outcome were answered like those without, by an X² test of what was predicted.

    ``names``: classes, or intervals of numbers; ``labelled`` and ``unlabelled``: rows in each. ``distance``:
    half the sum of the shares' differences, between 0 and 1.
    """

    names: tuple[str, ...]
    labelled: tuple[int, ...]
    unlabelled: tuple[int, ...]
    p: float
    distance: float
    differs: bool
    said: str


class ClientShare(Struct, frozen=True, kw_only=True):
    """One sender of outcomes, by the name of its API key (None: without a key).

    ``share``: of all outcomes of the stretch. ``without``: the watched metric without this client's outcomes.
    """

    client: str | None
    labelled: int
    share: float
    without: Estimate


class Expected(Struct, frozen=True, kw_only=True):
    """An estimate of quality without labels, over ``rows`` answered rows: it assumes P(y|x) unchanged.

    ``metrics``: by name, without intervals, since the assumption cannot be seen in the rows.
    ``confusion``: expected rows by true class (down) and predicted class (across), of two classes.
    """

    rows: int
    metrics: dict[str, float]
    confusion: tuple[tuple[float, ...], ...] | None
    said: str


class QualityReport(Struct, frozen=True, kw_only=True):
    """Everything about the predictions made from ``since`` until before ``until``.

    ``whole`` has every metric of the task, its parts the watched one (``metric``) and those that were asked
    for. ``windows``: the same stretch cut in equal ones. ``groups``: by `version`, `arm` and columns: ranges
    of numbers in their order, of anything else the largest part first. ``alarm`` is None without labels of
    the champion or without a floor; ``expected`` where it cannot be estimated. ``remarks``: what a reader
    must know, in plain words.
    """

    name: str
    task: Task
    metric: str
    level: float
    since: datetime
    until: datetime
    champion: str | None
    whole: QualityPart
    windows: tuple[QualityPart, ...] = ()
    groups: dict[str, tuple[QualityPart, ...]] = {}
    floor: QualityFloor | None = None
    alarm: QualityAlarm | None = None
    expected: Expected | None = None
    bias: LabelBias | None = None
    clients: tuple[ClientShare, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def beyond(self) -> bool:
        """Whether quality is beyond its floor, in this stretch alone or by the test of all looks."""
        return self.whole.verdict == "beyond" or (self.alarm is not None and self.alarm.alarm)
