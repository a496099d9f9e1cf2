"""Events: what a server process says of itself on stderr, one line each.

JSON for programs; on a terminal the same as words. Everything that is logged comes through here, uvicorn's
and other libraries' lines too, so that nothing else ever stands between two events.
"""

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level
from structlog.typing import Processor

SERVER = "siklus"  # our own loggers tell from INFO on, those of libraries from WARNING on

Event = MutableMapping[str, Any]


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
    handler = logging.StreamHandler(stream)
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
