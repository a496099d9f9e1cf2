"""Looking again and again: evidence for drift that may be looked at after every step of traffic."""

from collections.abc import Mapping, Sequence

import msgspec

from siklus.stats.profile import ColumnProfile, Counts
from siklus.stats.shift import TOLERANCE

STARTS = 60  # the latest steps from which a drift may have begun


class ColumnEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence against one column: ln e since the start that speaks most, ``since`` steps ago (1: the last).

    ``part``: "bins" or "slots", whichever says more. ``effect``: the distance δ of `siklus.stats.shift`
    since then. ``alarm``: the evidence is enough, and the effect is beyond the tolerance.
    """

    log_evidence: float
    since: int
    part: str
    effect: float
    alarm: bool


class DriftEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Of all columns; a column alarms from ``log_threshold`` on."""

    log_threshold: float
    columns: dict[str, ColumnEvidence]

    @property
    def alarm(self) -> bool:
        return any(column.alarm for column in self.columns.values())


def drift_evidence(
    references: Mapping[str, ColumnProfile],
    steps: Sequence[Mapping[str, Counts]],
    *,
    false_alarm_rate: float,
    steps_per_month: int,
    tolerance: float = TOLERANCE,
) -> DriftEvidence:
    """What the last steps say, oldest first; those before the last 60 are not looked at.

    A step holds the counts of that step alone, over the reference's bins; one without rows says nothing.
    """
    raise NotImplementedError
