"""Frames and the format: what is damaged gives up every sound record, and never a wrong one."""

import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.errors import RecordsError
from siklus.records.frames import Damage, Frame, frame_of, header_of, new_mark, scan
from siklus.records.reading import PredictionRecord, read_records
from tests.figures import Figure
from tests.records.rows import expected_of, is_right, number_of, open_log, record_of

GOLDEN = Path(__file__).parent / "golden" / "0-1769860800000000-000000.log"
DAMAGED_TAILS = 1500


def frames_in(content: bytes) -> list[Frame]:
    return [found for found in scan(content, where="here") if isinstance(found, Frame)]


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(0, 2**63))
def test_what_was_written_comes_back(payloads: list[bytes], first: int) -> None:
    mark = new_mark()
    frames = [frame_of(mark, first + i, payload) for i, payload in enumerate(payloads)]
    for end in (b"", header_of(mark)):
        found = list(scan(header_of(mark) + b"".join(frames) + end, where="here"))
        assert [(frame.sequence, frame.payload) for frame in found if isinstance(frame, Frame)] == [
            (first + i, payload) for i, payload in enumerate(payloads)
        ]
        assert len(found) == len(payloads)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5), st.data())
def test_one_changed_byte_costs_one_frame(payloads: list[bytes], data: st.DataObject) -> None:
    mark = new_mark()
    content = header_of(mark) + b"".join(frame_of(mark, i, p) for i, p in enumerate(payloads))
    content += header_of(mark)
    place = data.draw(st.integers(0, len(content) - 1))
    change = data.draw(st.integers(1, 255))
    damaged = content[:place] + bytes([content[place] ^ change]) + content[place + 1 :]
    found = frames_in(damaged)
    assert {frame.sequence for frame in found} <= set(range(len(payloads)))
    assert all(frame.payload == payloads[frame.sequence] for frame in found)
    assert len(found) >= len(payloads) - 1


def test_nothing_inside_a_payload_passes_for_a_frame() -> None:
    """A client can send whole frames, but not the mark of the file that they will stand in."""
    mark = new_mark()
    forged = header_of(new_mark()) + frame_of(new_mark(), 7, b"forged")
    content = header_of(mark) + frame_of(mark, 0, forged * 20) + frame_of(mark, 1, b"right")
    damaged = bytearray(content)
    damaged[40] ^= 1  # in the frame around them, so that the reader looks for the next one
    assert [frame.payload for frame in frames_in(bytes(damaged))] == [b"right"]


def test_damage_is_told_with_its_place() -> None:
    mark = new_mark()
    frames = [frame_of(mark, i, b"payload") for i in range(3)]
    head = header_of(mark)
    damaged = head + frames[0] + bytes(len(frames[1])) + frames[2]
    [first, damage, last] = scan(damaged, where="here")
    assert damage == Damage(len(head) + len(frames[0]), len(frames[1]))
    assert isinstance(first, Frame)
    assert isinstance(last, Frame)
    assert (first.sequence, last.sequence) == (0, 2)


def test_a_damaged_beginning_is_mended_by_the_end(tmp_path: Path) -> None:
    mark = new_mark()
    content = header_of(mark) + frame_of(mark, 0, b"payload") + header_of(mark)
    assert [frame.payload for frame in frames_in(b"x" * 20 + content[20:])] == [b"payload"]


def test_another_format_is_refused_by_its_number() -> None:
    later = bytearray(header_of(new_mark()))
    later[6] = 2
    later[16:20] = zlib.crc32(bytes(later[:16])).to_bytes(4, "little")
    with pytest.raises(RecordsError) as refused:
        list(scan(bytes(later), where="here"))
    assert refused.value.code == "RC002"


def test_the_first_format_is_read_for_ever() -> None:
    records = list(read_records(GOLDEN.read_bytes(), log="0-1769860800000000", where="golden"))
    assert records == [expected_of(i, log="0-1769860800000000", sequence=i) for i in range(6)]


def test_damaged_tails_give_no_wrong_record(tmp_path: Path, figure: Figure) -> None:
    """Cut at any byte, bits flipped, blocks of zeros or of the file's own bytes: all that a crash leaves."""
    log = open_log(tmp_path)
    for i in range(400):
        log.append(record_of(i))
        if i % 10 == 9:
            log.flush()
    log.flush()
    [segment] = tmp_path.iterdir()
    content = segment.read_bytes()
    log.close()
    chance = random.Random(5)
    kept, wrong = 0, 0
    for case in range(DAMAGED_TAILS):
        found = [
            entry
            for entry in read_records(_damaged(content, case % 4, chance), log="0-0", where="here")
            if isinstance(entry, PredictionRecord)
        ]
        numbers = [number_of(record) for record in found]
        wrong += sum(not is_right(record) for record in found) + len(numbers) - len(set(numbers))
        kept += len(found)
    assert wrong == 0
    figure(f"{DAMAGED_TAILS} damaged tails of the log, wrong records accepted", f"{wrong} of {kept}")


def _damaged(content: bytes, kind: int, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) // 2, len(content))
    size = chance.randrange(1, len(content) // 8)
    match kind:
        case 0:
            return content[:at]
        case 1:
            return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]
        case 2:
            return content[:at] + bytes(size) + content[at + size :]
        case _:
            other = chance.randrange(0, len(content) - size)
            return content[:at] + content[other : other + size] + content[at + size :]
