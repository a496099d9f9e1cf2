"""Files for other tools: drafted whole, compared with what is there, and written only if no work is lost.

Beside the files lies a list of what was last written. A file that is still so may be replaced by a newer
draft. One that a person has changed since, or that came from elsewhere, is theirs: it stays while the draft
is what it was, and where that is another now, a person has to say which of the two it shall be.
"""

import difflib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from siklus.errors import DeployError
from siklus.files import write_atomic

LIST = ".siklus-deploy.json"  # beside the files; commit it with them

State: TypeAlias = Literal["new", "same", "older", "kept", "changed"]


class Draft(Struct, frozen=True, kw_only=True):
    """A file to write. ``path``: below the directory that all go to, with slashes."""

    path: str
    text: str


class Compared(Struct, frozen=True, kw_only=True):
    """A draft beside the file that is there.

    ``state``: not there yet (new), the very same, as it was last written (older), changed by a person while
    the draft is the one that was last written (kept), or changed by a person, and the draft is another, too.
    ``difference``: lines of a unified diff from the file to the draft; none where it is new or the same.
    """

    draft: Draft
    state: State
    difference: tuple[str, ...] = ()


class _Written(Struct, frozen=True, kw_only=True):
    format: Literal[1] = 1
    sha256: dict[str, str] = {}


def compare(drafts: Sequence[Draft], directory: Path) -> tuple[Compared, ...]:
    """DeployError DP003 when the list of what was last written, or a file, cannot be read."""
    written = _list_of(directory).sha256
    return tuple(_compared(draft, directory / draft.path, written) for draft in drafts)


def write(found: Sequence[Compared], directory: Path, *, force: bool) -> None:
    """Write all drafts that bring something, or none. DeployError DP004 where a person has changed a file and
    its draft is not what was last written, either; with ``force`` all such files are replaced."""
    changed = [each.draft.path for each in found if each.state == "changed"]
    if changed and not force:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise DeployError(
            "DP004",
            f"{directory / changed[0]}{more} is not as Siklus wrote it: nothing was written",
            expected="--force to replace it (git brings your lines back), or another --to",
        )
    stays = {"same"} if force else {"same", "kept"}
    for each in found:
        if each.state not in stays:
            write_atomic(directory / each.draft.path, each.draft.text)
    digests = {**_list_of(directory).sha256, **{each.draft.path: _digest(each.draft.text) for each in found}}
    kept = _Written(sha256=dict(sorted(digests.items())))
    write_atomic(directory / LIST, msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")


def _compared(draft: Draft, path: Path, written: Mapping[str, str]) -> Compared:
    if not path.exists():
        return Compared(draft=draft, state="new")
    there = _text(path)
    if there == draft.text:
        return Compared(draft=draft, state="same")
    states: dict[str | None, State] = {_digest(draft.text): "kept", _digest(there): "older"}
    lines = difflib.unified_diff(
        there.splitlines(), draft.text.splitlines(), str(path), "as it would be", lineterm=""
    )
    state = states.get(written.get(draft.path), "changed")
    return Compared(draft=draft, state=state, difference=tuple(lines))


def _list_of(directory: Path) -> _Written:
    path = directory / LIST
    if not path.exists():
        return _Written()
    try:
        return msgspec.json.decode(_text(path), type=_Written)
    except msgspec.MsgspecError as exc:
        raise DeployError("DP003", f"{path}: {exc}", expected="the list that `siklus deploy` wrote") from exc


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise DeployError("DP003", f"{path} cannot be read: {exc}", expected="a file of text") from exc


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
