"""Totals: the ledgers of one server, each row by row, and each version's added up over its processes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siklus.ledgers.layouts import Layout, ServerLayout, VersionLayout, read_layout
from siklus.ledgers.ledger import Sheet, read_file

SUFFIX = ".ledger"
COUNTERS = "counters"  # in a server's run directory: where its ledgers stand


@dataclass(frozen=True)
class VersionTotals:
    """What was counted of one version. ``counts`` and ``sums`` stand as the layout says, all rows added.

    ``used``: when it last was, in Unix time.
    """

    layout: VersionLayout
    counts: NDArray[np.uint64]
    sums: NDArray[np.float64]
    used: float


@dataclass(frozen=True)
class ServerTotals:
    """What has no version. ``rows``: uint64, shape (processes, places): some places are a process's own."""

    layout: ServerLayout
    rows: NDArray[np.uint64]

    def total(self, *place: str) -> int:
        """One count, over all processes; ``place`` as in `ServerLayout.places`."""
        return int(self.rows[:, self.layout.places[place]].sum())


@dataclass(frozen=True)
class Totals:
    """All ledgers of one server. ``servers`` holds at most one for each layout of this release."""

    versions: tuple[VersionTotals, ...]
    servers: tuple[ServerTotals, ...]


def read_totals(directory: Path) -> Totals:
    """What the server that counts in this directory has counted so far; nothing where there is none."""
    sheets = [read_file(path) for path in sorted(directory.glob(f"*{SUFFIX}"))]
    return add_up([sheet for sheet in sheets if sheet is not None])


def add_up(sheets: Sequence[Sheet]) -> Totals:
    """The sheets of one server; what is no ledger of ours is passed over."""
    versions, servers = [], []
    for layout, same in _by_layout(sheets):
        rows = _added([sheet.counts for sheet in same])
        if isinstance(layout, ServerLayout):
            servers.append(ServerTotals(layout, rows))
        else:
            sums = sum((sheet.sums.sum(axis=0) for sheet in same), np.zeros(len(layout.endpoints)))
            used = max(sheet.used for sheet in same)
            versions.append(VersionTotals(layout, rows.sum(axis=0), sums, used))
    return Totals(tuple(versions), tuple(servers))


def _by_layout(sheets: Sequence[Sheet]) -> Iterator[tuple[Layout, list[Sheet]]]:
    """The sheets that belong together: a ledger's, and what one process counts of it in its memory.

    What stands under another name than its layout's is a copy or another program's, and of two layouts under
    one name the older one is over: either would say a series twice.
    """
    newest: dict[str, tuple[bytes, Layout]] = {}
    for sheet in sorted(sheets, key=lambda sheet: sheet.used):
        layout = read_layout(sheet.text)
        if layout is not None and layout.ledger == sheet.name and _is_whole(layout, sheet):
            newest[sheet.name] = (sheet.text, layout)
    for name in sorted(newest):
        text, layout = newest[name]
        yield layout, [sheet for sheet in sheets if (sheet.name, sheet.text) == (name, text)]


def _is_whole(layout: Layout, sheet: Sheet) -> bool:
    title = layout.title
    return (title.counts, title.sums) == (sheet.counts.shape[1], sheet.sums.shape[1])


def _added(rows: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Row by row, as many as the longest has."""
    total = np.zeros((max(map(len, rows)), rows[0].shape[1]), dtype=np.uint64)
    for some in rows:
        total[: len(some)] += some
    return total
