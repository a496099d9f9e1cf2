"""Looks: what Siklus says of one window of rows, and of its days one after another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from benchmarks.months.champion import METRIC, Champion
from benchmarks.months.rivals import Rivals, judged_by_others
from siklus.demo.flights import JOINED
from siklus.monitor.drift.judge import drift, drift_watch
from siklus.monitor.drift.report import PREDICTION, ColumnDrift
from siklus.monitor.drift.rows import WindowRows, decode_leniently, profile_window
from siklus.monitor.quality.floors import verdict_of
from siklus.monitor.quality.report import Verdict
from siklus.project.sections import Monitor
from siklus.stats.anytime import anytime_estimate, floor_evidence
from siklus.stats.intervals import Estimate, estimate
from siklus.stats.losses import Floats
from siklus.stats.profile import Profile
from siklus.table import FloatRows, Table

DAYS = 30  # of a month
SETTINGS = Monitor(step="1d")  # labels and steps come by the day here; all else as by default


class Moved(Struct, frozen=True, kw_only=True):
    """A column that raised the alarm, and how far it has moved: as a shift of a mean by so many σ."""

    name: str
    sigmas: float | None
    psi: float | None


class Look(Struct, frozen=True, kw_only=True):
    """One window.

    ``alarming``: of ``columns``, those that raise the one look's alarm, the farthest first.
    ``farthest_number``: of the numbers that are no weather, alarming or not. ``drift_day`` and
    ``quality_day``: after how many days the alarms that may be looked at each day were raised; None: never.
    ``mae`` with its interval, ``always`` the one that holds on all days together; ``verdict`` on the floor.
    """

    name: str
    rows: int
    columns: int
    drift: bool
    farthest_number: Moved
    alarming: tuple[Moved, ...]
    prediction_moved: bool
    drift_day: int | None
    mae: Estimate
    always: Estimate
    verdict: Verdict
    quality_day: int | None
    others: Rivals


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows with their outcomes, in the order of their days; ``days``: where each day's rows begin."""

    name: str
    profile: Profile
    matrix: FloatRows
    truth: Floats
    answers: Floats
    days: tuple[int, ...]
    parts: tuple[Profile, ...]


def window_of(name: str, table: Table, days: Sequence[int], champion: Champion) -> Window:
    """What a server would have counted of these rows, all together and day by day."""
    matrix = decode_leniently(table, champion.contract).rows.matrix
    rows = WindowRows(champion.contract, matrix, champion.answer(matrix))
    answers = np.asarray(rows.answers)
    each = [
        WindowRows(champion.contract, matrix[start:end], answers[start:end])
        for start, end in zip(days, [*days[1:], len(table)], strict=True)
    ]
    return Window(
        name=name,
        profile=profile_window(rows, champion.reference),
        matrix=matrix,
        truth=table[champion.contract.target.name].astype(np.float64),
        answers=answers,
        days=tuple(days),
        parts=tuple(profile_window(part, champion.reference) for part in each),
    )


def look_at(window: Window, champion: Champion) -> Look:
    """Everything that is said of one window; it is looked at from its first day on."""
    found = drift(champion.reference, window.profile, settings=SETTINGS)
    mae = estimate(METRIC, window.truth, window.answers, seed=0)
    return Look(
        name=window.name,
        rows=len(window.matrix),
        columns=len(found.columns),
        drift=found.alarm,
        farthest_number=max(
            (_moved(column) for column in found.columns if column.kind == "numeric" and is_input(column)),
            key=_psi,
        ),
        alarming=tuple(sorted(map(_moved, found.alarming), key=_psi, reverse=True)),
        prediction_moved=found.column(PREDICTION).alarming,
        drift_day=drift_day(window.parts, champion),
        mae=mae,
        always=anytime_estimate(METRIC, window.truth, window.answers, seed=0),
        verdict=verdict_of(mae, champion.floor, labelled=len(window.truth), fewest=SETTINGS.min_rows),
        quality_day=quality_day(window, champion),
        others=judged_by_others(champion.contract, champion.matrix, window.matrix),
    )


def is_input(column: ColumnDrift) -> bool:
    """Neither weather nor an answer."""
    return column.role == "column" and column.name not in JOINED


def _moved(column: ColumnDrift) -> Moved:
    return Moved(name=column.name, sigmas=column.effect.sigmas if column.effect else None, psi=column.psi)


def _psi(column: Moved) -> float:
    return column.psi or 0.0


def drift_day(days: Sequence[Profile], champion: Champion) -> int | None:
    """After how many days the evidence alarms."""
    for day in range(1, len(days) + 1):
        if drift_watch(champion.reference, days[:day], settings=SETTINGS).alarm:
            return day
    return None


def quality_day(window: Window, champion: Champion) -> int | None:
    """After how many days of labels the alarm about the floor is raised."""
    ends = [*window.days[1:], len(window.truth)]
    for day, end in enumerate(ends, start=1):
        found = floor_evidence(
            METRIC,
            window.truth[:end],
            window.answers[:end],
            starts=window.days[:day],
            floor=champion.floor.limit,
            threshold=DAYS / SETTINGS.false_alarm_rate,
        )
        if found.alarm:
            return day
    return None
