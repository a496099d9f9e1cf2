"""The year as it passes: some days' flights at a time, and what became of each of them later."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.demo.flights import TIME, months_of
from siklus.demo.pace import LABEL_DAYS, Pace
from siklus.table import Table

YEAR = 2013
DAY = np.timedelta64(1, "D")

Label: TypeAlias = tuple[str, float]  # a prediction's id, and what came true


@dataclass(frozen=True)
class Days:
    """The flights of some days of one month, by departure. ``until``: the first moment after them."""

    month: int
    first: date
    last: date
    flights: Table

    @property
    def until(self) -> np.datetime64:
        return np.datetime64(self.last) + DAY

    def __len__(self) -> int:
        return len(self.flights)


def year(folder: Path, *, pace: Pace, months: Sequence[int]) -> Iterator[Days]:
    """Month by month, the last days of each as many as are left."""
    for month, found in months_of(folder, months, pace=pace):
        flights = found.take(np.argsort(found[TIME], kind="stable"))
        first = date(YEAR, month, 1)
        length = (date(YEAR + month // 12, month % 12 + 1, 1) - first).days
        # Times are in UTC: a late flight of the last evening is one of the next month there.
        departed = (flights[TIME].astype("datetime64[D]") - np.datetime64(first)) // DAY
        day = np.clip(departed.astype(np.int64), 0, length - 1)
        for start in range(0, length, pace.days):
            end = min(start + pace.days, length)
            chosen = np.flatnonzero((day >= start) & (day < end))
            days = first + timedelta(days=start), first + timedelta(days=end - 1)
            yield Days(month, *days, flights.take(chosen))


@dataclass
class Awaited:
    """Labels that are still to be told, each LABEL_DAYS after its flight departed."""

    waiting: list[tuple[np.datetime64, Label]] = field(default_factory=list)

    def add(self, departed: NDArray[Any], ids: Sequence[str], outcomes: NDArray[np.float64]) -> None:
        told = zip(ids, outcomes.tolist(), strict=True)
        self.waiting += [
            (moment + LABEL_DAYS * DAY, label) for moment, label in zip(departed, told, strict=True)
        ]

    def known(self, until: np.datetime64) -> list[Label]:
        """Those that are told before ``until``, which are waited for no longer."""
        due = [label for moment, label in self.waiting if moment < until]
        self.waiting = [(moment, label) for moment, label in self.waiting if moment >= until]
        return due
