"""Asked: what a bundle says of logged rows, each by itself: an answer, or why there is none."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract
from siklus.contract.decode import Rows, decode_records
from siklus.contract.problems import PROBLEMS_KEPT
from siklus.errors import RowProblem
from siklus.stats.losses import Floats

SAID_CHARACTERS = 200  # of what a model says at a failure, which may be a page

Features: TypeAlias = Mapping[str, object]  # cells by column name, as they were received
Marks: TypeAlias = NDArray[np.bool_]  # shape (rows,)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Of n rows. ``raw``: probabilities of shape (n, classes), or values of shape (n,); NaN without one.

    ``refused``: rows that break the contract, with their ``problems``; ``failed``: at which the model
    itself failed, with what it said at the first of them; ``invalid``: answered by what is no finite number.
    """

    raw: Floats
    refused: Marks
    failed: Marks
    invalid: Marks
    problems: Sequence[RowProblem] = ()
    failures: Mapping[int, str] = field(default_factory=dict)

    @property
    def answered(self) -> Marks:
        return ~(self.refused | self.failed | self.invalid)


def ask(bundle: Bundle, features: Sequence[Features]) -> Asked:
    """Ask about rows as a server would be, but that no row takes others with it."""
    count, classes = len(features), bundle.contract.target.classes
    shape = (count,) if classes is None else (count, len(classes))
    raw, failures = np.full(shape, np.nan), {}
    rows, refused, problems = _decoded(features, bundle.contract)
    places = np.flatnonzero(~refused)
    failed = np.zeros(count, dtype=bool)
    if len(places):
        # A future keeps whatever a model raises: one that fails is what is to be found out.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ask") as thread:
            for some, done in _scored(lambda some: thread.submit(_raw, bundle, some), rows, places):
                failure = done.exception()
                if failure is None:
                    raw[some] = done.result()
                else:
                    failed[some] = True
                    said = " ".join(f"{type(failure).__name__}: {failure}".split())
                    failures[int(some[0])] = said[:SAID_CHARACTERS]
    answers = raw[:, None] if classes is None else raw
    invalid = ~np.isfinite(answers).all(axis=1) & ~refused & ~failed
    raw[invalid] = np.nan
    return Asked(
        raw=raw, refused=refused, failed=failed, invalid=invalid, problems=problems, failures=failures
    )


def features_of(text: str) -> dict[str, object]:
    """A logged row, from the JSON that it was received as."""
    try:
        found: dict[str, object] = msgspec.json.decode(text)
    except msgspec.DecodeError:  # half a surrogate pair, which JSON may hold and UTF-8 may not
        found = json.loads(text)
    return found


def known_to(contract: Contract, features: Features) -> Features:
    """What the contract knows of a row that another version has answered."""
    known = {*contract.names, *contract.ignored}
    return {name: cell for name, cell in features.items() if name in known}


def _decoded(features: Sequence[Features], contract: Contract) -> tuple[Rows, Marks, list[RowProblem]]:
    """The rows that keep the contract, which ones do not, and what is wrong with these."""
    found, problems = np.zeros(len(features), dtype=bool), []
    decoded = decode_records(features, contract)
    if decoded.problem_count:
        for at in range(0, len(features), PROBLEMS_KEPT):
            for row, problem in _problems_of(features[at : at + PROBLEMS_KEPT], contract):
                found[at + row] = True
                problems.append(replace(problem, row=at + row))
    # A cell that is refused changes nothing in the other rows.
    return decoded.rows.take(~found), found, problems


def _problems_of(piece: Sequence[Features], contract: Contract) -> list[tuple[int, RowProblem]]:
    """All of them with the row that each is of: of so few rows hardly ever any goes unkept."""
    decoded = decode_records(piece, contract)
    if len(decoded.problems) == decoded.problem_count or len(piece) == 1:
        return [(problem.row or 0, problem) for problem in decoded.problems]
    return [(row, problem) for row, one in enumerate(piece) for _, problem in _problems_of([one], contract)]


def _scored(
    score: Callable[[Rows], Future[Floats]], rows: Rows, places: NDArray[np.int64]
) -> list[tuple[NDArray[np.int64], Future[Floats]]]:
    """The rows as few pieces as possible, of which those that fail hold one row each."""
    done = score(rows)
    if done.exception() is None or len(rows) == 1:
        return [(places, done)]
    half = len(rows) // 2
    return [
        *_scored(score, rows.take(slice(None, half)), places[:half]),
        *_scored(score, rows.take(slice(half, None)), places[half:]),
    ]


def _raw(bundle: Bundle, rows: Rows) -> Floats:
    return np.asarray(bundle.predict(rows).raw, dtype=np.float64)
