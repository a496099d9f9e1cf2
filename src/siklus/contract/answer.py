"""Answer: what is predicted, as read off the target's cells, and what makes a target unusable."""

from dataclasses import dataclass

import numpy as np

from siklus.contract.columns import Label, Target, Task
from siklus.contract.findings import Finding, finding
from siklus.contract.problems import shown
from siklus.contract.survey import Survey
from siklus.errors import DataError

MAX_CLASSES = 200  # more are names or amounts; and each class costs a model a column of probabilities
GUESSED_CLASSES = 20  # whole numbers with more different values are amounts, when nobody says otherwise
ROWS_PER_GUESSED_CLASS = 10
RARE_CLASS_ROWS = 10


@dataclass(frozen=True)
class Answer:
    """What a model answers, and what was found on the way."""

    target: Target
    task: Task
    findings: tuple[Finding, ...]


def infer_answer(seen: Survey, *, task: Task | None) -> Answer:
    """The target and the task; DataError DA033 to DA036 when nothing could be learned from such a target."""
    if seen.nature == "empty" or seen.distinct == 1:
        values = "no value at all" if seen.nature == "empty" else "one value only"
        raise DataError(
            "DA033", f"target {seen.name!r}: {values}", expected="a target that differs between rows"
        )
    findings = [] if task else [_assumed(seen)]
    chosen: Task = task or _guess_task(seen)
    if seen.missing.any():
        count = int(seen.missing.sum())
        message = f"{count} of {len(seen.missing)} rows have no target and are left out"
        findings.append(finding("target-missing", seen.name, message))
    if chosen == "regression":
        _refuse_no_amount(seen)
        return Answer(Target(name=seen.name), chosen, tuple(findings))
    classes, counts = _classes(seen)
    _refuse_unlearnable(seen.name, classes, counts)
    findings += _rare(seen.name, classes, counts)
    return Answer(Target(name=seen.name, classes=classes), chosen, tuple(findings))


def _guess_task(seen: Survey) -> Task:
    if seen.nature in ("boolean", "string"):
        return "classification"
    few = seen.distinct <= min(GUESSED_CLASSES, len(seen.present) / ROWS_PER_GUESSED_CLASS)
    return "classification" if seen.nature == "integer" and (few or seen.distinct == 2) else "regression"


def _assumed(seen: Survey) -> Finding:
    task = _guess_task(seen)
    message = f"{task}, as the target has {seen.distinct} different values ({seen.nature})"
    return finding("assumed-task", seen.name, message)


def _refuse_no_amount(seen: Survey) -> None:
    if seen.nature in ("integer", "number"):
        return
    first = shown(seen.cells[~seen.missing][0])
    hint = " or the task classification" if seen.nature in ("boolean", "string") else ""
    raise DataError(
        "DA036", f"target {seen.name!r}: {first} is no number to regress", expected=f"numbers{hint}"
    )


def _classes(seen: Survey) -> tuple[tuple[Label, ...], list[int]]:
    """The classes in their order, and the rows of each."""
    values, counts = np.unique(seen.present, return_counts=True)
    found: list[Label]
    match seen.nature:
        case "string":
            found = list(seen.words)
        case "boolean":
            found = [False, True]
        case "integer":
            found = [int(value) for value in values]
        case _:
            first = shown(seen.cells[~seen.missing][0])
            raise DataError(
                "DA036",
                f"target {seen.name!r}: {first} is no class",
                expected="strings, whole numbers or booleans",
            )
    return tuple(found), counts.tolist()


def _refuse_unlearnable(name: str, classes: tuple[Label, ...], counts: list[int]) -> None:
    if len(classes) > MAX_CLASSES:
        raise DataError(
            "DA035",
            f"target {name!r}: {len(classes)} classes",
            expected=f"at most {MAX_CLASSES}, or the task regression",
        )
    alone = [label for label, count in zip(classes, counts, strict=True) if count == 1]
    if alone:
        named = ", ".join(repr(label) for label in alone[:5]) + (" …" if len(alone) > 5 else "")
        raise DataError(
            "DA034",
            f"target {name!r}: in one row only: {named}",
            expected="two rows or more of each class: one to learn from, one to judge by",
        )


def _rare(name: str, classes: tuple[Label, ...], counts: list[int]) -> list[Finding]:
    rare = [
        f"{label!r} in {count}"
        for label, count in zip(classes, counts, strict=True)
        if count < RARE_CLASS_ROWS
    ]
    return [finding("rare-class", name, f"few rows of a class: {', '.join(rare)}")] if rare else []
