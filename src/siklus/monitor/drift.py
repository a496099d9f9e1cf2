"""Drift: a window of traffic against the reference, as values in and a report out."""

from collections.abc import Sequence

from siklus.monitor.drift_report import (
    PREDICTION,
    ColumnDrift,
    ColumnEvidence,
    DriftEvidence,
    DriftReport,
    Effect,
    Jump,
)
from siklus.project.sections import Monitor
from siklus.stats.profile import Profile

__all__ = [
    "PREDICTION",
    "ColumnDrift",
    "ColumnEvidence",
    "DriftEvidence",
    "DriftReport",
    "Effect",
    "Jump",
    "drift",
    "drift_watch",
]


def drift(reference: Profile, window: Profile, *, settings: Monitor) -> DriftReport:
    """Judge one window. ``window`` has the reference's bins: MonitorError MO001 otherwise."""
    raise NotImplementedError


def drift_watch(reference: Profile, steps: Sequence[Profile], *, settings: Monitor) -> DriftEvidence:
    """Judge traffic step by step, oldest first, as often as one likes. MO001 as `drift`."""
    raise NotImplementedError
