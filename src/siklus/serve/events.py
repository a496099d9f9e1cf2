"""Events: what a server process says of itself on stderr, one line each.

JSON for programs; on a terminal the same as words. Everything that is logged comes through here, uvicorn's
and other libraries' lines too, so that nothing else ever stands between two events.
"""

import logging
import os
import select
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level
from structlog.typing import Processor

SERVER = "siklus"  # our own loggers tell from INFO on, those of libraries from WARNING on

Event = MutableMapping[str, Any]

_LOG = logging.getLogger("siklus.serve")


def tell_events(stream: TextIO | None = None, *, worker: int | None = None) -> None:
    """Write all that this process logs as events to ``stream`` (stderr), under this worker's number.

    Log with `logging.getLogger("siklus.…")` under the event's name, and its fields as ``extra``.
    """
    stream = stream or sys.stderr

    def add_process(_logger: object, _method: str, event: Event) -> Event:
        event["pid"] = os.getpid()
        if worker is not None:
            event.setdefault("worker", worker)
        return event

    seen: list[Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_log_level,
        ExtraAdder(),
        add_process,
        structlog.processors.format_exc_info,
    ]
    handler = Teller(stream)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[
                ProcessorFormatter.remove_processors_meta,
                in_words if stream.isatty() else structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            foreign_pre_chain=seen,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(SERVER).setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


class Teller(logging.StreamHandler[TextIO]):
    """Writes a line where there is room for it, and never waits for room.

    A pipe that nobody reads is full some day, and whoever waits there answers nothing any more. What is
    let go then is counted, and said (`events_lost`) as soon as somebody reads again.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        # A pipe that is ready takes a page (4 kB) at least, which few lines exceed.
        if not select.select([], [self.stream], [], 0)[1]:
            self._lost += 1
            return
        super().emit(record)
        if self._lost:
            count, self._lost = self._lost, 0
            _LOG.warning("events_lost", extra={"count": count})


def in_words(_logger: object, _method: str, event: Event) -> str:
    """The event for a person.

    >>> in_words(None, "", {"time": "…", "level": "info", "event": "worker_dead", "worker": 1, "signal": 9})
    'siklus: worker dead (worker 1, signal 9)'
    >>> in_words(None, "", {"event": "listening", "url": "http://127.0.0.1:8000", "pid": 7})
    'siklus: listening on http://127.0.0.1:8000, described at http://127.0.0.1:8000/docs'
    """
    if event["event"] == "listening":
        return listening_sentence(event["url"])
    told = {name: value for name, value in event.items() if name not in {"time", "event", "exception", "pid"}}
    level = told.pop("level", "info")
    fields = ", ".join(f"{name} {value}" for name, value in told.items())
    words = str(event["event"]).replace("_", " ")
    loud = f"{level}: " if level not in {"info", "debug"} else ""
    line = f"siklus: {loud}{words} ({fields})" if fields else f"siklus: {loud}{words}"
    return "\n".join([line, event["exception"]] if "exception" in event else [line])


def listening_sentence(url: str) -> str:
    """Where the server is, for a person."""
    described = "" if url.startswith("unix:") else f", described at {url}/docs"
    return f"siklus: listening on {url}{described}"
