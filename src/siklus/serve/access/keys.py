"""Keys: who may ask this server, in a file of the state directory that holds no key, only their digests.

A key is 256 random bits, so a plain SHA-256 of it can be published without telling anything: a slow hash
protects passwords, which can be guessed; here there is nothing to guess.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from siklus.errors import ServeError
from siklus.files import lock, write_atomic
from siklus.serve.access.rate import SLOTS

FORMAT = 1
PREFIX = "sk_"  # lets a person, and a scanner of repositories, see what it is
SECRET_BYTES = 32
OWNER_ONLY = 0o600
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_LOCK = "keys.lock"


class ApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key as it is kept. ``sha256`` is hexadecimal; ``slot`` is its own among all living keys.

    ``requests_per_second``: None without a limit.
    """

    name: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    slot: Annotated[int, Meta(ge=0, lt=SLOTS)]
    created: datetime
    requests_per_second: Annotated[float, Meta(gt=0)] | None = None

    def __post_init__(self) -> None:
        """Such a file is refused by msgspec in our name."""
        if NAME.fullmatch(self.name) is None:
            raise ValueError(f"the name {self.name!r}")


class _Kept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    keys: tuple[ApiKey, ...]


def digest_of(secret: str) -> bytes:
    """By which a key is known: its SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def read_keys(path: Path) -> tuple[ApiKey, ...] | None:
    """The keys in the file; None where no key was ever added. ServeError SV014 when it cannot be read."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ServeError(
            "SV014", f"{path}: {reason}", expected="the file as `siklus keys` has written it"
        ) from exc
    if kept.format != FORMAT:
        raise ServeError("SV014", f"{path}: format {kept.format}", expected=f"format {FORMAT}")
    return kept.keys


def add_key(path: Path, name: str, *, per_second: float | None, now: datetime) -> str:
    """Make a key with this name, and keep its digest; the key itself is returned and nowhere else.

    ServeError SV014, or SV015 for a name that cannot be or is taken; FileError FS001 or FS002.
    """
    if NAME.fullmatch(name) is None:
        wanted = "letters, digits, dots, - and _, at most 64"
        raise ServeError("SV015", f"a key cannot be called {name[:80]!r}", expected=wanted)
    with lock(path.with_name(_LOCK), what="another `siklus keys`"):
        keys = read_keys(path) or ()
        if any(key.name == name for key in keys):
            wanted = f"another name, or `siklus keys revoke {name}` first"
            raise ServeError("SV015", f"there is a key {name!r} already", expected=wanted)
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        made = ApiKey(
            name=name,
            sha256=digest_of(secret).hex(),
            slot=_free_slot(keys),
            created=now,
            requests_per_second=per_second,
        )
        _write(path, (*keys, made))
    return secret


def revoke_key(path: Path, name: str) -> tuple[ApiKey, ...]:
    """Take the key with this name away; those that are left. ServeError SV014, SV016 without such a key."""
    with lock(path.with_name(_LOCK), what="another `siklus keys`"):
        keys = read_keys(path) or ()
        left = tuple(key for key in keys if key.name != name)
        if len(left) == len(keys):
            wanted = ", ".join(key.name for key in keys) or "a key; there is none"
            raise ServeError("SV016", f"there is no key {name[:80]!r}", expected=wanted)
        _write(path, left)
    return left


def _free_slot(keys: Iterable[ApiKey]) -> int:
    taken = {key.slot for key in keys}
    free = next((slot for slot in range(SLOTS) if slot not in taken), None)
    if free is None:
        raise ServeError("SV015", f"there are {SLOTS} keys already", expected="to revoke some first")
    return free


def _write(path: Path, keys: Sequence[ApiKey]) -> None:
    content = msgspec.json.format(msgspec.json.encode(_Kept(format=FORMAT, keys=tuple(keys))), indent=2)
    write_atomic(path, content, mode=OWNER_ONLY)
