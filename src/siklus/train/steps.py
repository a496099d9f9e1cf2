"""Named steps: each reads what the ones before it left, and leaves a directory of its own.

A step's directory is named by the digest of everything that went into it: the step before, the settings
that it reads, and the code. So a step whose inputs are unchanged is not run again, an interrupted
training goes on after the last finished step, and `--plan` can tell beforehand what would run and why.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from siklus.errors import TrainError
from siklus.files import directory_atomic

KEPT_RESULTS = 3  # a step: enough to go back and forth between two settings without training again
NOTE_FILE = "step.json"

Verdict = Literal["run", "reuse"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished step says of itself."""

    step: str
    key: str
    seconds: float
    summary: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """``settings`` is what decides the result, beside the steps before; ``work`` fills the given directory
    and says in a line what came out. ``holds`` tells of a finished one whether what it made elsewhere
    (a registered version) is still there."""

    name: str
    about: str
    settings: object
    work: Callable[[Path], str]
    holds: Callable[[Path], bool] = Path.is_dir


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step with its key and whether it would run."""

    step: Step
    key: str
    directory: Path
    verdict: Verdict
    why: str


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which steps are asked for: up to ``until``, anew from ``first``, all anew with ``force``."""

    first: str | None = None
    until: str | None = None
    force: bool = False


Told = Callable[[Planned, Note | None], None]


def plan(steps: Sequence[Step], *, root: Path, code: str, span: Span) -> list[Planned]:
    """What would run and why. TrainError TN010 for a step that does not exist."""
    names = [step.name for step in steps]
    for asked in (span.first, span.until):
        if asked is not None and asked not in names:
            raise TrainError("TN010", f"no step {asked!r}", expected=f"one of {', '.join(names)}")
    last = names.index(span.until) if span.until else len(names) - 1
    first = names.index(span.first) if span.first else None
    planned: list[Planned] = []
    key = code
    for i, step in enumerate(steps[: last + 1]):
        key = _key(key, step)
        directory = root / f"{step.name}-{key[:16]}"
        anew = any(earlier.verdict == "run" for earlier in planned)
        verdict, why = _verdict(step, directory, root, anew=anew)
        if verdict == "reuse" and (span.force or (first is not None and i >= first)):
            verdict, why = "run", "asked for anew"
        planned.append(Planned(step=step, key=key, directory=directory, verdict=verdict, why=why))
    return planned


def carry_out(planned: Sequence[Planned], *, told: Told) -> None:
    """Run what is to run, in order; ``told`` hears of each step before (no note) and after (its note).

    Whatever a step raises leaves the finished ones in place and nothing of its own.
    """
    for item in planned:
        if item.verdict == "reuse":
            told(item, read_note(item.directory))
            continue
        told(item, None)
        started = time.perf_counter()
        with directory_atomic(item.directory) as draft:
            summary = item.step.work(draft)
            note = Note(step=item.step.name, key=item.key, seconds=time.perf_counter() - started, summary=summary)
            (draft / NOTE_FILE).write_bytes(msgspec.json.encode(note))
        _forget_old(item.directory, item.step.name)
        told(item, note)


def read_note(directory: Path) -> Note:
    return msgspec.json.decode((directory / NOTE_FILE).read_bytes(), type=Note)


def digest_of_code(folders: Sequence[Path]) -> str:
    """The digest of all Python files below the folders: what changes with every edit and upgrade."""
    digest = hashlib.sha256()
    for file in sorted(file for folder in folders for file in folder.rglob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _key(before: str, step: Step) -> str:
    settings = msgspec.json.encode(step.settings, order="sorted")
    return hashlib.sha256(b"\0".join([before.encode(), step.name.encode(), settings])).hexdigest()


def _verdict(step: Step, directory: Path, root: Path, *, anew: bool) -> tuple[Verdict, str]:
    if (directory / NOTE_FILE).is_file() and not step.holds(directory):
        return "run", "what it made is gone"
    if (directory / NOTE_FILE).is_file():
        # Its key holds those before it, so what lies here belongs to just these inputs, even if one of
        # those is made anew (it was cleaned away, or asked for): the same inputs give the same result.
        return "reuse", "nothing that it depends on has changed"
    if anew:
        return "run", "a step before it runs"
    return "run", "its settings or inputs changed" if list(root.glob(f"{step.name}-*")) else "it has not run yet"


def _forget_old(kept: Path, name: str) -> None:
    found = sorted(kept.parent.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in found[KEPT_RESULTS:]:
        if old != kept:
            shutil.rmtree(old, ignore_errors=True)
