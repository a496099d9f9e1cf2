"""Lines of JSON as Parquet whose columns have the types that are asked for: DuckDB parses each cell."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from siklus.data.engine import Engine, identifier, open_engine, quoted

WHOLE = "BIGINT"
MOMENT = "TIMESTAMP WITH TIME ZONE"
SMALLEST_OBJECT = 1 << 24  # bytes that DuckDB must be able to hold of one line


def typed_parquet(lines: Path, types: Mapping[str, Sequence[str]]) -> Path:
    """A Parquet file beside ``lines``, of the columns in ``types``.

    Each has the first of its DuckDB types that keeps all of its cells, or else their text.
    """
    file = lines.with_suffix(".parquet")
    kinds = ", ".join(f"{quoted(name)}: 'JSON'" for name in types)
    longest = max(SMALLEST_OBJECT, lines.stat().st_size)
    with open_engine() as engine:
        engine.connection.execute(
            f"CREATE TEMP TABLE given AS FROM read_json({quoted(str(lines))}, columns = {{{kinds}}}, "
            f"format = 'newline_delimited', maximum_object_size = {longest})"
        )
        cells = ", ".join(f"{_cast(engine, name, types[name])} AS {identifier(name)}" for name in types)
        engine.connection.execute(f"COPY (SELECT {cells} FROM given) TO {quoted(str(file))} (FORMAT parquet)")
    return file


def _cast(engine: Engine, name: str, types: Sequence[str]) -> str:
    cell = identifier(name)
    text = f"({cell} ->> '$')"
    for kind in types:
        cast = f"TRY_CAST({text if kind == MOMENT else cell} AS {kind})"
        # A cast to a whole number rounds.
        kept = f"{cast} = TRY_CAST({cell} AS DOUBLE)" if kind == WHOLE else f"{cast} IS NOT NULL"
        [(lost,)] = engine.connection.execute(
            f"SELECT count(*) FROM given WHERE {cell} IS NOT NULL AND ({kept}) IS NOT TRUE"
        ).fetchall()
        if not lost:
            return cast
    return text
