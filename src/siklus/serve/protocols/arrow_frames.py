"""Arrow's framing: how large a stream is once it is unpacked, told from its messages before any is opened.

A compressed buffer states its own unpacked size, and buffers may share bytes, so a body of some kilobytes can
ask for terabytes. The layout is Arrow's "Encapsulated message format" (format/Message.fbs), of which only
lengths are read here; whether it is sound otherwise is pyarrow's to say.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from siklus.errors import RequestError

Bytes: TypeAlias = bytes | memoryview

CONTINUES = 0xFFFFFFFF  # before each message since Arrow 0.15
MOST_MESSAGES = 4096  # each costs microseconds, however few rows it has
NOT_COMPRESSED = -1  # what a buffer among compressed ones says when it is not
DICTIONARY_BATCH, RECORD_BATCH = 2, 3  # of the union MessageHeader


@dataclass(frozen=True)
class _Table:
    """A flatbuffers table: ``at`` is where it begins. A field that it lacks is None."""

    data: Bytes
    at: int

    def place(self, field: int) -> int | None:
        """Where the field's value stands; fields count from 0."""
        (back,) = struct.unpack_from("<i", self.data, self.at)
        vtable = self.at - back
        (size,) = struct.unpack_from("<H", self.data, vtable)
        slot = 4 + 2 * field
        if slot >= size:
            return None
        (offset,) = struct.unpack_from("<H", self.data, vtable + slot)
        return self.at + offset if offset else None

    def number(self, field: int, form: str) -> int:
        place = self.place(field)
        return 0 if place is None else int(struct.unpack_from(form, self.data, place)[0])

    def table(self, field: int) -> "_Table | None":
        place = self.place(field)
        return None if place is None else _Table(self.data, _followed(self.data, place))


def unpacked_bytes(stream: Bytes) -> int:
    """The bytes of all buffers of all batches, unpacked. RequestError RQ036 where the framing is broken."""
    try:
        return sum(_batch_bytes(table, body) for table, body in _batches(stream))
    except (struct.error, IndexError) as exc:
        raise _broken("a message that leads beyond its end") from exc


def _batches(stream: Bytes) -> Iterator[tuple[_Table, memoryview]]:
    """Each record batch, those of dictionaries too, with its body."""
    data, at = memoryview(stream), 0
    for _ in range(MOST_MESSAGES):
        if at + 8 > len(data):
            return
        mark, size = struct.unpack_from("<Ii", data, at)
        if mark != CONTINUES or size < 0:
            raise _broken("no message where one should begin")
        if size == 0:
            return
        head = data[at + 8 : at + 8 + size]
        message = _Table(head, _followed(head, 0))
        length = message.number(3, "<q")
        if length < 0:
            raise _broken("a body of negative length")
        begin = at + 8 + size
        body = data[begin : begin + length]
        header, kind = message.table(2), message.number(1, "<B")
        batch = header.table(1) if header is not None and kind == DICTIONARY_BATCH else header
        if batch is not None and kind in (DICTIONARY_BATCH, RECORD_BATCH):
            yield batch, body
        at = begin + length
    raise _broken(f"more than {MOST_MESSAGES} messages")


def _batch_bytes(batch: _Table, body: memoryview) -> int:
    place = batch.place(2)
    if place is None:
        return 0
    vector = _followed(batch.data, place)
    (count,) = struct.unpack_from("<I", batch.data, vector)
    packed = batch.place(3) is not None
    found = struct.unpack_from(f"<{2 * count}q", batch.data, vector + 4)
    return sum(_buffer_bytes(body, *found[i : i + 2], packed=packed) for i in range(0, 2 * count, 2))


def _buffer_bytes(body: memoryview, offset: int, length: int, *, packed: bool) -> int:
    if offset < 0 or length < 0:
        raise _broken("a buffer of negative length")
    if not packed or length < 8:
        return length
    (claimed,) = struct.unpack_from("<q", body, offset)
    return length if claimed == NOT_COMPRESSED else int(max(claimed, length))


def _followed(data: Bytes, place: int) -> int:
    """The place to which the offset at ``place`` leads."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _broken(what: str) -> RequestError:
    return RequestError("RQ036", f"the body is no sound Arrow: {what}", expected="an Arrow stream or file")
