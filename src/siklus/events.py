"""Events: what a program that runs beside the servers says of itself, a line of JSON each, on stderr."""

import os
import sys
from datetime import UTC, datetime

import msgspec


def tell(event: str, *, level: str = "info", **fields: object) -> None:
    """Say that this happened. ``fields``: whatever msgspec writes as JSON."""
    line = {"time": datetime.now(UTC), "level": level, "event": event, "pid": os.getpid(), **fields}
    sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
    sys.stderr.flush()
