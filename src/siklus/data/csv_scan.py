"""A CSV file as a SELECT: strict about its lines, and typed by all of its rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from siklus.data.csv_text import broken_csv, gzip_errors, read_header
from siklus.data.engine import Scan, quoted

# Missing, in a column whose other cells are numbers, booleans or moments. In a column of text only the
# empty cell is: "NA" may be a country there.
MISSING_WORDS = ("NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "?")

# So many rows propose the types, because DuckDB holds them in memory meanwhile; all rows confirm them.
SNIFFED_ROWS = 500_000

ESTIMATE_ROWS = 20_480  # looked at once more when the query is planned


@dataclass(frozen=True)
class _Csv:
    """An open question to DuckDB about one file: ``dialect`` are read_csv's first arguments."""

    connection: duckdb.DuckDBPyConnection
    path: Path
    shown: str
    dialect: str
    columns: list[str]

    def text(self, missing: tuple[str, ...], *options: str) -> str:
        """The file with all of its cells as text, the missing ones as NULL."""
        types = ", ".join(f"{quoted(c)}: 'VARCHAR'" for c in self.columns)
        told = [f"columns = {{{types}}}", f"nullstr = [{_listed(missing)}]", *options]
        return f"read_csv({self.dialect}, {', '.join(told)})"


def scan_csv(
    connection: duckdb.DuckDBPyConnection, path: Path, shown: str, delimiter: str | None = None
) -> Scan:
    """DA003, DA007, DA008 for what is no clean CSV. Without a delimiter the header line decides on it."""
    with gzip_errors(shown):
        header = read_header(path, shown=shown, delimiter=delimiter)
    dialect = (
        f"{quoted(str(path))}, header = true, skip = 0, comment = '', strict_mode = true, "
        f"""delim = {quoted(header.delimiter)}, quote = '"', escape = '"'"""
    )
    file = _Csv(connection, path, shown, dialect, [f"c{i}" for i in range(len(header.names))])
    casts = _confirmed(file, _sniffed(file))
    cells = ", ".join(f"{casts.get(c, '{}').format(c)} AS {c}" for c in file.columns)
    # All is told, yet auto_detect stays on: it is what lets DuckDB estimate the rows. Without an
    # estimate it joins by nested loops, and an ASOF join takes minutes instead of a second.
    read = file.text(("",), "auto_detect = true", f"sample_size = {ESTIMATE_ROWS}")
    return Scan(f"SELECT {cells} FROM {read}", header.names)


def scan_tsv(connection: duckdb.DuckDBPyConnection, path: Path, shown: str) -> Scan:
    return scan_csv(connection, path, shown, delimiter="\t")


def _sniffed(file: _Csv) -> dict[str, str]:
    """How the text of each column would be cast, by its first rows. A column that stays text is left out.

    A cast gives NULL for what it cannot read: for the missing words, once `_confirmed` has seen all rows.
    It casts trim(c), because DuckDB hands a cast of c itself on to its CSV reader, which fails instead.
    """
    names = f"names = [{_listed(file.columns)}], nullstr = [{_listed(('', *MISSING_WORDS))}]"
    sniff = f"sniff_csv({file.dialect}, {names}, sample_size = {SNIFFED_ROWS})"
    try:
        asked = f"SELECT Columns, DateFormat, TimestampFormat FROM {sniff}"
        found, dates, moments = file.connection.execute(asked).fetchall()[0]
    except duckdb.Error as exc:
        _confirmed(file, {})  # the sniffer only says that nothing fits; reading all says which line does not
        raise broken_csv(str(exc), path=file.path, shown=file.shown) from exc
    formats = {"DATE": dates, "TIMESTAMP": moments}
    casts = {}
    for c, kind in ((c, str(column["type"])) for c, column in zip(file.columns, found, strict=True)):
        if form := formats.get(kind):
            casts[c] = f"TRY_CAST(try_strptime({{}}, {quoted(form)}) AS TIMESTAMP)"
        elif kind not in ("VARCHAR", "TIME"):  # a time of day stays text: no kind of cell is one
            casts[c] = f"TRY_CAST(trim({{}}) AS {kind})"
    return casts


def _confirmed(file: _Csv, casts: dict[str, str]) -> dict[str, str]:
    """The casts that hold for all rows; numbers are found even where the sniffer missed them.

    It goes by the order of the cells, and takes `inf` above `1.5` for text. Each line of the file is
    read here, so that DA008 can name the first one that is broken.
    """
    counts = []
    for c in file.columns:
        real, whole = (f"TRY_CAST(trim({c}) AS {kind})" for kind in ("DOUBLE", "BIGINT"))
        sniffed = casts.get(c, "NULL").format(c)
        if (
            "BOOLEAN" in sniffed
        ):  # yes and no, T and F stay words: an answer shall come back as it was written
            sniffed = f"nullif(lower({c}) IN ('true', 'false'), false)"
        # 127.0 was written by something that holds floats, so 127.5 may stand in the next file.
        is_whole = f"{whole} = {real} AND NOT contains({c}, '.')"
        counts += [f"count({c})", f"count({real})", f"count_if({is_whole})", f"count({sniffed})"]
    try:
        read = file.text(("", *MISSING_WORDS), "auto_detect = false")
        found = file.connection.execute(f"SELECT {', '.join(counts)} FROM {read}").fetchall()[0]
    except duckdb.Error as exc:
        raise broken_csv(str(exc), path=file.path, shown=file.shown) from exc
    kept = {}
    for i, c in enumerate(file.columns):
        cells, numbers, whole_numbers, cast = found[4 * i : 4 * i + 4]
        if cells == numbers > 0:
            kept[c] = f"TRY_CAST(trim({{}}) AS {'BIGINT' if whole_numbers == cells else 'DOUBLE'})"
        elif cells == cast > 0:
            kept[c] = casts[c]
    return kept


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(quoted, words))
