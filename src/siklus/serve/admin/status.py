"""Status: how the whole server is, as whoever runs it wants to know."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from siklus.ledgers.layouts import ServerLayout, read_layout
from siklus.ledgers.ledger import Sheet
from siklus.ledgers.processes import start_ticks, usage
from siklus.serve.answers import Health
from siklus.serve.counting.shelf import SUPERVISOR_ROW
from siklus.serve.desk import Desk
from siklus.serve.traffic.health import health_of


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """A worker that lives. ``starts``: processes that have had its place, itself included."""

    pid: int
    started: datetime
    starts: int
    resident_bytes: int
    in_flight: int
    waiting: int


class LogStatus(Struct, frozen=True, kw_only=True):
    """Records of the prediction log, of all workers since the state directory was made."""

    enabled: bool
    written: int
    dropped: int


class Status(Struct, frozen=True, kw_only=True):
    """``health``: of the worker that was asked. ``workers_wanted``: how many there should be.

    ``keys_asked_for``: whether calls need an API key.
    """

    health: Health
    draining: bool
    workers_wanted: int
    workers: list[WorkerStatus]
    log: LogStatus
    keys_asked_for: bool


def status_of_server(desk: Desk) -> Status:
    """The answer to `GET /status`; takes a millisecond."""
    counters = desk.metrics.counters
    counters.flush()
    sheets = counters.sheets()
    return Status(
        health=health_of(desk.models),
        draining=desk.lifecycle.draining,
        workers_wanted=desk.settings.workers,
        workers=_workers(sheets),
        log=LogStatus(
            enabled=desk.records.log is not None,
            written=_total(sheets, "log", "written"),
            dropped=_total(sheets, "log", "dropped"),
        ),
        keys_asked_for=desk.guard.ring.asks,
    )


def _workers(sheets: Sequence[Sheet]) -> list[WorkerStatus]:
    found = []
    for sheet in sheets:
        layout = read_layout(sheet.text)
        if not isinstance(layout, ServerLayout):
            continue
        for row, counts in enumerate(sheet.counts.tolist()):
            alive = _worker(layout, counts) if row != SUPERVISOR_ROW else None
            found += [] if alive is None else [alive]
    return found


def _worker(layout: ServerLayout, counts: Sequence[int]) -> WorkerStatus | None:
    places = layout.places
    pid = counts[places["pid",]]
    used = usage(pid) if pid and start_ticks(pid) == counts[places["ticks",]] else None
    if used is None:
        return None
    return WorkerStatus(
        pid=pid,
        started=datetime.fromtimestamp(used.started, tz=UTC),
        starts=counts[places["starts",]],
        resident_bytes=used.resident_bytes,
        in_flight=counts[places["gauges", "in_flight"]],
        waiting=counts[places["gauges", "waiting"]],
    )


def _total(sheets: Sequence[Sheet], *place: str) -> int:
    """The sum over all workers of one count of the server's."""
    layouts = [(read_layout(sheet.text), sheet) for sheet in sheets]
    return sum(
        int(sheet.counts[:, layout.places[place]].sum())
        for layout, sheet in layouts
        if isinstance(layout, ServerLayout)
    )
