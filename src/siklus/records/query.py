"""Query: SQL over all records, whether they lie in Parquet files or in segments that are still written.

predictions   prediction_id, time, version, arm, features (JSON), prediction, predicted_number, probability,
              latency_ms, log, sequence
shadows       the same, of versions that only watch
outcomes      prediction_id, outcome, outcome_number, observed, received, client (whose API key sent it)
joined        predictions with outcome, outcome_number, observed, received, client, delay_seconds (NULL
              without one)
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection, StatementType

from siklus.data.engine import Engine, open_engine, quoted
from siklus.errors import RecordsError
from siklus.records.layout import Layout, steady
from siklus.records.outcomes import outcome_lines
from siklus.records.parquet import SMALLEST_OBJECT, holdings, parquet_rows, write_lines
from siklus.records.segments import ended_after

# A class as its text, and the number that it is, if it is one.
_PREDICTIONS = """
CREATE VIEW {name} AS
SELECT prediction_id, time, version, arm, features, prediction ->> '$' AS prediction,
    TRY_CAST(prediction ->> '$' AS DOUBLE) AS predicted_number, probability, latency_ms, log, sequence
FROM siklus_records WHERE shadow = {shadow}
"""
_OUTCOMES = """
CREATE VIEW outcomes AS
SELECT prediction_id, outcome ->> '$' AS outcome, TRY_CAST(outcome ->> '$' AS DOUBLE) AS outcome_number,
    make_timestamp(observed_us) AS observed, make_timestamp(received_us) AS received, client
FROM siklus_outcomes
"""
_JOINED = """
CREATE VIEW joined AS
SELECT predictions.*, outcome, outcome_number, observed, received, client,
    epoch(coalesce(observed, received) - time) AS delay_seconds
FROM predictions LEFT JOIN outcomes USING (prediction_id)
"""
# DuckDB calls a statement a SELECT whatever its CTEs do, and some table functions run SQL or write files of
# their own, so that only what is known to read is let through.
_READING = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_READING_FUNCTIONS = {
    "range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree",
    "read_parquet", "parquet_scan", "duckdb_columns", "duckdb_functions", "duckdb_tables", "duckdb_views",
}  # fmt: skip
ZONED = "TIMESTAMP WITH TIME ZONE"
_ASKS_FOR_OUTCOMES = re.compile(r"\b(outcomes|joined)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """Rows of a query; the cells as DuckDB gives them to Python."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]


def query(layout: Layout, sql: str) -> Answer:
    """Ask the records one SELECT. RecordsError RC007 for anything else, and for what DuckDB refuses."""
    with open_views(layout, for_query=sql) as connection:
        try:
            statements = connection.extract_statements(sql)
            if [statement.type for statement in statements] != [StatementType.SELECT]:
                raise _refused("it is not one SELECT")
            _only_reads(connection, sql)
            names, kinds = zip(
                *((name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE {sql}").fetchall()),
                strict=True,
            )
            found = connection.execute(_without_zones(statements[0].query, kinds))
            return Answer(tuple(_unlike(names)), found.fetchall())
        except duckdb.Error as exc:
            raise _refused(str(exc)) from exc


def _without_zones(sql: str, kinds: Sequence[str]) -> str:
    """The same with moments in UTC: what has a time zone comes to Python only with another package."""
    if ZONED not in kinds:
        return sql
    names = [f"c{place}" for place in range(len(kinds))]
    columns = [
        f"timezone('UTC', {name})" if kind == ZONED else name for name, kind in zip(names, kinds, strict=True)
    ]
    return f"SELECT {', '.join(columns)} FROM ({sql.rstrip().rstrip(';')}\n) AS t({', '.join(names)})"


def _unlike(names: Sequence[str]) -> Iterator[str]:
    """Each with a number where one before has the same: `id`, `id_2`."""
    seen: set[str] = set()
    for name in names:
        unlike, number = name, 2
        while unlike in seen:
            unlike, number = f"{name}_{number}", number + 1
        seen.add(unlike)
        yield unlike


def _only_reads(connection: DuckDBPyConnection, sql: str) -> None:
    """RC007 unless every part of the statement, at any depth, is known to write nothing."""
    tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0])
    if tree["error"]:
        raise _refused(tree["error_message"])
    for node in _nodes(tree):
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _READING:
            raise _refused(f"it does more than read: {kind}")
        if kind == "TABLE_FUNCTION" and node["function"]["function_name"].lower() not in _READING_FUNCTIONS:
            raise _refused(f"{node['function']['function_name']}() is not for here")


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(child)


@contextmanager
def open_views(
    layout: Layout, *, for_query: str = "", made_from: datetime | None = None, received_from_us: int = 0
) -> Iterator[DuckDBPyConnection]:
    """A connection with the views above; those of outcomes only where the query speaks of them.

    Nothing is replaced meanwhile, and the connection reads nothing but the records. Whoever asks for records
    from ``made_from`` on only, or for outcomes received from a Unix time in µs on, is answered sooner:
    earlier ones may then be left out.
    """
    layout = Layout(layout.root.absolute())
    with steady(layout), open_engine() as engine:
        try:
            _make_views(engine, layout, made_from)
            if _ASKS_FOR_OUTCOMES.search(for_query):
                _make_outcomes(engine, layout, received_from_us)
            _close_in(engine, layout)
        except duckdb.Error as exc:
            raise RecordsError(
                "RC006", f"{layout.root}: {exc}", expected="room on the disk, and sound Parquet files"
            ) from exc
        yield engine.connection


def _make_views(engine: Engine, layout: Layout, made_from: datetime | None) -> None:
    connection = engine.connection
    held = holdings(connection, layout)
    segments = [path for path in held.segments if made_from is None or ended_after(path, made_from)]
    fresh = write_lines(segments, engine.scratch / "fresh.json")
    connection.execute(f"CREATE TABLE siklus_fresh AS FROM {fresh.relation}")
    parts = ["FROM siklus_fresh"]
    if held.files:
        parts.append(f"FROM {parquet_rows([file.path for file in held.files])}")
    connection.execute(f"CREATE VIEW siklus_records AS {' UNION ALL BY NAME '.join(parts)}")
    connection.execute(_PREDICTIONS.format(name="predictions", shadow="false"))
    connection.execute(_PREDICTIONS.format(name="shadows", shadow="true"))


def _make_outcomes(engine: Engine, layout: Layout, received_from_us: int) -> None:
    path = engine.scratch / "outcomes.tsv"
    with path.open("wb") as file:
        longest = 0
        for line in outcome_lines(layout.outcomes, since_us=received_from_us):
            longest = max(longest, len(line))
            file.write(line)
    kinds = ", ".join(f"{name}: {quoted(kind)}" for name, kind in _OUTCOME_KINDS.items())
    engine.connection.execute(
        f"CREATE TABLE siklus_outcomes AS FROM read_csv({quoted(str(path))}, auto_detect = false, "
        f"header = false, delim = '\t', quote = '', escape = '', nullstr = '', "
        f"max_line_size = {max(SMALLEST_OBJECT, 2 * longest)}, columns = {{{kinds}}})"
    )
    engine.connection.execute(_OUTCOMES)
    engine.connection.execute(_JOINED)


_OUTCOME_KINDS = {
    "prediction_id": "VARCHAR",
    "outcome": "JSON",
    "observed_us": "BIGINT",
    "received_us": "BIGINT",
    "client": "VARCHAR",
}


def _close_in(engine: Engine, layout: Layout) -> None:
    """From here on the connection reads the Parquet files, and can be told nothing else."""
    engine.connection.execute(f"SET allowed_directories = [{quoted(str(layout.parquet.absolute()))}]")
    engine.connection.execute("SET enable_external_access = false")
    engine.connection.execute("SET lock_configuration = true")


def _refused(reason: str) -> RecordsError:
    return RecordsError(
        "RC007", f"the query was refused: {reason}", expected="one SELECT over predictions, outcomes, joined"
    )
