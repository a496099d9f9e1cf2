"""A new pair of keys as two files: one that signs and is kept, one that verifies and is handed out."""

import hashlib
from pathlib import Path
from typing import Literal, TypeAlias

from siklus.bundle.sign import make_key
from siklus.bundle.signatures import read_public
from siklus.errors import PapersError
from siklus.files import write_atomic, write_once
from siklus.papers.model_signing import make_ec_key

Format: TypeAlias = Literal["siklus", "model-signing"]


def write_keys(private: Path, *, password: bytes | None, form: Format = "siklus") -> str:
    """Make a pair, for bundles or for OpenSSF Model Signing: ``private`` for its owner alone (mode 600), and
    beside it the public one, `NAME.pub`. The key's id, as that format has it, comes back.

    PapersError PA001 where one of the files is there: what was signed with that key could not be signed
    again.
    """
    public = public_file(private)
    if public.exists():
        raise _taken(public)
    if form == "siklus":
        pair = make_key(password=password)
        secret, shown = pair.private, pair.public
    else:
        secret, shown = make_ec_key(password=password)
    if not write_once(private, secret, mode=0o600):
        raise _taken(private)
    write_atomic(public, shown)
    return read_public(public).id if form == "siklus" else hashlib.sha256(shown).hexdigest()


def _taken(file: Path) -> PapersError:
    return PapersError("PA001", f"{file}: it is there already", expected="another name")


def public_file(private: Path) -> Path:
    return private.with_name(f"{private.name}.pub")
