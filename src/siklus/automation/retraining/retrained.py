"""What a retraining came to: its rows, what the guards found, its challenger, and the verdict on that."""

from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from siklus.automation.replay.replayed import Replay
from siklus.files import write_atomic
from siklus.project.paths import Paths
from siklus.stats.challenge import ChallengeEvidence
from siklus.stats.paired import Difference
from siklus.train.gates import GateResult

Judged: TypeAlias = Literal["accepted", "refused", "undecided"]
Ending: TypeAlias = Judged | Literal["failed"]
Guard: TypeAlias = Literal["client-share", "client-errors", "label-prior"]

RESULT_FILE = "result.json"
MOST_BYTES = 20_000_000  # of it: one has some ten thousand
# What the loop may start a training for by itself, as `[retrain] on` spells it: anything else was asked for.
OF_ITSELF = ("drift", "quality", "predictions:", "labels:", "alert:", "schedule:")
# Of these, the ones that say that the champion has become bad.
IN_DOUBT = ("drift", "quality", "alert:")


class RowsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that were trained on (and judged), by where they come from.

    ``left_out``: rows by the reason why they were not taken. ``unseen``: cells by column whose word the
    contract does not know; they are trained on as such. ``first`` and ``last``: of the event times.
    ``cut``: outcomes received until then count.
    """

    source: int
    logged: int
    window: str
    cut: datetime
    left_out: dict[str, int] = {}
    unseen: dict[str, int] = {}
    first: datetime | None = None
    last: datetime | None = None

    @property
    def total(self) -> int:
        return self.source + self.logged


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a guard has seen in the labels, with its numbers.

    ``client``: whose labels (None: of all, or of those without an API key). ``rows``: their labels;
    ``left_out``: how many of these are not used. ``value``: what was measured, which ``bound`` was not to
    pass. ``blocks``: until a person has looked, nothing is trained.
    """

    guard: Guard
    message: str
    client: str | None = None
    rows: int
    left_out: int = 0
    value: float
    bound: float
    blocks: bool = False


class SliceJudged(msgspec.Struct, frozen=True, kw_only=True):
    """The challenger against the champion on the rows in which ``column`` is ``word``."""

    column: str
    word: str
    evidence: ChallengeEvidence


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Challenger against champion, on rows that neither was fitted on.

    ``reason``: one sentence with the numbers; ``warning``: what weakens it, or "". ``labels``: rows that
    judged, of ``wanted`` at least. ``evidence``: mean loss of the challenger minus the champion's, on those
    rows; ``champion_loss`` is the champion's mean, in the same unit. ``trusted``: the same on the trusted
    rows. None where there were no such rows, or no champion.
    """

    verdict: Judged
    reason: str
    warning: str = ""
    labels: int = 0
    wanted: int = 0
    evidence: ChallengeEvidence | None = None
    champion_loss: float | None = None
    trusted: Difference | None = None
    slices: tuple[SliceJudged, ...] = ()
    findings: tuple[Finding, ...] = ()


class Retrained(msgspec.Struct, frozen=True, kw_only=True):
    """The end of job ``number``. `<state>/retrainings/<number>/result.json` holds it.

    ``version``: of the challenger, which is registered; None where none is: a gate failed, a guard blocked
    the training, or it failed (``code`` then is that of the problem, "" otherwise). ``bundle``: the digest of
    its bundle; ``champion``: the version that it was held against, None where there is none yet.
    """

    number: int
    trigger: str
    verdict: Ending
    reason: str
    began: datetime
    ended: datetime
    version: int | None = None
    bundle: str | None = None
    champion: int | None = None
    rows: RowsTaken | None = None
    gates: tuple[GateResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    judgement: Judgement | None = None
    replay: Replay | None = None
    code: str = ""


def of_itself(trigger: str) -> bool:
    """Whether the loop began by itself; otherwise a person asked for it, or a program of theirs.

    >>> of_itself("labels:1000"), of_itself("asked by anna")
    (True, False)
    """
    return trigger.startswith(OF_ITSELF)


def in_doubt(trigger: str) -> bool:
    """Whether the trigger says that the champion has become bad.

    >>> in_doubt("drift"), in_doubt("schedule:0 3 * * 1")
    (True, False)
    """
    return trigger.startswith(IN_DOUBT)


def folder_of(paths: Paths, number: int) -> Path:
    """Where job ``number`` leaves what it has made."""
    return paths.state / "retrainings" / str(number)


def lock_of(paths: Paths) -> Path:
    """Held by the retraining that runs, as long as it lives."""
    return paths.run / "retraining.lock"


def read_retrained(paths: Paths, number: int) -> Retrained | None:
    """What job ``number`` came to; None as long as it has not ended. ValueError where the file holds no such
    result, or another job's, or is none that can be read."""
    try:
        with (folder_of(paths, number) / RESULT_FILE).open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ValueError(f"it cannot be read: {exc}") from exc
    if len(raw) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    found = msgspec.json.decode(raw, type=Retrained)
    if found.number != number:
        raise ValueError(f"it is the result of job {found.number}")
    return found


def write_retrained(paths: Paths, found: Retrained) -> None:
    """The file is whole or not there. FileError FS001 for a full disk."""
    text = msgspec.json.format(msgspec.json.encode(found), indent=2)
    write_atomic(folder_of(paths, found.number) / RESULT_FILE, text)
