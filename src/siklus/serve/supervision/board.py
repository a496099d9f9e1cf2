"""The board: memory that a supervisor shares with its workers, where each of them says how it is."""

import mmap
import time
from collections.abc import Iterable
from enum import IntEnum

ROW_BYTES = 1024
_HEAD_BYTES = 32  # numbers: the last beat, the phase, whether the server ends, whether others answer
_COVERS_BYTES = 32  # a bit for each worker
_WORDS_AT = _HEAD_BYTES + _COVERS_BYTES
_WORDS_BYTES = ROW_BYTES - _WORDS_AT


class Phase(IntEnum):
    """How far a worker is."""

    NEW = 0  # forked; its event loop does not run yet
    LOADING = 1  # it has a beat, and no model
    SERVING = 2  # it answers with a model
    DRAINING = 3


class Row:
    """One worker's part. The worker writes how it is, the supervisor what else the worker has to know."""

    def __init__(self, memory: memoryview) -> None:
        self._numbers = memory[:_HEAD_BYTES].cast("Q")
        self._covers = memory[_HEAD_BYTES:_WORDS_AT]
        self._words = memory[_WORDS_AT:]

    def beat(self, phase: Phase) -> None:
        """Say "I am alive, and this far"; costs less than a microsecond."""
        self._numbers[0] = time.monotonic_ns()
        self._numbers[1] = phase

    @property
    def last_beat(self) -> int:
        """When it was, in nanoseconds of the clock that all processes share; 0 before the first."""
        return self._numbers[0]

    @property
    def phase(self) -> Phase:
        return Phase(self._numbers[1])

    @property
    def covers(self) -> frozenset[int]:
        """The numbers of the workers that this one stands in for."""
        if not any(self._covers):
            return frozenset()
        bits = int.from_bytes(self._covers, "little")
        return frozenset(number for number in range(bits.bit_length()) if bits >> number & 1)

    def cover(self, numbers: Iterable[int]) -> None:
        """Stand in for these workers, whose numbers are below 256."""
        bits = sum(1 << number for number in numbers)
        self._covers[:] = bits.to_bytes(_COVERS_BYTES, "little")

    @property
    def server_ends(self) -> bool:
        """Whether nobody comes after this worker."""
        return bool(self._numbers[2])

    def end_server(self) -> None:
        """Tell the worker that it ends with all others; before it is told to end."""
        self._numbers[2] = 1

    @property
    def others_answer(self) -> bool:
        """Whether nobody who asks the server needs this worker now."""
        return bool(self._numbers[3])

    def tell_of_others(self, *, answer: bool) -> None:
        """Tell the worker whether any other one answers."""
        self._numbers[3] = answer

    @property
    def last_words(self) -> str:
        """Why the worker gave up; empty if it did not."""
        return bytes(self._words).rstrip(b"\0").decode("utf-8", "ignore")

    def leave_words(self, text: str) -> None:
        """Keep as much of the text as there is room for."""
        words = text.encode()[:_WORDS_BYTES]
        self._words[:] = words.ljust(_WORDS_BYTES, b"\0")

    def clear(self) -> None:
        """Make the row ready for another worker."""
        for place in range(len(self._numbers)):
            self._numbers[place] = 0
        self.cover(())
        self._words[:] = bytes(_WORDS_BYTES)


class Board:
    """``rows`` rows of memory that nobody else has; children share it from their fork on."""

    def __init__(self, rows: int) -> None:
        memory = memoryview(mmap.mmap(-1, rows * ROW_BYTES))
        self._free = [Row(memory[place : place + ROW_BYTES]) for place in range(0, len(memory), ROW_BYTES)]

    def take(self) -> Row:
        """A row that no living worker has."""
        row = self._free.pop()
        row.clear()
        return row

    def give_back(self, row: Row) -> None:
        self._free.append(row)
