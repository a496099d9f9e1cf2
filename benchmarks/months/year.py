"""The year: its months as windows, and the same rows at random, where nothing drifts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.months.champion import Champion, fitted
from benchmarks.months.looks import DAYS, Look, look_at, window_of
from siklus.contract.columns import Contract
from siklus.demo.flights import TIME, month_of
from siklus.project.sections import Project
from siklus.table import Table, concatenate

NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
         "November", "December")  # fmt: skip


def month(folder: Path, number: int, *, rows: int | None = None) -> Table:
    """All flights of a month by their time, or ``rows`` of them at random."""
    table = month_of(folder, number)
    if rows is not None and rows < len(table):
        chosen = np.random.default_rng(number).choice(len(table), rows, replace=False)
        table = table.take(chosen)
    return table.take(np.argsort(table[TIME], kind="stable"))


def months(champion: Champion, tables: Sequence[tuple[str, Table]]) -> Iterator[Look]:
    """A look at each month, day by day; before them, at the days that January's model was judged on."""
    held = champion.held.take(np.argsort(champion.held[TIME], kind="stable"))
    for name, table in [(f"{NAMES[0]}, held out", held), *tables]:
        yield look_at(window_of(name, table, days_of(table), champion), champion)


def days_of(table: Table) -> list[int]:
    """Where each UTC day begins in rows that are in order."""
    days = table[TIME].astype("datetime64[D]")
    return np.flatnonzero(np.concatenate([[True], days[1:] != days[:-1]])).tolist()


@dataclass(frozen=True, kw_only=True)
class Shuffle:
    """``seed``: of the order. ``fit_rows``: a fifth of them is held out. ``windows``: at most so many."""

    seed: int
    fit_rows: int
    window_rows: int
    windows: int


def control(table: Table, contract: Contract, settings: Project, shuffle: Shuffle) -> Iterator[Look]:
    """The same looks at rows in random order: a model of some of them, and windows of the others.

    Each window is cut into as many days as a month has.
    """
    order = np.random.default_rng(shuffle.seed).permutation(len(table))
    held, rows = shuffle.fit_rows, shuffle.window_rows
    cut = held - held // 5
    champion = fitted(table.take(order[:cut]), table.take(order[cut:held]), contract, settings)
    days = np.linspace(0, rows, DAYS + 1).astype(np.int64)[:-1].tolist()
    for number in range(min(shuffle.windows, (len(order) - held) // rows)):
        places = order[held + number * rows : held + (number + 1) * rows]
        yield look_at(window_of(f"{rows:,} random rows", table.take(places), days, champion), champion)


def whole_year(folder: Path) -> Table:
    return concatenate([month_of(folder, number) for number in range(1, 13)])
