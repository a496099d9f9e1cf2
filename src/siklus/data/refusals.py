"""What DuckDB complains of, said once and as ours: the user's file and line, without DuckDB's own advice."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from siklus.data.csv_text import broken_csv
from siklus.data.engine import Engine
from siklus.errors import DataError

_FILE = re.compile(r"^\s*file = (.+)$", re.MULTILINE)
_DAMAGED = re.compile(r"Malformed JSON|magic bytes|GZIP|gzip|Parquet|parquet|\.json", re.IGNORECASE)


@contextmanager
def refusals(engine: Engine, *, where: str) -> Iterator[None]:
    """DA004 no such file, DA007 encoding, DA008 a CSV line, DA011 another damaged file, DA012 the query."""
    try:
        yield
    except duckdb.Error as exc:
        raise refused(str(exc), engine=engine, where=where) from exc


def refused(message: str, *, engine: Engine, where: str) -> DataError:
    if "CSV" in message and (named := _FILE.search(message)):
        path = Path(named[1].strip())
        return broken_csv(message, path=path, shown=engine.shown(path))
    text = " ".join(message.partition("\n\n")[0].split())
    for path, shown in engine.unpacked.items():
        text = text.replace(str(path), shown)
    if "No files found" in message:
        return DataError("DA004", f"{where}: {text}", expected="files at paths relative to the project")
    if "requires the extension" in message or "INSTALL " in message:
        wanted = "local files in CSV, Parquet or JSON: no extension is fetched from the network"
        return DataError("DA012", f"{where}: {text}", expected=wanted)
    if _DAMAGED.search(text):
        return DataError(
            "DA011", f"{where}: {text}", expected="a whole file of the format that its suffix says"
        )
    return DataError(
        "DA012", f"{where}: {text}", expected="a query that DuckDB can run over the files named in it"
    )
