"""Prediction ids: 128 bits that sort by time, name a prediction for ever, and prove that we issued them.

As text a UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, 42 bits that no other id of the process
has (of which the upper 16 tell processes apart), and 32 bits of a keyed hash over all before. So any worker
tells an issued id from a foreign one without looking it up.
"""

import hashlib
import hmac
import itertools
import os
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from siklus.errors import RecordsError
from siklus.files import disk_errors, sync_directory

KEY_BYTES = 32
KEY_FILE = "secret.key"
UNIQUE_BITS = 42
PLACE_BITS = 26  # of them count; when they are used up, the process goes on as another one
_PLACE = (1 << PLACE_BITS) - 1
_HEAD = 28  # characters before the hash
_WHOLE = 36
_TAG_BYTES = 4


class IdIssuer:
    """Issues ids, and recognises those of every issuer with the same key."""

    def __init__(self, key: bytes) -> None:
        # blake2s, because one of its blocks holds all that is hashed: half of what blake2b takes.
        self._keyed = hashlib.blake2s(key=subkey(key, "ids"), digest_size=_TAG_BYTES)
        self.draw()
        _ISSUERS.add(self)

    def issue(self, count: int, *, now_ms: int) -> list[str]:
        """``count`` new ids, ascending; ``now_ms`` is Unix time in milliseconds. From any thread."""
        time = f"{now_ms:012x}"
        early = f"{time[:8]}-{time[8:]}-7"
        copy, issued = self._keyed.copy, []
        for drawn in itertools.islice(self._unique, count):
            # The count comes before the process, so that the ids of one process sort by their order.
            place, process = drawn & _PLACE, drawn >> PLACE_BITS & 0xFFFF
            # By % because an f-string takes a third longer, for every prediction.
            head = "%s%03x-%x-%04x" % (early, place >> 14, 0x8000 | place & 0x3FFF, process)  # noqa: UP031
            keyed = copy()
            keyed.update(head.encode())
            issued.append(head + keyed.hexdigest())
        return issued

    def recognises(self, prediction_id: str) -> bool:
        """Whether an issuer with this key has made it."""
        if len(prediction_id) != _WHOLE or not prediction_id.isascii():
            return False
        keyed = self._keyed.copy()
        keyed.update(prediction_id[:_HEAD].encode())
        return hmac.compare_digest(keyed.hexdigest(), prediction_id[_HEAD:])

    def draw(self) -> None:
        """Go on as another process would."""
        self._unique = itertools.count(int.from_bytes(os.urandom(8)) >> 64 - UNIQUE_BITS)


def _draw_anew() -> None:
    for issuer in _ISSUERS:
        issuer.draw()


# Two children of one process would otherwise count on from the same place.
_ISSUERS: weakref.WeakSet[IdIssuer] = weakref.WeakSet()
os.register_at_fork(after_in_child=_draw_anew)


def issued_ms(prediction_id: str) -> int:
    """When it was issued, as Unix time in milliseconds."""
    return int(prediction_id[:8] + prediction_id[9:13], 16)


def subkey(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, from which neither the key nor another purpose's can be had."""
    return hashlib.blake2b(purpose.encode(), key=key, digest_size=KEY_BYTES).digest()


def random_key() -> bytes:
    """For a server without a state directory; made before its workers are, so that they share it."""
    return os.urandom(KEY_BYTES)


def secret_key(state: Path) -> bytes:
    """The key of this state directory, made by whoever comes first; readable by its owner only.

    RecordsError RC001 when the file is not what was written, FileError FS001 when it cannot be made.
    """
    path = state / KEY_FILE
    if not path.exists():
        _make(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise RecordsError(
            "RC001", f"{path}: {len(key)} bytes are no key", expected=f"the {KEY_BYTES} bytes that were there"
        )
    return key


def _make(path: Path) -> None:
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}.")  # 0600 from the start
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(random_key())
                file.flush()
                os.fsync(file.fileno())
            _link_unless_there(draft, path)
        finally:
            Path(draft).unlink()
        sync_directory(path.parent)


def _link_unless_there(draft: str, path: Path) -> None:
    # Not a rename: that would replace the key under which another process has issued ids by now.
    with suppress(FileExistsError):
        os.link(draft, path)
