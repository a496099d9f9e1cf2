"""Counters: what the workers of one server have counted, each in its own rows, summed by whoever asks.

Adding costs less than a microsecond and never waits. Latencies, outcomes and what was predicted are counted
at once; the bins of the features a few hundred rows at a time, within a second.
"""

import os
import threading
import weakref
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siklus.bundle.read import Bundle
from siklus.bundle.session import Predictions
from siklus.ledgers.bins import FeatureBins
from siklus.ledgers.layouts import (
    VERSION_LEDGERS,
    ServerLayout,
    VersionLayout,
    layout_of,
    prediction_cuts,
)
from siklus.ledgers.ledger import Row, Sheet
from siklus.ledgers.processes import start_ticks
from siklus.serve.counting.shelf import SUPERVISOR_ROW, Shelf
from siklus.table import FloatRows

FLUSH_ROWS = 512  # of features, counted at once: about 0.2 ms for 20 of them
FLUSH_SECONDS = 1.0  # after which the rest is counted as well
MOST_VERSIONS = 8  # that keep their series; those that answer are not among what is taken away
ONE_BY_ONE = 64  # predictions: for more of them, numpy's own overhead is worth it

SERVER = ServerLayout()


class VersionCounters:
    """What one worker counts of one version. Called from the event loop only."""

    def __init__(
        self,
        layout: VersionLayout,
        row: Row,
        *,
        bins: FeatureBins,
        cuts: NDArray[np.float32] | None,
        keep: Callable[["VersionCounters"], None],
    ) -> None:
        self.layout = layout
        self._counts, self._sums = row.counts, row.sums
        self._buckets = layout.buckets
        wide, outcomes = len(layout.buckets) + 1, len(layout.outcomes)
        self._places = {
            endpoint: (i * outcomes, layout.latencies + i * wide, i)
            for i, endpoint in enumerate(layout.endpoints)
        }
        self._cuts = cuts
        self._predicted = row.count_array[layout.predictions : layout.bins]
        self._bins, self._binned = bins, row.count_array[layout.bins :]
        self._keep = keep
        self._queue: list[FloatRows] = []
        self._queued = self._counted = 0  # rows; the first is the loop's, the second the flush's
        self._counting = threading.Lock()

    def answered(self, endpoint: str, rows: int, seconds: float) -> None:
        """Count one answered request of this many rows. ``endpoint``: one of `layouts.ENDPOINTS`."""
        success, buckets, total = self._places[endpoint]
        counts = self._counts
        counts[success] += rows
        counts[buckets + bisect_left(self._buckets, seconds)] += 1
        self._sums[total] += seconds

    def answered_each(self, endpoint: str, seconds: Sequence[float]) -> None:
        """Count answered requests of a row each."""
        success, buckets, total = self._places[endpoint]
        counts, bounds = self._counts, self._buckets
        for took in seconds:
            counts[buckets + bisect_left(bounds, took)] += 1
        counts[success] += len(seconds)
        self._sums[total] += sum(seconds)

    def failed(self, endpoint: str, outcome: str) -> None:
        """Count one request that is not answered: `refused` (4xx) or `error` (5xx)."""
        self._counts[self._places[endpoint][0] + self.layout.outcomes.index(outcome)] += 1

    def scored(self, matrix: FloatRows, predictions: Predictions) -> None:
        """Count what was predicted, now, and what the rows held, soon: ``matrix`` may not change then."""
        self._count_predicted(predictions)
        self._queue.append(matrix)
        waiting = self._queued - self._counted
        self._queued += len(matrix)
        if not waiting or len(matrix) > FLUSH_ROWS:
            self._keep(self)  # its thread counts them within a second, or at once where they are many
        elif waiting >= FLUSH_ROWS and not self._counting.locked():
            self._count_some()

    @property
    def waiting(self) -> int:
        """Rows whose features are not counted yet."""
        return self._queued - self._counted

    def flush(self) -> None:
        """Count what has been queued; from any thread."""
        while self._count_some():
            pass

    def _count_some(self) -> bool:
        with self._counting:
            if not self._queue:
                return False
            rows = self._take()
            self._binned += self._bins.count(rows)
            self._counted += len(rows)
            return True

    def _take(self) -> FloatRows:
        """About FLUSH_ROWS of the queue. Others only append to it, so its beginning is ours."""
        queue = self._queue
        if len(queue[0]) > FLUSH_ROWS:
            rows, queue[0] = queue[0][:FLUSH_ROWS], queue[0][FLUSH_ROWS:]
            return rows
        size = some = 0
        while some < len(queue) and size + len(queue[some]) <= 2 * FLUSH_ROWS:
            size += len(queue[some])
            some += 1
        rows = np.concatenate(queue[:some])
        del queue[:some]
        return rows

    def _count_predicted(self, predictions: Predictions) -> None:
        if self._cuts is None:
            places = predictions.class_indices
        else:
            places = self._cuts.searchsorted(predictions.values.astype(np.float32))
        if len(places) <= ONE_BY_ONE:
            counts, first = self._counts, self.layout.predictions
            for place in places.tolist():
                counts[first + place] += 1
        else:
            found = np.bincount(places, minlength=len(self._predicted))
            self._predicted += found.astype(np.uint64)


class Counters:
    """All that one process counts. Opened after the fork, each worker under its own number, from 0.

    ``directory``: shared by all processes of the server (`shelf.shared_counters`); None keeps the counts in
    this process's memory.
    """

    def __init__(self, directory: Path | None, *, worker: int = 0) -> None:
        self._shelf = Shelf(directory, row=SUPERVISOR_ROW + 1 + worker)
        self._row = self._shelf.open(SERVER.ledger, SERVER.title)
        _sign(self._row)
        self._versions: dict[int, VersionCounters] = {}  # by the identity of the bundle
        self._unflushed: set[VersionCounters] = set()  # nothing is lost when a bundle goes before the flush
        self._followed: list[tuple[int, Callable[[], int], int]] = []
        self._gauges: list[tuple[int, Callable[[], int]]] = []
        self._flushing = threading.Lock()
        self._wake, self.is_closed = threading.Event(), False
        keeper = threading.Thread(
            target=_keep_flushing, args=(weakref.ref(self), self._wake), name="counters", daemon=True
        )
        keeper.start()

    def version(self, bundle: Bundle) -> VersionCounters:
        """The counters of this bundle's version, made before it takes traffic; they last as long as it."""
        known = self._versions.get(id(bundle))
        if known is not None:
            return known
        profile = bundle.profile()
        layout, bins = layout_of(bundle.version, bundle.contract, profile)
        # A version that is opened a second time goes on with the same object: a place has one writer.
        alive = [*self._versions.values(), *self._unflushed]
        made = next((counters for counters in alive if counters.layout == layout), None)
        if made is None:
            row = self._shelf.open(layout.ledger, layout.title)
            cuts = None if bundle.contract.target.classes is not None else prediction_cuts(profile)
            made = VersionCounters(layout, row, bins=bins, cuts=cuts, keep=self._keep)
            self._shelf.keep_newest(VERSION_LEDGERS, most=MOST_VERSIONS)
        self._versions[id(bundle)] = made
        weakref.finalize(bundle, self._versions.pop, id(bundle), None)
        return made

    def failed(self, endpoint: str, outcome: str) -> None:
        """Count a request that failed before a version was picked for it: `refused` or `error`."""
        self._row.counts[SERVER.places["failed", endpoint, outcome]] += 1

    def feedback(self, result: str, times: int = 1) -> None:
        """Count outcomes. ``result``: one of `layouts.FEEDBACK`."""
        self._row.counts[SERVER.places["feedback", result]] += times

    def limited(self, limit: str) -> None:
        """Count a request or connection that a limit refused. ``limit``: a value of `layouts.LIMITS`."""
        self._row.counts[SERVER.places["limits", limit]] += 1

    def log(self, label: str, read: Callable[[], int]) -> None:
        """Add to a count, every second, by how much this number of the prediction log has grown.

        ``label``: `written` or `dropped`. ``read`` starts at 0 in each process; it is called from a thread.
        """
        with self._flushing:
            self._followed.append((SERVER.places["log", label], read, 0))

    def gauge(self, label: str, read: Callable[[], int]) -> None:
        """Show this number, at least 0, as it is; added up where several are given.

        ``label``: one of `ServerLayout.gauges`. ``read`` is called from a thread.
        """
        with self._flushing:
            self._gauges.append((SERVER.places["gauges", label], read))

    def flush(self) -> None:
        """Bring into the rows all that waits in this process; from any thread."""
        with self._flushing:  # who comes second waits until all is in the rows
            for version in list(self._unflushed):
                self._unflushed.discard(version)  # first: what comes during the flush adds it again
                version.flush()
                self._shelf.mark_used(version.layout.ledger)
            self._read_others()

    def sheets(self) -> list[Sheet]:
        """What all processes of the server have counted, one sheet a ledger."""
        return self._shelf.sheets()

    def close(self) -> None:
        """Count what waits, and leave the rows to whoever comes next."""
        self.is_closed = True
        self._wake.set()
        self.flush()
        self._row.counts[SERVER.places["pid",]] = 0
        self._shelf.close()

    def _keep(self, version: VersionCounters) -> None:
        self._unflushed.add(version)
        if version.waiting > FLUSH_ROWS:
            self._wake.set()

    def _read_others(self) -> None:
        counts = self._row.counts
        for i, (place, read, before) in enumerate(self._followed):
            now = read()
            counts[place] += now - before if now >= before else now
            self._followed[i] = (place, read, now)
        for place in {place for place, _ in self._gauges}:
            counts[place] = sum(read() for here, read in self._gauges if here == place)


@contextmanager
def supervising(directory: Path) -> Iterator[None]:
    """Let this process be seen as the supervisor of those who count here, and forget dead workers."""
    shelf = Shelf(directory, row=SUPERVISOR_ROW)
    row = shelf.open(SERVER.ledger, SERVER.title)
    _sign(row)
    shelf.clear_free_rows(SERVER.ledger, SERVER.title, place=SERVER.places["pid",])
    try:
        yield
    finally:
        row.counts[SERVER.places["pid",]] = 0
        shelf.close()


def _sign(row: Row) -> None:
    """Say in the row which process has it from now on; what its predecessor only showed is over."""
    row.counts[SERVER.places["pid",]] = os.getpid()
    row.counts[SERVER.places["ticks",]] = start_ticks(os.getpid()) or 0
    row.counts[SERVER.places["starts",]] += 1
    for gauge in SERVER.gauges:
        row.counts[SERVER.places["gauges", gauge]] = 0


def _keep_flushing(found: "weakref.ref[Counters]", wake: threading.Event) -> None:
    """Flush when woken, and every second; ends with the counters that it looks after."""
    while True:
        wake.wait(FLUSH_SECONDS)
        wake.clear()
        counters = found()
        if counters is None or counters.is_closed:
            return
        counters.flush()
        del counters
