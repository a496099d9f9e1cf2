"""Findings: what a person should know about a table and that is no error."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["info", "warn"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One remark. ``code`` is a key of FINDINGS; ``column`` is None when it is about the whole table."""

    code: str
    column: str | None
    message: str
    severity: Severity


@dataclass(frozen=True)
class FindingKind:
    """``warn``: a model may come out wrong unless someone looks. ``meaning``: as in docs/contract.md."""

    severity: Severity
    meaning: str


FINDINGS: Mapping[str, FindingKind] = {
    "all-missing": FindingKind("warn", "Not one cell has a value. The column is ignored."),
    "assumed-task": FindingKind("info", "The task was not given and was read off the target's values."),
    "constant": FindingKind("info", "Every row has the same value. The column is kept: it may vary one day."),
    "duplicate-column": FindingKind("warn", "The column repeats another one, cell by cell. Both are kept."),
    "duplicate-rows": FindingKind(
        "warn", "Some rows repeat another row in every column but the key. All are kept."
    ),
    "float32-precision": FindingKind("info", "Values beyond 2**24 are rounded when a row becomes float32."),
    "free-text": FindingKind(
        "info", "Long strings that hardly repeat. The column is ignored: no built-in model reads text."
    ),
    "key-not-unique": FindingKind("warn", "The key names several rows alike, or leaves some unnamed."),
    "leak": FindingKind(
        "warn", "The column alone nearly states the target. It is kept: only you know whether it is a leak."
    ),
    "leak-together": FindingKind("warn", "A few columns add up to the target exactly. They are kept."),
    "many-categories": FindingKind(
        "warn", "More words than a vocabulary holds (250): the rarest read as unseen."
    ),
    "no-varying-part": FindingKind(
        "info", "Neither month, day, weekday nor hour varies. The column is ignored."
    ),
    "numeric-code": FindingKind(
        "info", "Whole numbers whose name says that they may be codes, so names and no amounts."
    ),
    "numeric-text": FindingKind(
        "warn", "Numbers that the source holds as strings. They are read as a category."
    ),
    "out-of-range": FindingKind(
        "warn", "Numbers outside the contract's range, let through as the column is not strict."
    ),
    "rare-class": FindingKind("warn", "A class with fewer than 10 rows: its figures will say little."),
    "target-missing": FindingKind(
        "warn", "Rows without a target: nothing can be learned from them, so they are left out."
    ),
    "text-missing": FindingKind(
        "warn", "Words such as NA, ? or an empty string: most likely missing cells, written as text."
    ),
    "time-feature": FindingKind(
        "info", "The column that splits by time is a feature too, by its calendar parts."
    ),
    "unique-id": FindingKind(
        "info", "(Nearly) every row has a value of its own, so it names rows. The column is ignored."
    ),
    "unreadable": FindingKind(
        "warn", "Cells of no kind that a contract has, or of several kinds. The column is ignored."
    ),
    "unseen": FindingKind("warn", "Words outside the vocabulary, let through as the column is not strict."),
}


def finding(code: str, column: str | None, message: str) -> Finding:
    """A finding with the severity of its code."""
    return Finding(code=code, column=column, message=message, severity=FINDINGS[code].severity)
