"""Rows: the one table that a retraining learns from, of the source and of what was logged with its outcome.

The columns are those of the contract, the target, and what decides on the split; what the contract ignores
is dropped. Rows are as they were known by the cut: features as they were logged when they were answered,
outcomes that had come by then, nothing whose own time lies after it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.automation.retraining.guards import Mask
from siklus.automation.retraining.logged import Logged, Types, unseen_words
from siklus.automation.retraining.retrained import RowsTaken
from siklus.contract.columns import Contract
from siklus.contract.decode import decode_table
from siklus.contract.gather import default_of
from siklus.data.cells import cells_of, moments
from siklus.data.digest import cell_hashes, row_hashes
from siklus.data.engine import identifier, open_engine, quoted
from siklus.data.snapshot import whole
from siklus.data.typed import MOMENT, WHOLE
from siklus.errors import AutomationError
from siklus.project.durations import seconds_of
from siklus.project.sections import Data
from siklus.table import Cells, Table, is_missing, objects

# Clocks without a time zone may be as far ahead of UTC.
AHEAD = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = np.iinfo(np.int64).min  # the time of a row that has none; where rows are ordered, before everything

TWICE = "the same row again"
FUTURE = "a time after the training began"
TRUSTED = "rows of the trusted set"
OUTSIDE = "outside the window"

Events: TypeAlias = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """``data``: [data] as it is for this table, but for the path: without a key that not all rows have."""

    table: Table
    taken: RowsTaken
    data: Data


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a table is made for. ``trusted``: rows that no training reads."""

    contract: Contract
    data: Data
    window: str
    cut: datetime
    trusted: Table | None = None


def columns_beside(data: Data, contract: Contract, source: Table | None) -> Mapping[str, Types]:
    """The columns that the split asks for and the contract does not have, with types as the source's."""
    asked = {name for name in (data.time, data.key, data.split.group) if name is not None}
    found: dict[str, Types] = {}
    for name in sorted(asked - {*contract.names, contract.target.name}):
        kind = "" if source is None or name not in source else source[name].dtype.kind
        unknown: Types = [MOMENT, "DOUBLE"] if name == data.time else [WHOLE, "DOUBLE"]
        found[name] = {"": unknown, "M": [MOMENT], "O": [], "b": ["BOOLEAN"]}.get(kind, [WHOLE, "DOUBLE"])
    return found


def assemble(source: Table | None, logged: Logged, wanted: Wanted) -> Assembled:
    """Source and logged rows, each once, in the window, under one another.

    RowsRefused for a source whose columns are not the contract's; AutomationError AU051 for a window of days
    where the time column has no moments; AU052 where no row is left.
    """
    data = _without_lost_key(wanted.data, logged)
    left_out = dict(logged.left_out)
    parts = _parts(source, logged, data, wanted.contract)
    both = under(parts.source, parts.logged)
    is_logged = np.arange(len(both)) >= len(parts.source)
    events = _events(both, data, is_logged, logged.made[parts.rows])
    kept = np.ones(len(both), dtype=bool)
    for why, gone in (
        (FUTURE, _after(events, wanted.cut)),
        (TRUSTED, _trusted(both, data, wanted)),
        (TWICE, _twice(both, is_logged, data, wanted.contract)),
    ):
        left_out[why] = int((kept & gone).sum())
        kept &= ~gone
    in_window = inside(events, kept, window=wanted.window)
    left_out[OUTSIDE] = int((kept & ~in_window).sum())
    left_out |= parts.left_out
    kept &= in_window
    left_out = {why: rows for why, rows in left_out.items() if rows}
    if not kept.any():
        told = ", ".join(f"{rows:,} are out ({why})" for why, rows in left_out.items()) or "there are none"
        raise AutomationError("AU052", f"no row to train on: {told}", expected="labelled rows in the window")
    first, last = _span(events[kept])
    taken = RowsTaken(
        source=int((kept & ~is_logged).sum()),
        logged=int((kept & is_logged).sum()),
        window=wanted.window,
        cut=wanted.cut,
        left_out=left_out,
        unseen=unseen_words(both.take(kept & is_logged), wanted.contract),
        first=first,
        last=last,
    )
    return Assembled(table=both.take(kept), taken=taken, data=data)


def under(above: Table, below: Table) -> Table:
    """Rows of two tables of the same columns, whose types may differ: numbers, moments, else plain values."""
    return Table({name: _joined(above[name], below[name], name) for name in above})


def write_rows(table: Table, path: Path) -> None:
    """A Parquet file that is read back with these very cells. FileError FS001 for a full disk."""
    stored: dict[str, Cells] = {}
    casts = []
    for i, name in enumerate(table):
        stored[f"c{i}"], kind = _stored(table[name])
        casts.append(f"CAST(c{i} AS {kind}) AS {identifier(name)}")
    with whole(path) as draft, open_engine(threads=1) as engine:
        engine.connection.register("given", stored)
        engine.connection.execute(
            f"COPY (SELECT {', '.join(casts)} FROM given) TO {quoted(str(draft))} (FORMAT parquet)"
        )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Both tables with the same columns; ``rows``: of the logged ones, those that are in."""

    source: Table
    logged: Table
    rows: NDArray[np.int64]
    left_out: dict[str, int]


def _parts(source: Table | None, logged: Logged, data: Data, contract: Contract) -> _Parts:
    left_out: dict[str, int] = {}
    names = [*contract.names, contract.target.name, *columns_beside(data, contract, source)]
    table, in_ = logged.table.select(names), np.ones(len(logged), dtype=bool)
    if data.time is not None:
        table = table.with_column(data.time, timed(table[data.time], logged))
    for name in (data.time, data.split.group):
        if name is not None:
            gone = is_missing(table[name]) & in_
            left_out[f"no {name!r}, which the split asks for"] = int(gone.sum())
            in_ &= ~gone
    if source is None:
        source = table.take(np.empty(0, dtype=np.int64))
    else:
        decode_table(source.take(np.empty(0, dtype=np.int64)), contract).accepted()
        unlabelled = is_missing(source[contract.target.name])
        left_out["no target in the source"] = int(unlabelled.sum())
        source = _completed(source.take(~unlabelled), contract).select(names)
    return _Parts(source=source, logged=table.take(in_), rows=np.flatnonzero(in_), left_out=left_out)


def _completed(source: Table, contract: Contract) -> Table:
    """With the columns that a row may leave out."""
    for column in contract.columns:
        if column.name not in source:
            cells = cells_of([default_of(column)] * len(source), where=f"column {column.name!r}")
            source = source.with_column(column.name, cells)
    return source


def _without_lost_key(data: Data, logged: Logged) -> Data:
    """A key names rows only if all have it: clients need not send what the model does not see."""
    lost = data.key is not None and bool(is_missing(logged.table[data.key]).any())
    return msgspec.structs.replace(data, key=None) if lost else data


def timed(cells: Cells, logged: Logged) -> Cells:
    """A row that does not say its time has that of its answer; where times are numbers, it has none."""
    if cells.dtype.kind == "O" and is_missing(cells).all():
        cells = np.full(len(cells), np.datetime64("NaT", "us"))
    cells = moments(cells, where="the time column of the prediction log")
    if cells.dtype.kind != "M":
        return cells
    return np.where(np.isnat(cells), logged.made.astype("datetime64[us]"), cells)


def _events(both: Table, data: Data, is_logged: Mask, made: NDArray[np.int64]) -> Events:
    """When each row came true: Unix time in µs (NEVER: nobody knows), or the time column's number."""
    if data.time is None:
        events = np.full(len(both), NEVER)
        events[is_logged] = made
        return events
    cells = both[data.time]
    if cells.dtype.kind == "M":
        return cells.astype("datetime64[us]").astype(np.int64)  # NaT is NEVER
    return np.nan_to_num(cells.astype(np.float64), nan=-np.inf)


def _after(events: Events, cut: datetime) -> Mask:
    if events.dtype.kind == "f":
        return np.zeros(len(events), dtype=bool)
    return np.asarray(events > round((cut + AHEAD).timestamp() * 1e6))


def _trusted(both: Table, data: Data, wanted: Wanted) -> Mask:
    if wanted.trusted is None:
        return np.zeros(len(both), dtype=bool)
    names = [name for name in (*wanted.contract.names, wanted.contract.target.name) if name in wanted.trusted]
    if data.key is not None and data.key in wanted.trusted:
        return np.isin(cell_hashes(both[data.key]), cell_hashes(wanted.trusted[data.key]))
    found = row_hashes(under(both.select(names), wanted.trusted.select(names)))
    return np.isin(found[: len(both)], found[len(both) :])


def _twice(both: Table, is_logged: Mask, data: Data, contract: Contract) -> Mask:
    """Rows of the source that were logged too, and with a key all but the last of a key's logged rows.

    Without a key rows are known by their content; then as many go as were logged, since rows may be alike.
    """
    gone = np.zeros(len(both), dtype=bool)
    if data.key is not None:
        names = cell_hashes(both[data.key])
        source, logged = np.flatnonzero(~is_logged), np.flatnonzero(is_logged)
        gone[source] = np.isin(names[source], names[logged])
        _, last = np.unique(names[logged][::-1], return_index=True)
        gone[np.delete(logged, len(logged) - 1 - last)] = True
        return gone
    columns = [*([data.time] if data.time else []), contract.target.name, *contract.names]
    table = both.select(dict.fromkeys(columns))
    alike = _alike(table, is_logged)
    names = np.zeros(len(both), dtype=np.uint64)
    names[alike] = row_hashes(table.take(alike))
    source, logged = np.flatnonzero(alike & ~is_logged), np.flatnonzero(alike & is_logged)
    found, counts = np.unique(names[logged], return_counts=True)
    if not len(found) or not len(source):
        return gone
    order = np.argsort(names[source], kind="stable")
    sorted_ = names[source][order]
    rank = np.arange(len(sorted_)) - np.searchsorted(sorted_, sorted_)
    place = np.minimum(np.searchsorted(found, sorted_), len(found) - 1)
    gone[source[order]] = (found[place] == sorted_) & (rank < counts[place])
    return gone


def _alike(table: Table, is_logged: Mask) -> Mask:
    """Rows that may have their like on the other side, as far as numbers and moments tell: a log grows, and
    to name each of its rows by all cells takes long."""
    alike = np.ones(len(table), dtype=bool)
    for name in table:
        if alike.any() and table[name].dtype.kind != "O":
            rows = np.flatnonzero(alike)
            cells, logged = cell_hashes(table[name][rows]), is_logged[rows]
            alike[rows] = np.isin(cells, np.intersect1d(cells[logged], cells[~logged]))
    return alike


def inside(events: Events, kept: Mask, *, window: str) -> Mask:
    """Which rows lie in a [retrain] window that is counted back from the newest of those that are kept."""
    word, _, size = window.partition(" ")
    if word == "all":
        return np.ones(len(events), dtype=bool)
    if word == "sliding":
        rows = np.flatnonzero(kept)
        newest = rows[np.argsort(events[rows], kind="stable")[-int(size) :]]
        return np.isin(np.arange(len(events)), newest)
    if events.dtype.kind == "f":
        raise AutomationError(
            "AU051",
            f"[retrain] window = {window!r}, but the time column holds numbers",
            expected="moments in the time column, or 'all' or 'sliding N'",
        )
    last = int(events[kept].max(initial=NEVER))
    since = max(last - seconds_of(size) * 1_000_000, NEVER)
    # Of a row without a time nothing says that it is old, and a small source may be all that there is.
    return np.asarray((events >= since) | (events == NEVER))


def _span(events: Events) -> tuple[datetime | None, datetime | None]:
    known = events[events != NEVER] if events.dtype.kind == "i" else events[:0]
    if not len(known):
        return None, None
    first, last = (EPOCH + timedelta(microseconds=int(event)) for event in (known.min(), known.max()))
    return first, last


def _joined(above: Cells, below: Cells, name: str) -> Cells:
    above, below = _like(above, below), _like(below, above)
    kinds = above.dtype.kind + below.dtype.kind
    if kinds in ("OM", "MO"):
        above, below = (moments(cells, where=f"column {name!r}") for cells in (above, below))
    elif ("O" in kinds and kinds != "OO") or ("b" in kinds and kinds != "bb"):
        above, below = (_plain(cells) for cells in (above, below))
    return np.concatenate([above, below])


def _like(cells: Cells, others: Cells) -> Cells:
    """Cells without a single value are of whatever type the others are."""
    if cells.dtype.kind != "O" or others.dtype.kind not in "ifM" or not is_missing(cells).all():
        return cells
    empty = np.datetime64("NaT", "us") if others.dtype.kind == "M" else np.float64(np.nan)
    return np.full(len(cells), empty)


def _plain(cells: Cells) -> Cells:
    gone = is_missing(cells).tolist()
    return objects(None if missing else cell for cell, missing in zip(cells.tolist(), gone, strict=True))


def _stored(cells: Cells) -> tuple[Cells, str]:
    """The cells as DuckDB takes them from numpy, and their type in the file."""
    if cells.dtype.kind != "O":
        return cells, {"b": "BOOLEAN", "i": "BIGINT", "f": "DOUBLE", "M": "TIMESTAMP"}[cells.dtype.kind]
    kinds = set(map(type, cells.tolist())) - {type(None)}
    if kinds <= {str}:
        return cells, "VARCHAR"
    texts = objects(
        None if gone else json.dumps(cell)
        for cell, gone in zip(cells.tolist(), is_missing(cells), strict=True)
    )
    if kinds == {bool}:
        return texts, "BOOLEAN"
    if kinds == {list}:
        first = next(cell for cell in cells.tolist() if cell is not None)
        return texts, "DOUBLE" + "[]" * np.ndim(first)
    return texts, "VARCHAR" if kinds - {int, float} else "DOUBLE"
