"""Heads: request line and headers of a plain `POST /predict`, read strictly, and each distinct one once.

Clients send the same head again and again, so what was read is kept by its bytes. Anything that is not plain
(another path, a query, chunks, a header twice, a byte out of place) is None here and left to the HTTP parser:
this reader never has to decide what a doubtful request means.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from siklus.errors import RequestError
from siklus.project.sections import Serve
from siklus.serve.access.auth import API_KEY, AUTHORIZATION, Guard
from siklus.serve.access.rate import Rate
from siklus.serve.bodies import is_read_as_json
from siklus.serve.wire.patience import HEADER, patience_of

REQUEST_LINE = b"POST /predict HTTP/1.1\r\n"
END = b"\r\n\r\n"
MAX_HEAD_BYTES = 4096  # a longer one is left to the parser
MAX_QUICK_BODY_BYTES = 64_000  # a larger one costs more than a millisecond to read, and a thread reads it
KEPT = 1024  # heads; with a trace id in each they all differ, and then the oldest half goes

_VISIBLE = rb"[\x21-\x7e\x80-\xff]"
_HEADER = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:"
    + _VISIBLE
    + rb"(?:[\x20-\x7e\x80-\xff]*"
    + _VISIBLE
    + rb")?)?)"
)
_NOT_PLAIN = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"content-encoding", b"trailer", b"te"})


@dataclass(frozen=True)
class Head:
    """``length`` of the body in bytes; ``headers`` by lower-case name.

    ``last``: its connection ends with the answer, as proxies ask for. ``rate``: that of the key, which the
    request is still to be counted by; None where no rate holds.
    """

    length: int
    headers: Mapping[bytes, bytes]
    last: bool = False
    rate: Rate | None = None

    def text(self, name: str) -> str | None:
        """The value of a header, as the app's framework reads it; None where it is absent."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")


class Heads:
    """The plain heads that were seen last. One that lets nobody in is not plain: the app refuses it."""

    def __init__(self, guard: Guard, settings: Serve) -> None:
        self._guard = guard
        self._settings = settings
        self._ring = guard.ring
        self._kept: dict[bytes, Head | None] = {}

    def read(self, head: bytes) -> Head | None:
        """``head``: all before the empty line, beginning with the request line."""
        if self._ring is not self._guard.ring:  # other keys: who was let in before may not be any more
            self._ring = self._guard.ring
            self._kept.clear()
        try:
            return self._kept[head]
        except KeyError:
            found = self._admitted(read_head(head, self._settings))
        if len(self._kept) >= KEPT:
            for old in list(self._kept)[: KEPT // 2]:
                del self._kept[old]
        self._kept[head] = found
        return found

    def _admitted(self, head: Head | None) -> Head | None:
        if head is None:
            return None
        brought = [[] if text is None else [text] for text in map(head.text, (AUTHORIZATION, API_KEY))]
        try:
            return replace(head, rate=self._ring.admit(*brought))
        except RequestError:
            return None


class NoHeads:
    """For a port that has no hot path: there, nothing is plain."""

    def read(self, _head: bytes) -> Head | None:
        return None


def read_head(head: bytes, settings: Serve) -> Head | None:
    """What a plain head within the limits says; None for any other."""
    most = min(MAX_QUICK_BODY_BYTES, settings.max_body_bytes)
    if len(head) > min(MAX_HEAD_BYTES, settings.max_header_bytes) or not head.startswith(REQUEST_LINE):
        return None
    headers: dict[bytes, bytes] = {}
    for line in head[len(REQUEST_LINE) :].split(b"\r\n"):
        header = _HEADER.fullmatch(line)
        if header is None:
            return None
        name = header[1].lower()
        if name in headers or name in _NOT_PLAIN:
            return None
        headers[name] = header[2]
    length = headers.get(b"content-length", b"")
    if not (length.isdigit() and len(length) <= len(str(most))):
        return None
    connection = headers.get(b"connection", b"keep-alive").lower()
    if int(length) > most or connection not in (b"keep-alive", b"close"):
        return None
    if not is_read_as_json(headers.get(b"content-type", b"").decode("latin-1")):
        return None
    found = Head(int(length), headers, last=connection == b"close")
    try:
        patience_of(found.text(HEADER))
    except RequestError:
        return None
    return found
