"""A table before training: each column, with the target and over time; all together; and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.contract.answer import infer_answer
from siklus.contract.cells import FLOAT32_MAX
from siklus.contract.check import check
from siklus.contract.columns import Contract, Task, kind_of
from siklus.contract.compare import Change, Verdict, compare
from siklus.contract.findings import Finding
from siklus.contract.guess import guess_column
from siklus.contract.infer import Inferred, infer
from siklus.contract.repeats import repeated_columns, repeated_rows
from siklus.contract.survey import Survey, read_as_moments, survey
from siklus.errors import DataError, RowProblem
from siklus.monitor.portrait.column import ColumnPortrait, portray_column
from siklus.monitor.portrait.relation import Relation, relation
from siklus.monitor.portrait.together import Together, as_classes, together
from siklus.monitor.portrait.trend import Spans, Trend, spans_of, trend
from siklus.table import Table

MOST_ROWS = 500_000  # a page says the same of a sample, and is there in seconds
PAIR_ROWS = 20_000  # enough to tell a correlation of 0.02 from none
SEED = 0  # the same table gives the same page

Role: TypeAlias = Literal["feature", "target", "time", "key"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the columns beforehand. ``task`` None: it is read off the target."""

    target: str | None = None
    task: Task | None = None
    time: str | None = None
    key: str | None = None


class DataColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column. ``kind``: as the contract has it (else as it would be inferred), None where it is ignored.

    ``relation`` is None without a usable target, ``trend`` without a time column.
    """

    role: Role
    kind: str | None
    portrait: ColumnPortrait
    relation: Relation | None = None
    trend: Trend | None = None


class AgainstContract(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, held against the committed contract.

    ``problems``: the first ones of ``problem_count``; ``warnings``: what it lets through. ``changes``: to the
    contract that would be inferred from these rows, None where none can be; ``verdict``: the worst of them.
    """

    problem_count: int
    problems: tuple[RowProblem, ...]
    warnings: tuple[Finding, ...]
    changes: tuple[Change, ...] | None
    verdict: Verdict | None


class Portrait(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``rows``: that were looked at, of ``rows_in_all``; ``pair_rows``: for ``together``.

    ``refusal``: why no contract can be inferred from the rows, None where one can.
    """

    rows: int
    rows_in_all: int
    pair_rows: int
    target: str | None
    task: Task | None
    columns: tuple[DataColumn, ...]
    spans: Spans | None
    together: Together
    findings: tuple[Finding, ...]
    refusal: str | None
    contract: AgainstContract | None


def portray(
    table: Table, asked: Asked, *, contract: Contract | None = None, rows_in_all: int | None = None
) -> Portrait:
    """The portrait of the rows, or of a sample where they are more than half a million.

    ``rows_in_all``: what the source has, where ``table`` is itself a sample. It never refuses: what is wrong
    with the rows is what a person wants to see.
    """
    everything = rows_in_all or len(table)
    table = _sample(table, MOST_ROWS)
    asked = _present(asked, table)
    surveys = {name: survey(name, table[name]) for name in table}
    if asked.time is not None and surveys[asked.time].nature == "string":
        surveys[asked.time] = read_as_moments(surveys[asked.time])
    inferred, findings, refusal = _inferred(table, asked, surveys, contract)
    asked = msgspec.structs.replace(asked, task=_task(surveys, asked))
    spans = spans_of(surveys[asked.time]) if asked.time else None
    few = {name: _rows_of(seen, PAIR_ROWS) for name, seen in surveys.items() if name != asked.key}
    if asked.target and asked.task == "classification":
        few[asked.target] = as_classes(few[asked.target])
    return Portrait(
        rows=len(table),
        rows_in_all=everything,
        pair_rows=min(len(table), PAIR_ROWS),
        target=asked.target,
        task=asked.task,
        columns=_columns(surveys, asked, spans, _kinds(contract or inferred, surveys)),
        spans=spans[0] if spans else None,
        together=together(list(few.values())),
        findings=tuple(findings),
        refusal=refusal,
        contract=_against(table, contract, inferred) if contract else None,
    )


def _columns(
    surveys: Mapping[str, Survey],
    asked: Asked,
    spans: tuple[Spans, NDArray[np.int64]] | None,
    kinds: Mapping[str, str],
) -> tuple[DataColumn, ...]:
    target = surveys[asked.target] if asked.target and asked.task else None
    columns = []
    for name, seen in surveys.items():
        role = _role(name, asked)
        found = None
        if target is not None and asked.task is not None and role == "feature":
            found = relation(seen, target, task=asked.task)
        columns.append(
            DataColumn(
                role=role,
                kind=kinds.get(name),
                portrait=portray_column(seen),
                relation=found,
                trend=trend(seen, *spans) if spans and name != asked.time else None,
            )
        )
    return tuple(columns)


def _sample(table: Table, most: int) -> Table:
    if len(table) <= most:
        return table
    return table.take(np.sort(np.random.default_rng(SEED).choice(len(table), most, replace=False)))


def _rows_of(seen: Survey, most: int) -> Survey:
    rows = len(seen.cells)
    if rows <= most:
        return seen
    kept = np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))
    return replace(seen, cells=seen.cells[kept], missing=seen.missing[kept], series=seen.series[kept])


def _present(asked: Asked, table: Table) -> Asked:
    """Without the columns that these rows do not have."""
    return Asked(
        target=asked.target if asked.target in table else None,
        task=asked.task,
        time=asked.time if asked.time in table else None,
        key=asked.key if asked.key in table else None,
    )


def _role(name: str, asked: Asked) -> Role:
    roles: Mapping[str | None, Role] = {asked.key: "key", asked.time: "time", asked.target: "target"}
    return roles.get(name, "feature")


def _task(surveys: Mapping[str, Survey], asked: Asked) -> Task | None:
    """None where there is no target, or nothing can be learned from it."""
    if asked.target is None:
        return None
    try:
        return infer_answer(surveys[asked.target], task=asked.task).task
    except DataError:
        return None  # `_inferred` meets the same refusal and says it


def _inferred(
    table: Table, asked: Asked, surveys: Mapping[str, Survey], contract: Contract | None
) -> tuple[Contract | None, Sequence[Finding], str | None]:
    """The contract that the rows themselves propose, what was found on the way, and why there is none."""
    if asked.target is None:
        return None, _column_findings(surveys, asked), None
    roles = (asked.target, asked.time, asked.key)
    ignored = contract.ignored if contract else ()
    drop = tuple(name for name in ignored if name in table and name not in roles)
    try:
        found = _infer(table, asked, drop=drop)
    except DataError as exc:
        refusal = f"{exc.code} {exc.message}"
    else:
        return found.contract, found.findings, None
    # Leaks and repeats are worth telling though a column of infinities stands in the way.
    drop = tuple(dict.fromkeys([*drop, *(name for name, seen in surveys.items() if _beyond_float32(seen))]))
    try:
        return None, _infer(table, asked, drop=drop).findings, refusal
    except DataError:
        return None, _column_findings(surveys, asked), refusal


def _infer(table: Table, asked: Asked, *, drop: tuple[str, ...]) -> Inferred:
    target = asked.target or ""
    return infer(table, target=target, task=asked.task, time=asked.time, key=asked.key, drop=drop)


def _beyond_float32(seen: Survey) -> bool:
    return bool((np.abs(seen.present) > FLOAT32_MAX).any())


def _column_findings(surveys: Mapping[str, Survey], asked: Asked) -> Sequence[Finding]:
    """What can be said without a contract: column by column, and of repeats."""
    told = [
        seen
        for name, seen in surveys.items()
        if name not in (asked.target, asked.key) and not _beyond_float32(seen)
    ]
    return [
        *(about for seen in told for about in guess_column(seen).findings),
        *repeated_rows([seen for name, seen in surveys.items() if name != asked.key]),
        *repeated_columns([seen for seen in told if seen.nature != "empty" and seen.varies]),
    ]


def _kinds(contract: Contract | None, surveys: Mapping[str, Survey]) -> Mapping[str, str]:
    if contract is not None:
        return {column.name: kind_of(column) for column in contract.columns}
    guesses = {name: guess_column(seen).column for name, seen in surveys.items() if not _beyond_float32(seen)}
    return {name: kind_of(column) for name, column in guesses.items() if column is not None}


def _against(table: Table, contract: Contract, inferred: Contract | None) -> AgainstContract:
    report = check(table, contract)
    compared = compare(contract, inferred) if inferred else None
    return AgainstContract(
        problem_count=report.problem_count,
        problems=report.problems,
        warnings=report.warnings,
        changes=compared.changes if compared else None,
        verdict=compared.verdict if compared else None,
    )
