"""The log against a model of it: whatever is written, sealed, cut off, flipped or abandoned, in any order.

Promised: a record that a reader gives is right, it is given once, and only damage takes one away, with no
more than the frame that it stood in.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from siklus.project.sections import Records
from siklus.records.entries import Description
from siklus.records.frames import HEADER_BYTES
from siklus.records.segment_log import SegmentLog
from siklus.records.segments import OPEN, adopt, all_segments
from siklus.records.sensitive import Veil
from siklus.records.transcribe import Transcriber
from tests.records.rows import CONTRACT, KEY, is_right, number_of, record_of, written_to


@dataclass
class Expected:
    """What a segment must give: the end of each group in the file, and its rows."""

    groups: list[tuple[int, set[int]]] = field(default_factory=list)
    damaged: bool = False


class LogModel(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.transcriber = Transcriber(Veil("omit", key=KEY))
        self.transcriber.descriptions["7"] = Description.of("7", CONTRACT)
        self.rows = 0
        self.starts = 0
        self.expected: dict[str, Expected] = {}
        self.open()

    def open(self) -> None:
        adopt(self.directory, now=0.0)
        self.starts += 1
        start = float(self.starts)
        self.log = SegmentLog(self.directory, worker="0", settings=Records(), clock=lambda: start)

    @rule(count=st.integers(1, 4))
    def write(self, count: int) -> None:
        numbers = range(self.rows, self.rows + count)
        group = [fields for i in numbers for fields in self.transcriber.records(record_of(i))]
        self.log.write(group, self.transcriber.descriptions)
        self.rows += count
        [path] = self.directory.glob(f"0-{self.starts * 1_000_000}-*{OPEN}")
        segment = self.expected.setdefault(path.stem, Expected())
        segment.groups.append((path.stat().st_size, set(numbers)))

    @rule()
    def seal(self) -> None:
        segment = self.log.full(anyhow=True)
        if segment is not None:
            segment.seal()

    @rule(share=st.floats(0, 1))
    def cut_the_power(self, share: float) -> None:
        """The process ends, and the last file loses any part of its end."""
        segment = self.log.full(anyhow=True)
        if segment is not None:
            segment.let_go()
            size = HEADER_BYTES + int(share * (segment.path.stat().st_size - HEADER_BYTES))
            with segment.path.open("r+b") as file:
                file.truncate(size)
            groups = self.expected[segment.path.stem].groups
            self.expected[segment.path.stem].groups = [group for group in groups if group[0] <= size]
        self.open()

    @rule()
    def kill(self) -> None:
        """The process ends, and nothing that it has written goes."""
        segment = self.log.full(anyhow=True)
        if segment is not None:
            segment.let_go()
        self.open()

    @precondition(lambda self: any(self.directory.iterdir()))
    @rule(which=st.integers(0, 1000), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def flip(self, which: int, where: float, bit: int) -> None:
        paths = all_segments(self.directory)
        path = paths[which % len(paths)]
        content = bytearray(path.read_bytes())
        content[int(where * len(content))] ^= 1 << bit
        path.write_bytes(content)
        self.expected[path.stem].damaged = True

    @invariant()
    def every_record_is_right_and_stands_once(self) -> None:
        records = written_to(self.directory)
        assert all(is_right(record) for record in records)
        numbers = [number_of(record) for record in records]
        assert len(numbers) == len(set(numbers))
        sound = {
            number
            for segment in self.expected.values()
            if not segment.damaged
            for _, rows in segment.groups
            for number in rows
        }
        assert sound <= set(numbers)

    def teardown(self) -> None:
        if hasattr(self, "directory"):
            segment = self.log.full(anyhow=True)
            if segment is not None:
                segment.let_go()
            shutil.rmtree(self.directory)


TestLog = LogModel.TestCase
TestLog.settings = settings(max_examples=80, stateful_step_count=30)
