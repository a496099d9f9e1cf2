"""The board: what a monitor has found, as gauges that every worker shows on its page for Prometheus.

A file that is written whole; a board that nobody has written for a while is no longer shown.
"""

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from siklus.files import write_atomic

NAME = "watch.json"  # in the run directory of the state
MOST_BYTES = 16_000_000

Sample: TypeAlias = tuple[dict[str, str], float]  # labels, value


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """One family of series. ``samples``: each with the same names of labels."""

    name: str
    meaning: str
    samples: tuple[Sample, ...]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """``written``: Unix time. ``seconds``: for which it is news; after that no page shows it."""

    format: Literal[1] = 1
    written: float
    seconds: float
    gauges: tuple[Gauge, ...]


def write_board(run: Path, board: Board) -> None:
    """FileError FS001 when the disk does not take it."""
    write_atomic(run / NAME, msgspec.json.encode(board))


def read_board(run: Path, *, now: float) -> Board | None:
    """The board in a state's run directory; None without one that is whole and young. ``now``: Unix time."""
    path = run / NAME
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        found = msgspec.json.decode(path.read_bytes(), type=Board)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if abs(now - found.written) <= found.seconds else None
