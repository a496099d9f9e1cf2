"""Decoded rows as a contract gives them, and the proof that a graph answers as its model does."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Task
from siklus.stats.agreement import Parity
from siklus.train.export import to_onnx
from siklus.train.parity import certify

WIDTH = 6
NUMBERS, WORDS, FLAG = [0, 1, 2], [3, 4], [5]
VOCABULARIES = (4, 60)

FloatRows = NDArray[np.float32]


def decoded_rows(count: int, *, seed: int, missing: float = 0.08, unseen: bool = False) -> FloatRows:
    """Three numbers of very different size, two categories, a flag. ``missing``: share of NaN cells.

    With ``unseen`` a tenth of the categories is -1, or an index that no vocabulary has.
    """
    random = np.random.default_rng(seed)
    rows = np.empty((count, WIDTH), dtype=np.float32)
    rows[:, NUMBERS] = random.normal(size=(count, 3)) * [1, 100, 1e-3] + [0, 2013, 0]
    for slot, size in zip(WORDS, VOCABULARIES, strict=True):
        rows[:, slot] = random.integers(0, size, count)
        if unseen:
            rows[random.random(count) < 0.1, slot] = -1
            rows[random.random(count) < 0.05, slot] = size + 17
    rows[:, FLAG] = random.integers(0, 2, (count, 1))
    rows[random.random(rows.shape) < missing] = np.nan
    return rows


def number_target(rows: FloatRows, *, seed: int = 0) -> NDArray[np.float64]:
    """A number above 0 that depends on a number, a category and whether a cell is missing."""
    filled = np.nan_to_num(rows.astype(np.float64))
    noise = np.random.default_rng(seed).normal(size=len(rows))
    effect = filled[:, 0] + (filled[:, 4] % 3 == 1) + np.isnan(rows[:, 1]) + 0.3 * noise
    return np.exp(effect / 2)


def class_target(rows: FloatRows, *, classes: int, seed: int = 0) -> NDArray[np.int64]:
    """Class indices 0 to classes - 1, equally many of each."""
    number = number_target(rows, seed=seed)
    ends = np.quantile(number, np.linspace(0, 1, classes + 1)[1:-1])
    return np.searchsorted(ends, number).astype(np.int64)


def own_answers(model: Any, rows: FloatRows, task: Task) -> NDArray[np.float64]:
    answers = model.predict_proba(rows) if task == "classification" else model.predict(rows)
    return np.asarray(answers, dtype=np.float64)


def float32_steps(model: Any, rows: FloatRows, task: Task) -> float:
    """How far off the worst answer is, in steps between neighbouring float32 numbers of the largest
    answer's size. Half a step is what rounding the right answer costs."""
    largest = np.abs(own_answers(model, rows, task)).max()
    return proof(model, rows, task).max_difference / float(np.spacing(np.float32(largest)))


def proof(model: Any, rows: FloatRows, task: Task) -> Parity:
    """The certificate over these rows, with the library's own predict as the judge."""
    graph = to_onnx(model, width=rows.shape[1], task=task)
    return certify(graph, rows, own_answers(model, rows, task), task=task)
