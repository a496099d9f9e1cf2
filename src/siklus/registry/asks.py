"""Asks: somebody wants a retraining. From elsewhere an ask is left as a file, which the loop takes.

A server knows no database; so its webhook leaves what it was told in a folder that the loop looks at.
"""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from siklus.files import disk_errors, write_atomic
from siklus.project.names import SafeName
from siklus.project.paths import Paths

MOST_WAITING = 16  # files: one retraining answers all of them, so more would say nothing new
MOST_CHARACTERS = 500  # of a reason, or a name
MOST_BYTES = 20_000  # of a file
ENDING = ".json"

Via: TypeAlias = Literal["command", "webhook"]


class Ask(Struct, frozen=True, kw_only=True):
    """``id``: by which it counts once, however often it is told. ``by``: a person's or a program's name."""

    id: SafeName
    time: Annotated[datetime, Meta(tz=True)]
    by: str
    via: Via
    reason: str = ""


def asks_folder(paths: Paths) -> Path:
    """Where asks of this machine wait for the loop."""
    return paths.run / "asks"


def leave_ask(folder: Path, ask: Ask) -> bool:
    """Leave it for the loop; False where so many wait that one more changes nothing. FileError FS001.

    Of an id that waits already the first word stands.
    """
    path = folder / f"{ask.id}{ENDING}"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            return True
        waiting = sum(1 for each in folder.iterdir() if each.suffix == ENDING)
    if waiting >= MOST_WAITING:
        return False
    write_atomic(path, msgspec.json.encode(ask))
    return True


def left_asks(folder: Path) -> Iterator[tuple[Path, Ask | None]]:
    """Those that wait, by their files' names, as many as one turn takes; None for a file that is no ask.

    Whoever may write there may leave anything. What is no file, such as a link or a pipe, is no ask either;
    directories are passed over.
    """
    waiting = (path for path in sorted(folder.glob(f"*{ENDING}")) if path.is_symlink() or not path.is_dir())
    for path in islice(waiting, MOST_WAITING):
        try:
            yield path, _ask_of(path)
        except FileNotFoundError:
            continue  # another loop was quicker


def _ask_of(path: Path) -> Ask | None:
    try:
        # A pipe without a writer would be waited for, and a link may lead to what has no end.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            content = file.read(MOST_BYTES + 1)
        ask = msgspec.json.decode(content, type=Ask) if len(content) <= MOST_BYTES else None
        if ask is None or max(len(ask.by), len(ask.reason)) > MOST_CHARACTERS:
            return None
        return msgspec.structs.replace(ask, time=ask.time.astimezone(UTC))
    except FileNotFoundError:
        raise
    except (OSError, OverflowError, UnicodeDecodeError, msgspec.MsgspecError):
        return None
