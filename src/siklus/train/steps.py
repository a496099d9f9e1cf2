"""Named steps: each reads what the ones before it left, and leaves a directory of its own.

A step's directory is named by the digest of everything that went into it: the step before, the settings
that it reads, and the code. So a step whose inputs are unchanged is not run again, an interrupted
training goes on after the last finished step, and `--plan` can tell beforehand what would run and why.
"""

import hashlib
import os
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
KEY_CHARACTERS = 16  # of the digest, in a directory's name

Verdict = Literal["run", "reuse"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished step says of itself. ``code`` and ``settings`` are digests of what went into it."""

    step: str
    key: str
    code: str
    settings: str
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
    code: str
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
    """What would run and why; only looks. ``code``: the digest of whatever decides beside the settings.

    TrainError TN010 for a step that does not exist, TN011 for a span that ends before it begins.
    """
    first, last = _bounds(span, [step.name for step in steps])
    planned: list[Planned] = []
    key = code
    for i, step in enumerate(steps[: last + 1]):
        key = _digest(key, step.name, _settings(step))
        directory = root / f"{step.name}-{key[:KEY_CHARACTERS]}"
        anew = any(earlier.verdict == "run" for earlier in planned)
        verdict, why = _verdict(step, directory, code=code, anew=anew)
        if verdict == "reuse" and (span.force or i >= first):
            verdict, why = "run", "asked for anew"
        planned.append(Planned(step=step, key=key, code=code, directory=directory, verdict=verdict, why=why))
    return planned


def carry_out(planned: Sequence[Planned], *, told: Told) -> None:
    """Run what is to run, in order; ``told`` hears of each step before (no note) and after (its note).

    Whatever a step raises leaves the finished ones in place and nothing of its own. One process at a time.
    """
    for item in planned:
        if item.verdict == "reuse":
            os.utime(item.directory)
            told(item, read_note(item.directory))
            continue
        told(item, None)
        _forget_drafts(item.directory.parent)
        started = time.perf_counter()
        with directory_atomic(item.directory) as draft:
            summary = item.step.work(draft)
            note = Note(
                step=item.step.name,
                key=item.key,
                code=item.code,
                settings=_settings(item.step),
                seconds=time.perf_counter() - started,
                summary=summary,
            )
            (draft / NOTE_FILE).write_bytes(msgspec.json.encode(note))
        _forget_old(item.directory, item.step.name)
        told(item, note)


def read_note(directory: Path) -> Note | None:
    """None where no step has finished, or its note cannot be read: such a result is as good as none."""
    try:
        return msgspec.json.decode((directory / NOTE_FILE).read_bytes(), type=Note)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def digest_of_code(folders: Sequence[Path], *, versions: Sequence[str]) -> str:
    """The digest of all Python files below the folders, and of the libraries that they use."""
    digest = hashlib.sha256("\n".join(versions).encode())
    for file in sorted(file for folder in folders for file in folder.rglob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _bounds(span: Span, names: Sequence[str]) -> tuple[int, int]:
    """The place from which all runs anew (behind the last when nothing does), and that of the last step."""
    for asked in (span.first, span.until):
        if asked is not None and asked not in names:
            raise TrainError("TN010", f"no step {asked!r}", expected=f"one of {', '.join(names)}")
    last = len(names) - 1 if span.until is None else names.index(span.until)
    first = len(names) if span.first is None else names.index(span.first)
    if span.first is not None and first > last:
        raise TrainError(
            "TN011",
            f"from {span.first!r} until {span.until!r} there is no step",
            expected=f"the order {', '.join(names)}",
        )
    return first, last


def _settings(step: Step) -> str:
    return _digest(msgspec.json.encode(step.settings, order="sorted").decode())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _verdict(step: Step, directory: Path, *, code: str, anew: bool) -> tuple[Verdict, str]:
    if read_note(directory) is not None:
        # Its key holds those before it, so what lies here belongs to just these inputs, even if one of
        # those is made anew (it was cleaned away, or asked for): the same inputs give the same result.
        if step.holds(directory):
            return "reuse", "nothing that it depends on has changed"
        return "run", "what it made is gone"
    if anew:
        return "run", "a step before it runs"
    latest = next(filter(None, map(read_note, newest_first(directory.parent, step.name))), None)
    if latest is None:
        return "run", "it has not run yet"
    if latest.code != code:
        return "run", "Siklus, Python or a library of theirs has changed"
    if latest.settings != _settings(step):
        return "run", "its settings or inputs have changed"
    return "run", "what it starts from has changed"


def newest_first(root: Path, name: str) -> list[Path]:
    """What is kept of a step's results, the one that a training took or made last at the front."""
    return sorted(root.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime, reverse=True)


def _forget_old(kept: Path, name: str) -> None:
    for old in newest_first(kept.parent, name)[KEPT_RESULTS:]:
        if old != kept:
            shutil.rmtree(old, ignore_errors=True)


def _forget_drafts(root: Path) -> None:
    """A killed process could not take its draft away."""
    for draft in root.glob(".*"):
        shutil.rmtree(draft, ignore_errors=True)
