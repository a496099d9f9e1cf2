"""Logged: answered rows whose outcome is known, with their features as they were logged, as a table.

Cells become what a training reads from its source, by the rule that `siklus verify-skew` holds the doors
together with: a column has the first of its DuckDB types that keeps all of its cells, or else their text.
All of it is done on columns, in DuckDB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import duckdb
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from siklus.automation.retraining.guards import Labels, Mask, strata_of
from siklus.contract.columns import Column, Contract, label_text, slots_of
from siklus.contract.decode import decode_table
from siklus.data.cells import cells_of
from siklus.data.engine import Engine, quoted, read_rows
from siklus.data.typed import MOMENT, WHOLE
from siklus.errors import AutomationError, RecordsError
from siklus.monitor.skew.training_door import types_of
from siklus.records.entries import json_text
from siklus.records.joined import Answers, Moments, Words, cell_of, plain, words_in
from siklus.records.layout import Layout
from siklus.records.query import open_views
from siklus.table import Table, is_missing

NO_CLASS = "an outcome that the contract does not know"
BROKEN = "features that do not keep the contract"

Types: TypeAlias = Sequence[str]

_ASKED = """
CREATE TEMP TABLE siklus_asked AS FROM (
    SELECT epoch_us(time) AS made, epoch_us(received) AS received, client, prediction, predicted_number,
        probability, outcome, outcome_number, features, prediction_id
    FROM joined WHERE outcome IS NOT NULL AND received <= ?
    ORDER BY time DESC, prediction_id DESC LIMIT ?
) ORDER BY made, prediction_id
"""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """Labelled rows by when they were answered, oldest first; arrays of shape (rows,).

    ``table``: the columns of the contract, its target, and others that were asked for. ``made``,
    ``received``: of the prediction and its outcome. ``predicted``, ``truth``: indices of the contract's
    classes, or numbers. ``left_out``: rows by the reason why they are not here.
    """

    table: Table
    made: Moments
    received: Moments
    predicted: Answers
    truth: Answers
    probability: NDArray[np.float64]
    client: Words
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.made)

    def take(self, rows: Mask | NDArray[np.int64]) -> "Logged":
        return replace(
            self,
            table=self.table.take(rows),
            made=self.made[rows],
            received=self.received[rows],
            predicted=self.predicted[rows],
            truth=self.truth[rows],
            probability=self.probability[rows],
            client=self.client.take(rows),
        )

    def labels(self, *, classify: bool) -> Labels:
        """What the guards ask about: a row's loss is that of the answer that was given."""
        clients = self.client.names[:-2]
        known = np.where(self.client.codes < len(clients), self.client.codes, -1)
        loss = np.abs(self.predicted - self.truth)
        loss = np.where(np.isnan(loss), np.inf, loss)  # what cannot be held against its outcome is wrong
        return Labels(
            clients=clients,
            client=known.astype(np.int64),
            loss=(loss > 0).astype(np.float64) if classify else loss,
            stratum=strata_of(np.nan_to_num(self.predicted), self.probability, classify=classify),
            classify=classify,
        )


def read_logged(
    layout: Layout, contract: Contract, *, cut: datetime, most: int, beside: Mapping[str, Types] = {}
) -> Logged:
    """The newest ``most`` predictions whose outcome was received by ``cut``; no shadows.

    ``beside``: columns that the contract does not have, by name, with DuckDB's types to try. A column that a
    row may leave out has its default there. Rows that do not keep the contract, as it is now, are left out
    and counted. AutomationError AU050 for sensitive columns, which the log does not hold; RecordsError RC003
    or RC006 where it cannot be read.
    """
    refuse_sensitive(contract)
    with open_views(layout, for_query="joined") as connection:
        try:
            connection.execute(_ASKED, [plain(cut), most])
            logged = _read(Engine(connection, Path()), contract, beside)
        except duckdb.Error as exc:
            wanted = "room on the disk, and sound Parquet files"
            raise RecordsError("RC006", f"{layout.root}: {exc}", expected=wanted) from exc
    return _keeping(_labelled(logged, contract), contract)


def refuse_sensitive(contract: Contract) -> None:
    hidden = [column.name for column in contract.columns if column.sensitive]
    if hidden:
        raise AutomationError(
            "AU050",
            f"logged rows cannot be trained on: {', '.join(map(repr, hidden))} is sensitive, and not logged",
            expected="a contract whose sensitive columns the model does not see (`ignored`)",
        )


def unseen_words(table: Table, contract: Contract) -> dict[str, int]:
    """Cells by column whose word the vocabulary does not have."""
    decoded = decode_table(table.select(contract.names), contract)
    return dict(decoded.unseen)


def _read(engine: Engine, contract: Contract, beside: Mapping[str, Types]) -> Logged:
    connection = engine.connection
    types = {column.name: types_of(column) for column in contract.columns} | dict(beside)
    known = {column.name: column for column in contract.columns}
    texts = ", ".join(f"{_text_of(name, known.get(name))} AS c{i}" for i, name in enumerate(types))
    connection.execute(f"CREATE TEMP TABLE siklus_texts AS SELECT {texts} FROM siklus_asked")
    connection.execute("ALTER TABLE siklus_asked DROP COLUMN features")  # most of what is in memory
    cells = ", ".join(
        f"{_cast(connection, f'c{i}', kinds)} AS c{i}" for i, kinds in enumerate(types.values())
    )
    table = read_rows(
        engine, f"SELECT {cells} FROM siklus_texts", list(types), max_rows=2**62, key=None
    ).table
    client = words_in(connection, "client")
    predicted, truth = "predicted_number", "outcome_number"
    if contract.target.classes is not None:
        listed = ", ".join(quoted(label_text(label)) for label in contract.target.classes)
        connection.execute(f"CREATE TYPE siklus_classes AS ENUM ({listed})")
        predicted, truth = (f"enum_code(TRY_CAST({c} AS siklus_classes))" for c in ("prediction", "outcome"))
    found = connection.execute(
        f"SELECT made, received, {predicted} AS predicted, {truth} AS truth, probability FROM siklus_asked"
    ).fetchnumpy()
    predicted_, truth_, probability = (
        np.ma.filled(found[name].astype(np.float64), np.nan) for name in ("predicted", "truth", "probability")
    )
    return Logged(
        table=table,
        made=np.asarray(found["made"], dtype=np.int64),
        received=np.asarray(found["received"], dtype=np.int64),
        predicted=predicted_,
        truth=truth_,
        probability=probability,
        client=client,
        left_out={},
    )


def _text_of(name: str, column: Column | None) -> str:
    """SQL of a feature's text, or of the default where it was left out."""
    text = cell_of(name)
    if column is None or not column.optional or column.default is None:
        return text
    default = column.default if isinstance(column.default, str) else json_text(column.default).decode()
    return (
        f"CASE WHEN list_contains(json_keys(features), {quoted(name)}) THEN {text} ELSE {quoted(default)} END"
    )


def _cast(connection: DuckDBPyConnection, cell: str, kinds: Types) -> str:
    for kind in kinds:
        cast = f"TRY_CAST({cell} AS {kind})"
        # A cast to a whole number rounds.
        kept = f"{cast} = TRY_CAST({cell} AS DOUBLE)" if kind == WHOLE else f"{cast} IS NOT NULL"
        [(lost,)] = connection.execute(
            f"SELECT count(*) FROM siklus_texts WHERE {cell} IS NOT NULL AND ({kept}) IS NOT TRUE"
        ).fetchall()
        if not lost:
            return f"timezone('UTC', {cast})" if kind == MOMENT else cast
    return cell


def _with_target(table: Table, truth: Answers, contract: Contract) -> Table:
    name, classes = contract.target.name, contract.target.classes
    if classes is None:
        return table.with_column(name, truth)
    labels = [classes[int(code)] for code in truth.tolist()]
    return table.with_column(name, cells_of(labels, where=f"column {name!r}"))


def _labelled(logged: Logged, contract: Contract) -> Logged:
    """Those whose outcome the contract knows, with the target as a column."""
    told = ~np.isnan(logged.truth)
    logged = logged if told.all() else _without(logged, ~told, why=NO_CLASS)
    return replace(logged, table=_with_target(logged.table, logged.truth, contract))


def _keeping(logged: Logged, contract: Contract) -> Logged:
    """Without the rows that a training would refuse: the contract may be another one than then."""
    decoded = decode_table(logged.table.select(contract.names), contract)
    if not decoded.problems:
        return logged
    broken = np.zeros(len(logged), dtype=bool)
    for column in contract.columns:
        missing = is_missing(logged.table[column.name])
        read = _read_as_missing(column, contract, decoded.rows.matrix)
        if read is None:
            other = {**decoded.rows.texts, **decoded.rows.tensors}[column.name]
            read = (
                is_missing(other) if other.ndim == 1 else np.isnan(other).reshape(len(other), -1).any(axis=1)
            )
        broken |= (read & ~missing) | (missing & (not column.nullable))
    return _without(logged, broken, why=BROKEN)


def _read_as_missing(column: Column, contract: Contract, matrix: NDArray[np.float32]) -> Mask | None:
    """Where a refused cell reads as missing; None for texts and tensors, which are not in the matrix."""
    places = [i for i, name in enumerate(contract.slots) if name in slots_of(column)]
    return np.asarray(np.isnan(matrix[:, places]).any(axis=1)) if places else None


def _without(logged: Logged, rows: Mask, *, why: str) -> Logged:
    kept = logged.take(~rows)
    return replace(kept, left_out={**logged.left_out, why: int(rows.sum())})
