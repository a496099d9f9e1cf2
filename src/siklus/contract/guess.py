"""Guess: what kind of column a contract should make of what a survey saw."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from siklus.contract.columns import Boolean, Category, Column, Datetime, Integer, Number, Tensor
from siklus.contract.findings import Finding, finding
from siklus.contract.problems import shown
from siklus.contract.survey import Survey, varying_parts

VOCABULARY_LIMIT = 250  # hist-gradient-boosting bins at most 255 categories, and unseen and missing need room
ID_SHARE = 0.95  # distinct cells a present cell, from which on a string names its row
ID_MIN_ROWS = 20  # in fewer rows, values that never repeat are no evidence
TEXT_SHARE = 0.5  # likewise for sentences, which repeat now and then
TEXT_MIN_SPACES = 3.0  # a sentence's, on average
CODE_MAX_DISTINCT = VOCABULARY_LIMIT
FLOAT32_EXACT = 2**24
WORDS_SHOWN = 3

ID_NAME = re.compile(
    r"(?i:(^|[\W_])(id|key|uuid|guid|index)$|^unnamed: 0$)|[a-z]I[dD]$"
)  # user_id, userId; not: humid
CODE_NAME = re.compile(r"(^|[\W_])(code|id|zip|zip_?code|post_?code|type|class|category)$", re.IGNORECASE)
MISSING_WORDS = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "nil", "?", "-", "--", ".", "missing", "#n/a"}
)
NUMBER_TEXT = re.compile(r"\s*[+-]?(\d+|\d{1,3}(,\d{3})+)?\.?\d*([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class Guess:
    """``column`` is None when the contract had better ignore it; ``findings`` say why."""

    column: Column | None
    findings: tuple[Finding, ...] = ()


def guess_column(seen: Survey) -> Guess:
    """The column of a contract that all the cells keep, or None with a finding."""
    if seen.nature == "empty":
        return _ignored(seen, "all-missing", "not one cell has a value")
    if seen.nature == "unreadable":
        kinds = sorted({type(cell).__name__ for cell in seen.cells[~seen.missing][:1000]})
        return _ignored(seen, "unreadable", f"no kind of column holds such cells: {', '.join(kinds)}")
    if not seen.varies:
        kept = _GUESSES[seen.nature](seen).column
        return Guess(kept, (finding("constant", seen.name, f"every row has {shown(seen.cells[0])}"),))
    return _GUESSES[seen.nature](seen)


def is_id(seen: Survey) -> bool:
    """Whether a column of whole numbers or of strings names its rows."""
    rows = len(seen.present)
    if rows < ID_MIN_ROWS:
        return False
    if seen.nature == "string":
        return seen.distinct >= ID_SHARE * rows
    if seen.nature != "integer" or seen.missing.any() or seen.distinct < rows:
        return False
    low, high = seen.present.min(), seen.present.max()
    counted = low in (0, 1) and high - low + 1 == rows
    return bool(counted or ID_NAME.search(seen.name))


def _boolean(seen: Survey) -> Guess:
    return Guess(Boolean(name=seen.name, nullable=_nullable(seen)))


def _integer(seen: Survey) -> Guess:
    # 127.0 was written as a float, so 127.5 may come. With gaps it is the other way round: integers that
    # have any come as floats.
    if seen.cells.dtype.kind == "f" and not seen.missing.any():
        return _number(seen)
    if is_id(seen):
        return _ignored(seen, "unique-id", "each row has a whole number of its own, so it names rows")
    exact = seen.cells[~seen.missing] if seen.cells.dtype.kind in "iu" else seen.present
    low, high = int(exact.min()), int(exact.max())
    findings = _float32_findings(seen)
    if CODE_NAME.search(seen.name) and 2 < seen.distinct <= CODE_MAX_DISTINCT:
        advice = "if they are names and no amounts, write them as strings, or give the column kind category"
        findings.append(
            finding(
                "numeric-code", seen.name, f"{seen.distinct} whole numbers, from {low} to {high}: {advice}"
            )
        )
    return Guess(
        Integer(name=seen.name, nullable=_nullable(seen), minimum=low, maximum=high), tuple(findings)
    )


def _number(seen: Survey) -> Guess:
    low, high = float(seen.present.min()), float(seen.present.max())
    column = Number(name=seen.name, nullable=_nullable(seen), minimum=low, maximum=high)
    return Guess(column, tuple(_float32_findings(seen)))


def _moment(seen: Survey) -> Guess:
    parts = varying_parts(seen)
    if not parts:
        return _ignored(seen, "no-varying-part", "month, day, weekday and hour are the same in all rows")
    return Guess(Datetime(name=seen.name, nullable=_nullable(seen), parts=parts))


def _string(seen: Survey) -> Guess:
    numeric = _is_numeric(seen.words)
    rows = len(seen.present)
    if rows >= ID_MIN_ROWS and seen.distinct >= TEXT_SHARE * rows and _mean_spaces(seen) >= TEXT_MIN_SPACES:
        advice = "to use it in a model of your own, move it to the columns with kind text"
        return _ignored(seen, "free-text", f"{seen.distinct} different texts in {rows} rows: {advice}")
    if is_id(seen) and numeric:
        return _ignored(
            seen, "numeric-text", f"numbers written as text, such as {shown(seen.words[0])}: cast them"
        )
    if is_id(seen):
        return _ignored(
            seen, "unique-id", f"{seen.distinct} different strings in {rows} rows, so it names rows"
        )
    findings = _text_findings(seen)
    if numeric:
        some = ", ".join(shown(word) for word in seen.words[:WORDS_SHOWN])
        findings.append(
            finding("numeric-text", seen.name, f"numbers written as text, such as {some}: read as a category")
        )
    vocabulary, left_out = _vocabulary(seen)
    if left_out:
        shares = f"{seen.distinct} words; the {VOCABULARY_LIMIT} most frequent are kept"
        message = f"{shares}, the rest ({left_out / rows:.1%} of the cells) reads as unseen"
        findings.append(finding("many-categories", seen.name, message))
    return Guess(Category(name=seen.name, nullable=_nullable(seen), vocabulary=vocabulary), tuple(findings))


def _tensor(seen: Survey) -> Guess:
    return Guess(Tensor(name=seen.name, nullable=_nullable(seen), shape=seen.shape))


def _vocabulary(seen: Survey) -> tuple[tuple[str, ...], int]:
    """The words to keep, sorted, and how many cells hold another one."""
    counts = np.bincount(seen.present.astype(np.int64), minlength=len(seen.words))
    kept = np.sort(np.argsort(-counts, kind="stable")[:VOCABULARY_LIMIT])
    return tuple(seen.words[i] for i in kept), int(counts.sum() - counts[kept].sum())


def _text_findings(seen: Survey) -> list[Finding]:
    suspects = [i for i, word in enumerate(seen.words) if word.strip().lower() in MISSING_WORDS]
    if not suspects:
        return []
    rows = int(np.isin(seen.present, suspects).sum())
    held = ", ".join(repr(seen.words[i]) for i in suspects)
    return [
        finding(
            "text-missing",
            seen.name,
            f"{rows} cells hold {held}: a word of the vocabulary, or a missing cell?",
        )
    ]


def _float32_findings(seen: Survey) -> list[Finding]:
    values = seen.present
    if np.abs(values).max() <= FLOAT32_EXACT:
        return []
    rounded = values.astype(np.float32).astype(np.float64)
    changed = rounded != values
    if not changed.any():
        return []
    worst = float(np.abs(rounded - values).max())
    message = f"values beyond 2**24 are rounded by up to {worst:g}: subtract an offset if that matters"
    return [finding("float32-precision", seen.name, message)]


def _is_numeric(words: tuple[str, ...]) -> bool:
    """Whether all words are numbers, but for those that mean a missing cell."""
    found = [word for word in words if word.strip().lower() not in MISSING_WORDS]
    return bool(found) and all(
        NUMBER_TEXT.fullmatch(word) and any(letter.isdigit() for letter in word) for word in found
    )


def _mean_spaces(seen: Survey) -> float:
    return float(np.mean([word.strip().count(" ") for word in seen.words]))


def _nullable(seen: Survey) -> bool:
    return bool(seen.missing.any())


def _ignored(seen: Survey, code: str, message: str) -> Guess:
    return Guess(None, (finding(code, seen.name, message),))


_GUESSES: Mapping[str, Callable[[Survey], Guess]] = {
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "moment": _moment,
    "string": _string,
    "tensor": _tensor,
}
