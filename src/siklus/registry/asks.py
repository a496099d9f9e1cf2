"""Asks: somebody wants a retraining. From elsewhere an ask is left as a file, which the loop takes.

A server knows no database; so its webhook leaves what it was told in a folder that the loop looks at.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from siklus.files import disk_errors, write_atomic
from siklus.project.names import SafeName
from siklus.project.paths import Paths

MOST_WAITING = 16  # files: one retraining answers all of them, so more would say nothing new
MOST_CHARACTERS = 500  # of a reason
ENDING = ".json"

Via: TypeAlias = Literal["command", "webhook"]


class Ask(Struct, frozen=True, kw_only=True):
    """``id``: by which it counts once, however often it is told. ``by``: a person's or a program's name."""

    id: SafeName
    time: datetime
    by: str
    via: Via
    reason: str = ""


def asks_folder(paths: Paths) -> Path:
    """Where asks of this machine wait for the loop."""
    return paths.run / "asks"


def leave_ask(folder: Path, ask: Ask) -> bool:
    """Leave it for the loop; False where so many wait that one more changes nothing. FileError FS001."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        waiting = sum(1 for path in folder.iterdir() if path.suffix == ENDING)
    if waiting >= MOST_WAITING:
        return False
    write_atomic(folder / f"{ask.id}{ENDING}", msgspec.json.encode(ask))
    return True


def left_asks(folder: Path) -> Iterator[tuple[Path, Ask | None]]:
    """Those that wait, by their files' names; None for a file that is no ask."""
    for path in sorted(folder.glob(f"*{ENDING}")):
        try:
            yield path, msgspec.json.decode(path.read_bytes(), type=Ask)
        except FileNotFoundError:
            continue  # another loop was quicker
        except (OSError, msgspec.MsgspecError):
            yield path, None
