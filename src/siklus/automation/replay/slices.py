"""Slices: the rows of a replay by a column's values, added up a chunk at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from siklus.automation.replay.asked import Features, Marks
from siklus.automation.replay.replayed import Part
from siklus.contract.columns import label_text
from siklus.records.joined import MOST_WORDS, NO_WORD, OTHER_WORDS
from siklus.stats.losses import Floats
from siklus.stats.ranges import Ranges

MOST_KEPT = 1_000  # values of a column that are told apart while rows come; further ones are the others

Sums = NDArray[np.float64]  # what `Chunk.columns` holds, added up


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Rows of a replay as numbers, all of shape (rows,). ``distance``: absolute, NaN where there is none.

    ``gain``: the champion's loss less the candidate's; NaN where the outcome is not known.
    """

    answered: Marks
    same: Marks
    distance: Floats
    gain: Floats

    def columns(self) -> Sequence[Floats]:
        """What is added up, of which each slice has its sums."""
        known, judged = np.isfinite(self.distance), np.isfinite(self.gain)
        return [
            np.ones(len(self.answered)),
            self.answered.astype(np.float64),
            self.same.astype(np.float64),
            known.astype(np.float64),
            np.where(known, self.distance, 0.0),
            judged.astype(np.float64),
            np.where(judged, self.gain, 0.0),
        ]


@dataclass
class Slices:
    """By one column. ``ranges``: of its numbers; None for words."""

    ranges: Ranges | None
    _sums: dict[str, Sums] = field(default_factory=dict)

    def add(self, cells: Sequence[object], chunk: Chunk) -> None:
        """``cells``: what each row of the chunk has in the column, as it was received."""
        words = self._words(cells)
        names = {word: code for code, word in enumerate(dict.fromkeys(words))}
        codes = np.array([names[word] for word in words], dtype=np.int64)
        added = np.stack([np.bincount(codes, weights=column) for column in chunk.columns()], axis=1)
        for name, sums in zip(names, added, strict=True):
            kept = name if name in self._sums or len(self._sums) < MOST_KEPT else OTHER_WORDS
            self._sums[kept] = self._sums[kept] + sums if kept in self._sums else sums

    def parts(self) -> tuple[Part, ...]:
        """Ranges in their order, words by how many rows they have; beyond the first 20 the others as one."""
        if self.ranges is not None:
            order = [name for name in (*self.ranges.names, OTHER_WORDS, NO_WORD) if name in self._sums]
            return tuple(_part(name, self._sums[name]) for name in order)
        special = {OTHER_WORDS, NO_WORD}
        words = sorted(self._sums.keys() - special, key=lambda name: (-self._sums[name][0], name))
        rest = [self._sums[name] for name in (*words[MOST_WORDS:], OTHER_WORDS) if name in self._sums]
        told = {name: self._sums[name] for name in words[:MOST_WORDS]}
        if rest:
            told[OTHER_WORDS] = np.sum(rest, axis=0)
        if NO_WORD in self._sums:
            told[NO_WORD] = self._sums[NO_WORD]
        return tuple(_part(name, sums) for name, sums in told.items())

    def _words(self, cells: Sequence[object]) -> Sequence[str]:
        if self.ranges is None:
            return [_word(cell) for cell in cells]
        numbers = np.array([cell if isinstance(cell, int | float) else np.nan for cell in cells], dtype=float)
        places = self.ranges.places(numbers).tolist()
        told = zip(cells, places, np.isfinite(numbers).tolist(), strict=True)
        return [
            NO_WORD if cell is None else self.ranges.names[place] if finite else OTHER_WORDS
            for cell, place, finite in told
        ]


def _word(cell: object) -> str:
    if cell is None:
        return NO_WORD
    if isinstance(cell, float):
        return repr(cell)
    return label_text(cell) if isinstance(cell, str | int) else OTHER_WORDS


def cells_of(features: Sequence[Features], name: str) -> Sequence[object]:
    """One column of rows; None where a row has none."""
    return [row.get(name) for row in features]


def grouped(slices: Mapping[str, Slices]) -> dict[str, tuple[Part, ...]]:
    return {name: each.parts() for name, each in slices.items()}


def _part(name: str, sums: Sums) -> Part:
    rows, answered, same, known, distance, judged, gain = sums.tolist()
    return Part(
        name=name,
        rows=int(rows),
        unanswered=int(rows - answered),
        same=same / answered if answered else None,
        distance=distance / known if known else None,
        labelled=int(judged),
        gain=gain / judged if judged else None,
    )
