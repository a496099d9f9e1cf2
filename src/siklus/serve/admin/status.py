"""Status: how the whole server is, as whoever runs it wants to know."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from siklus.ledgers.totals import ServerTotals, add_up
from siklus.ledgers.workers import living
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
    servers = add_up(counters.sheets()).servers
    return Status(
        health=health_of(desk.models),
        draining=desk.lifecycle.draining,
        workers_wanted=desk.settings.workers,
        workers=list(_workers(servers)),
        log=LogStatus(
            enabled=desk.records.log is not None,
            written=sum(server.total("log", "written") for server in servers),
            dropped=sum(server.total("log", "dropped") for server in servers),
        ),
        keys_asked_for=desk.guard.ring.asks,
    )


def _workers(servers: Sequence[ServerTotals]) -> Iterator[WorkerStatus]:
    for server in servers:
        places = server.layout.places
        for process in living([server]):
            counts = server.rows[process.row].tolist()
            if process.row != SUPERVISOR_ROW:
                yield WorkerStatus(
                    pid=process.pid,
                    started=datetime.fromtimestamp(process.usage.started, tz=UTC),
                    starts=counts[places["starts",]],
                    resident_bytes=process.usage.resident_bytes,
                    in_flight=counts[places["gauges", "in_flight"]],
                    waiting=counts[places["gauges", "waiting"]],
                )
