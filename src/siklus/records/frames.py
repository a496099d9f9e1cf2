"""Frames: how bytes are put into a segment file so that a damaged one still gives up every sound record.

    file     header, frames, and once it is sealed the header again as a trailer
    header   magic (6) · format (2) · mark (8) · CRC-32 of these (4)
    frame    mark (8) · length (4) · sequence (8) · CRC-32 of these and the payload (4) · payload

All numbers are little-endian. The mark is drawn anew for each file: whoever sends us bytes cannot know it, so
nothing inside a payload can pass for a frame when a reader looks for the next one behind a damaged place.
``sequence`` is that of the frame's first record.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from siklus.errors import RecordsError

FORMAT = 1
MAGIC = b"SIKLOG"
MARK_BYTES = 8

_HEADER = struct.Struct("<6sH8s")
_FRAME = struct.Struct("<8sIQ")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size
FRAME_BYTES = _FRAME.size + _CRC.size  # before its payload


@dataclass(frozen=True)
class Frame:
    """One sound frame; ``start`` and ``end`` are its place in the file."""

    start: int
    sequence: int
    payload: bytes
    end: int


@dataclass(frozen=True)
class Damage:
    """Bytes that hold no sound frame. ``torn``: up to the end of a file that nobody has finished."""

    offset: int
    size: int
    torn: bool = False


Found: TypeAlias = Frame | Damage


def new_mark() -> bytes:
    return os.urandom(MARK_BYTES)


def header_of(mark: bytes) -> bytes:
    """What a file begins with, and ends with when it is sealed."""
    head = _HEADER.pack(MAGIC, FORMAT, mark)
    return head + _CRC.pack(zlib.crc32(head))


def frame_of(mark: bytes, sequence: int, payload: bytes) -> bytes:
    head = _FRAME.pack(mark, len(payload), sequence)
    return b"".join((head, _CRC.pack(zlib.crc32(payload, zlib.crc32(head))), payload))


def scan(content: bytes, *, where: str) -> Iterator[Found]:
    """All sound frames of a file in their order, and the places between them that hold none.

    RecordsError RC002 when the file is sound but of another format.
    """
    first, last = _mark_in(content, 0), _mark_in(content, len(content) - HEADER_BYTES)
    known = first or last
    if known is None:
        if content:
            yield Damage(0, len(content), torn=len(content) < HEADER_BYTES)
        return
    number, mark = known
    if number not in READERS:
        raise RecordsError(
            "RC002", f"{where}: record format {number}", expected=f"format {', '.join(map(str, READERS))}"
        )
    # A file that was sealed has its trailer at the end; one that was not ends with a frame, or torn.
    is_sealed = last == known and len(content) > HEADER_BYTES
    end = len(content) - HEADER_BYTES if is_sealed else len(content)
    for found in READERS[number](content, mark, HEADER_BYTES, end):
        if isinstance(found, Damage) and not is_sealed and found.offset + found.size == end:
            yield replace(found, torn=True)
        else:
            yield found


def scan_from(content: bytes, mark: bytes, start: int, end: int) -> Iterator[Found]:
    """The frames of ``content`` between ``start`` and ``end``, by the rules of format 1."""
    at = start
    while at < end:
        frame = _frame_at(content, mark, at, end)
        if frame is not None:
            yield frame
            at = frame.end
            continue
        ahead = _next_sound(content, mark, at + 1, end)
        yield Damage(at, ahead - at)
        at = ahead


READERS: Mapping[int, Callable[[bytes, bytes, int, int], Iterator[Found]]] = {1: scan_from}


def _mark_in(content: bytes, at: int) -> tuple[int, bytes] | None:
    """The format and the mark of the header that stands there, if it is sound."""
    if at < 0 or len(content) - at < HEADER_BYTES:
        return None
    magic, number, mark = _HEADER.unpack_from(content, at)
    (crc,) = _CRC.unpack_from(content, at + _HEADER.size)
    sound = magic == MAGIC and zlib.crc32(content[at : at + _HEADER.size]) == crc
    return (number, mark) if sound else None


def _frame_at(content: bytes, mark: bytes, at: int, end: int) -> Frame | None:
    if end - at < FRAME_BYTES or not content.startswith(mark, at):
        return None
    _, length, sequence = _FRAME.unpack_from(content, at)
    body = at + FRAME_BYTES
    if length > end - body:
        return None
    payload = content[body : body + length]
    (crc,) = _CRC.unpack_from(content, at + _FRAME.size)
    if zlib.crc32(payload, zlib.crc32(content[at : at + _FRAME.size])) != crc:
        return None
    return Frame(at, sequence, payload, body + length)


def _next_sound(content: bytes, mark: bytes, at: int, end: int) -> int:
    """Where the next sound frame begins; ``end`` if none does."""
    while (found := content.find(mark, at, end)) >= 0:
        if _frame_at(content, mark, found, end) is not None:
            return found
        at = found + 1
    return end
