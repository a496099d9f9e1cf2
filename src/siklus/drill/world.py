"""The world that a drill asks about: rows with what comes true of them, and how faults change it. Pure.

Rows as in training are calm by construction: what is alarming afterwards is the fault. Their outcomes are the
training's own targets.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Label,
    Number,
    Tensor,
    Text,
)

Instance: TypeAlias = dict[str, Any]

HAIR = 1e-6  # of the way to the mean: far less than any bin is wide
SHIFT = 1.5  # standard deviations, by which numbers are moved
COLUMNS = 2  # that are moved
RARE = 0.02  # share of the rows that a word has at least, to become everybody's


@dataclass(frozen=True, kw_only=True)
class World:
    """``instances``: rows as a client sends them; ``outcomes``: what comes true of each, for /feedback.

    ``middles``: of columns of many different numbers, their mean. A row is sent a hair's breadth nearer to
    it, so that it is a new one, as rows of the world are, and no copy of one that a model was fitted on.
    """

    instances: Sequence[Instance]
    outcomes: Sequence[Label | float]
    middles: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.instances)

    def row(self, place: int, chance: float) -> Instance:
        """The row to send; ``chance``: between 0 and 1, which tells it from its copies."""
        row = self.instances[place]
        near = {
            name: cell + (middle - cell) * HAIR * chance
            for name, middle in self.middles.items()
            if isinstance(cell := row.get(name), float)
        }
        return {**row, **near}


def with_middles(world: World, contract: Contract) -> World:
    """The same with the columns found that tell one row from another."""
    middles = {}
    for column in contract.columns:
        cells = [cell for row in world.instances if isinstance(cell := row.get(column.name), float)]
        if isinstance(column, Number) and len(set(cells)) > len(world) / 2:
            middles[column.name] = float(np.mean(cells))
    return replace(world, middles=middles)


def worthiest(contract: Contract, worth: Mapping[str, float] | None) -> list[Column]:
    """The columns, those first that the model needs most; as they stand where that is not known."""
    known = worth or {}
    return sorted(contract.columns, key=lambda column: -known.get(column.name, 0.0))


def moved(world: World, columns: Sequence[Column]) -> tuple[World, list[str]]:
    """Covariate drift: numbers shifted, words mixed otherwise; and what was moved, in words.

    The first columns that can be moved within their contract, two at most; none, where nothing can.
    """
    instances: Sequence[Instance] = world.instances
    told: list[str] = []
    for column in columns:
        found = _mover(column, [row.get(column.name) for row in instances])
        if found is None:
            continue
        change, words = found
        instances = [{**row, column.name: change(row.get(column.name))} for row in instances]
        told.append(words)
        if len(told) == COLUMNS:
            break
    return replace(world, instances=instances), told


def relabelled(world: World, columns: Sequence[Column]) -> tuple[World, str]:
    """Concept drift: the same rows, of which something else comes true; and what, in words.

    The very same outcomes, dealt out by the first column that has an order, in the direction that fits them
    worse: a new model can learn that, and no count of outcomes looks like a mistake. No words without one.
    """
    outcomes = sorted(world.outcomes)
    for column in columns:
        cells = [row.get(column.name) for row in world.instances]
        values = sorted({cell for cell in cells if cell is not None}, key=_rank)
        if len(values) < 2 or isinstance(column, Text | Tensor):
            continue
        ranks = {value: place for place, value in enumerate(values)}
        order = sorted(range(len(cells)), key=lambda place: ranks.get(cells[place], 0))
        rising, falling = _dealt(order, outcomes), _dealt(order[::-1], outcomes)
        worse = min(rising, falling, key=lambda dealt: _agreement(dealt, world.outcomes))
        told = "highest" if worse is rising else "lowest"
        return replace(
            world, outcomes=worse
        ), f"outcomes go by {column.name} alone, highest where it is {told}"
    return world, ""


def _dealt(order: Sequence[int], outcomes: Sequence[Any]) -> list[Any]:
    dealt: list[Any] = [None] * len(order)
    for place, outcome in zip(order, outcomes, strict=True):
        dealt[place] = outcome
    return dealt


def _agreement(dealt: Sequence[Any], before: Sequence[Any]) -> float:
    """How many are the same; of amounts, the sum of products, which is greater where they go together."""
    if isinstance(dealt[0], float):
        return float(np.dot(dealt, before))
    return float(sum(one == other for one, other in zip(dealt, before, strict=True)))


def _rank(cell: Any) -> tuple[str, Any]:
    """Numbers by value, words by the alphabet."""
    return ("", cell) if isinstance(cell, int | float) else ("words", str(cell))


def emptied(world: World, column: Column) -> World:
    """The column is missing in each row."""
    return replace(world, instances=[{**row, column.name: None} for row in world.instances])


def left_out(world: World, column: Column) -> World:
    """The column is not sent at all."""
    return replace(
        world,
        instances=[
            {name: cell for name, cell in row.items() if name != column.name} for row in world.instances
        ],
    )


def emptiable(world: World, columns: Sequence[Column]) -> Column | None:
    """The first column that may be missing, and mostly is not; None without one."""
    for column in columns:
        gone = sum(row.get(column.name) is None for row in world.instances)
        if column.nullable and gone < len(world) / 2:
            return column
    return None


def _mover(column: Column, cells: Sequence[Any]) -> tuple[Callable[[Any], Any], str] | None:
    present = [cell for cell in cells if cell is not None]
    if not present:
        return None
    match column:
        case Number() | Integer():
            return _shifted(column, np.asarray(present, dtype=np.float64))
        case Category() | Boolean():
            return _mixed(column, present)
        case Datetime():
            return None  # a clock that leaps is another fault
        case _:
            return None


def _shifted(column: Number | Integer, cells: Any) -> tuple[Callable[[Any], Any], str] | None:
    shift = SHIFT * float(cells.std())
    if isinstance(column, Integer) and shift:
        shift = float(max(1, round(shift)))
    low = column.minimum if column.strict and column.minimum is not None else -np.inf
    high = column.maximum if column.strict and column.maximum is not None else np.inf
    if shift == 0:
        return None
    if float(np.abs(np.clip(cells + shift, low, high) - cells).mean()) < shift / 2:
        shift = -shift  # there is more room on the other side

    def change(cell: Any) -> Any:
        return None if cell is None else type(cell)(min(max(cell + shift, low), high))

    return change, f"{column.name} {shift:+.4g}"


def _mixed(column: Category | Boolean, present: Sequence[Any]) -> tuple[Callable[[Any], Any], str] | None:
    counts = Counter(present)
    usual = [word for word, count in counts.items() if count >= RARE * len(present)]
    rarest = min(usual, key=lambda word: counts[word], default=None)
    if len(counts) < 2 or rarest is None or counts[rarest] > len(present) / 2:
        return None
    return lambda cell: None if cell is None else rarest, f"{column.name} always {rarest!r}"
