"""What runs of the pipeline on this machine came to, kept in the state directory: a file a run."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from siklus.deploy.pipelines.running import Ran
from siklus.files import write_atomic

DIRECTORY = "pipelines"  # below the state directory
MOST = 200  # runs that are kept


class PipelineRun(Struct, frozen=True, kw_only=True):
    """``time``: when it ended. ``commit``: the one checked out, if any; ``dirty``: with changes."""

    format: Literal[1] = 1
    time: datetime
    passed: bool
    commit: str | None
    dirty: bool | None
    stages: tuple[Ran, ...]


def keep(run: PipelineRun, state: Path) -> None:
    """FileError FS001 when the disk is full."""
    moment = run.time.astimezone(UTC).strftime("%Y%m%dT%H%M%S%f")
    write_atomic(state / DIRECTORY / f"{moment}.json", msgspec.json.encode(run))
    for old in _files(state)[MOST:]:
        old.unlink(missing_ok=True)


def kept(state: Path) -> Iterator[PipelineRun]:
    """The newest first. What cannot be read, such as a newer Siklus's, is passed over."""
    for file in _files(state):
        try:
            yield msgspec.json.decode(file.read_bytes(), type=PipelineRun)
        except (OSError, msgspec.MsgspecError):
            continue


def _files(state: Path) -> list[Path]:
    return sorted((state / DIRECTORY).glob("*.json"), reverse=True)
