"""Infer: propose a contract for a table, and say what a person should know before committing it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from siklus.contract.answer import infer_answer
from siklus.contract.columns import Contract, Task
from siklus.contract.decode import FLOAT32_MAX
from siklus.contract.findings import Finding, finding
from siklus.contract.guess import guess_column
from siklus.contract.leaks import suspected_leaks
from siklus.contract.moments import moment_of
from siklus.contract.problems import shown
from siklus.contract.repeats import repeated_columns, repeated_rows
from siklus.contract.survey import Survey, read_as_moments, survey
from siklus.errors import DataError
from siklus.table import Table


@dataclass(frozen=True)
class Inferred:
    """The proposal: every row of the table keeps ``contract``, but for rows without a target."""

    contract: Contract
    task: Task
    findings: tuple[Finding, ...]


def infer(
    table: Table,
    *,
    target: str,
    task: Task | None = None,
    time: str | None = None,
    key: str | None = None,
    drop: Sequence[str] = (),
) -> Inferred:
    """Propose a contract: a kind, a range or vocabulary and nullability for each column, as observed.

    ``time`` splits and stays a feature; ``key`` and ``drop`` are ignored by the contract, as is what no
    model can use (all missing, unique ids, free text): each with a finding. ``task`` is read
    off the target when it is None.

    Raises DataError: DA002 for a column that is not there, DA030 to DA039 for what nothing can be
    learned from.
    """
    _refuse_unusable(table, target=target, others={"time": time, "key": key}, drop=drop)
    surveys = {name: survey(name, table[name]) for name in table if name not in drop}
    goal = surveys.pop(target)
    named = surveys.pop(key) if key else None
    if time:
        surveys[time] = _in_time(surveys[time])
    _refuse_infinite([goal, *surveys.values()])
    answer = infer_answer(goal, task=task)
    guesses = {name: guess_column(seen) for name, seen in surveys.items()}
    columns = {name: guess.column for name, guess in guesses.items() if guess.column}
    varying = [seen for name, seen in surveys.items() if name in columns and seen.varies]
    if not varying:
        raise DataError(
            "DA039", f"no column is left to predict {target!r} from", expected="a column that varies"
        )
    ignored = [name for name in table if name != target and name not in columns]
    used = [surveys[name] for name in columns]
    findings = [
        *answer.findings,
        *(about for guess in guesses.values() for about in guess.findings),
        *(_about_time(surveys[time], columns) if time else []),
        *(_about_key(named) if named else []),
        *repeated_rows([goal, *surveys.values()]),
        *repeated_columns(varying),
        *suspected_leaks([seen for seen in used if seen.name != time], goal, task=answer.task),
    ]
    contract = Contract(columns=tuple(columns.values()), target=answer.target, ignored=tuple(ignored))
    return Inferred(contract, answer.task, tuple(findings))


def _refuse_unusable(
    table: Table, *, target: str, others: dict[str, str | None], drop: Sequence[str]
) -> None:
    """DA002, DA030, DA031, DA032: names that are not there, empty, or given twice; no rows."""
    roles = [
        ("the target", target),
        *((f"the {role}", name) for role, name in others.items() if name is not None),
    ]
    roles += [("a dropped", name) for name in drop]
    for role, name in roles:
        if name not in table:
            near = get_close_matches(name, table.names, n=1)
            expected = f"{near[0]!r}?" if near else f"one of {table.names}"
            raise DataError("DA002", f"no column {name!r}, named as {role} column", expected=expected)
    special = [name for _, name in roles[: len(roles) - len(drop)]]
    doubled = [name for name in special if special.count(name) > 1 or name in drop]
    if doubled:
        raise DataError(
            "DA031", f"column {doubled[0]!r} has two roles", expected="one of target, time, key, dropped"
        )
    if "" in table:
        place = table.names.index("") + 1
        raise DataError(
            "DA030",
            f"column {place} of {len(table.names)} has no name",
            expected="a name of one letter or more",
        )
    if len(table) == 0:
        raise DataError("DA032", "no rows to infer a contract from", expected="a table with rows")


def _refuse_infinite(surveys: Sequence[Survey]) -> None:
    for seen in surveys:
        if seen.nature not in ("integer", "number"):
            continue
        beyond = np.flatnonzero(np.abs(seen.series) > FLOAT32_MAX)
        if len(beyond):
            place = f"{len(beyond)} cells, the first in row {beyond[0]}"
            raise DataError(
                "DA037",
                f"column {seen.name!r}: {place}: {seen.series[beyond[0]]}",
                expected="finite numbers within float32, missing cells, or the column dropped",
            )


def _in_time(seen: Survey) -> Survey:
    """The time column, read so that rows can be put in order by it; DA038 otherwise."""
    found = read_as_moments(seen) if seen.nature == "string" else seen
    if found.nature not in ("moment", "integer", "number"):
        words = [word for word in seen.words if moment_of(word) is None]
        unread: list[object] = [*words, *seen.cells[~seen.missing][:1], None]
        raise DataError(
            "DA038",
            f"time column {seen.name!r}: {shown(unread[0])} is no moment",
            expected="ISO 8601, such as 2024-01-31T08:00",
        )
    return found


def _about_time(seen: Survey, columns: Collection[str]) -> list[Finding]:
    if seen.name not in columns:
        return []
    parts = "its calendar parts are features" if seen.nature == "moment" else "its number is a feature"
    return [finding("time-feature", seen.name, f"the split goes by it, and {parts} as well")]


def _about_key(seen: Survey) -> list[Finding]:
    repeats = len(seen.cells) - seen.distinct - int(seen.missing.any())
    if not repeats:
        return []
    return [
        finding(
            "key-not-unique",
            seen.name,
            f"{repeats} of {len(seen.cells)} rows have a key that another row has",
        )
    ]
