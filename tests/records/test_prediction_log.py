"""The prediction log: takes everything at once, writes it as it was received, and never stops serving."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.project.sections import Records
from siklus.records.entries import Answered
from siklus.records.predictions import PredictionLog
from siklus.table import Table, objects
from tests.records.rows import (
    NOON_US,
    SECRET,
    expected_of,
    features_of,
    is_right,
    open_log,
    record_of,
    written_to,
)


def features_written(directory: Path) -> list[dict[str, object]]:
    return [record.features for record in written_to(directory)]


def batch(rows: object, count: int) -> Answered:
    return Answered(
        ids=[f"prediction-{i}" for i in range(count)],
        time_us=NOON_US,
        version="7",
        arm="champion",
        rows=rows,  # type: ignore[arg-type]  # a list or a table
        predictions=[i % 2 == 0 for i in range(count)],
        probabilities=None,
        latency_ms=1.5,
        size=100 * count,
    )


def test_what_is_appended_is_read_back_in_every_field(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for i in range(1000):
        log.append(record_of(i))
    assert log.flush()
    [name] = {record.log for record in written_to(tmp_path)}
    assert written_to(tmp_path) == [expected_of(i, log=name, sequence=i) for i in range(1000)]
    assert (log.written, log.synced, log.dropped) == (1000, 1000, 0)
    log.close()
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]
    assert len(written_to(tmp_path)) == 1000


@pytest.mark.parametrize(
    "features",
    [
        b'{"features": {"distance": 1.0, "origin": "JFK"}}',
        b' { "features" : [ 1.0 , "JFK" ] } ',
        msgspec.Raw(b'{"origin": "JFK", "distance": 1.0}'),
        msgspec.Raw(b'[1.0, "JFK"]'),
        {"distance": 1.0, "origin": "JFK"},
        [1.0, "JFK"],
    ],
)
def test_features_are_named_however_they_came(features: object, tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(record_of(0, features=features))
    log.close()
    assert features_written(tmp_path) == [{"distance": 1.0, "origin": "JFK"}]


def test_what_the_contract_ignores_stays_as_it_was_received(tmp_path: Path) -> None:
    features = {**features_of(3), "note": {"deep": [1, None, "x"]}}
    log = open_log(tmp_path)
    log.append(record_of(3, features=msgspec.json.encode({"features": features})))
    log.close()
    assert features_written(tmp_path) == [features]


def test_a_batch_is_a_record_a_row(tmp_path: Path) -> None:
    rows = [features_of(0), list(features_of(1).values()), features_of(2)]
    log = open_log(tmp_path)
    log.append_many(batch(rows, 3))
    log.close()
    records = written_to(tmp_path)
    assert [record.prediction_id for record in records] == ["prediction-0", "prediction-1", "prediction-2"]
    assert [record.features for record in records] == [features_of(i) for i in range(3)]
    assert [record.sequence for record in records] == [0, 1, 2]


def test_a_table_is_a_record_a_row_with_its_missing_cells(tmp_path: Path) -> None:
    when = np.array(["2026-01-31T08:00", "NaT"], dtype="datetime64[us]")
    table = Table({"distance": np.array([1.5, np.nan]), "origin": objects(["JFK", None]), "note": when})
    log = open_log(tmp_path)
    log.append_many(batch(table, 2))
    log.close()
    assert features_written(tmp_path) == [
        {"distance": 1.5, "origin": "JFK", "note": "2026-01-31T08:00:00"},
        {"distance": None, "origin": None, "note": None},
    ]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters()),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_value_that_json_has_comes_back(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    """Half a surrogate pair too, which JSON can say by an escape, and UTF-8 cannot."""
    directory = tmp_path_factory.mktemp("log")
    log = open_log(directory)
    log.append(record_of(0, features={"note": value}))
    log.close()
    assert features_written(directory) == [{"note": value}]


def test_a_record_that_cannot_be_told_is_dropped_and_the_others_stay(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(record_of(0))
    log.append(record_of(1, features={"note": object()}))
    log.append(record_of(2, version="a version that nobody has described"))
    log.append_many(batch([features_of(0), {"note": object()}, features_of(2)], 3))
    log.append(record_of(3))
    log.close()
    assert [record.prediction_id for record in written_to(tmp_path)] == [
        "prediction-0",
        "prediction-0",
        "prediction-3",
    ]
    assert (log.written, log.dropped) == (3, 4)


HIDDEN = "51234.5"


@pytest.mark.parametrize("how", ["omit", "hash"])
@pytest.mark.parametrize(
    "features",
    [
        b'{"features": {"age": 40, "income": 51234.5, "rooms": 3}}',
        b'{"features": [40, 51234.5, 3]}',
        b'{"features": {"age": 40, "\\u0069ncome": 51234.5, "rooms": 3}}',
        b'{"features": {"age": 40, "income": 1, "rooms": 3, "income": 51234.5}}',
        b'{"features": {"age": 40, "income": 51234.5, "rooms": 3, "income": 1}}',
        b'{"features": {"x": 51234.5}, "features": {"age": 40, "income": 51234.5, "rooms": 3}}',
        b'{"features": {"age": 40, "rooms": 3, "copy": {"income": 51234.5, "more": [{"INCOME": 51234.5}]}}}',
        msgspec.Raw(b'{"age": 40, "income": 51234.5, "rooms": 3}'),
        msgspec.Raw(b"[40, 51234.5, 3]"),
        {"age": 40, "income": 51234.5, "rooms": 3},
        [40, 51234.5, 3],
    ],
)
def test_nothing_sensitive_ever_touches_the_disk(features: object, how: str, tmp_path: Path) -> None:
    log = open_log(tmp_path, Records(sensitive=how), contract=SECRET)  # type: ignore[arg-type]  # one of two
    log.append(record_of(0, features=features))
    if not isinstance(features, bytes | msgspec.Raw):
        log.append_many(batch([features], 1))
        log.append_many(
            batch(Table({"age": np.array([40]), "income": np.array([51234.5]), "rooms": np.array([3])}), 1)
        )
    log.close()
    assert log.dropped == 0
    for path in tmp_path.iterdir():
        assert HIDDEN.encode() not in path.read_bytes()
        assert np.float64(51234.5).tobytes()[::-1] not in path.read_bytes()
    for found in features_written(tmp_path):
        assert (found["age"], found["rooms"]) == (40, 3)
        assert ("income" in found) == (how == "hash" and "copy" not in found)


def test_hashes_can_be_joined_and_without_the_key_not_guessed(tmp_path: Path) -> None:
    log = open_log(tmp_path, Records(sensitive="hash"), contract=SECRET)
    for income in (7, 7.0, 8, None):
        log.append(record_of(0, features=[1, income, 2]))
    log.close()
    other = PredictionLog(tmp_path, worker="1", settings=Records(sensitive="hash"), key=bytes(32))
    other.describe("7", SECRET)
    other.append(record_of(0, features=[1, 7, 2]))
    other.close()
    hashes = [found["income"] for found in features_written(tmp_path)]
    assert hashes[0] == hashes[1]
    assert hashes[3] is None
    assert len({hashes[0], hashes[2], hashes[4]}) == 3
    assert all(str(found).startswith("hash:") for found in (hashes[0], hashes[2]))


def test_a_segment_is_sealed_when_it_is_large_or_old(tmp_path: Path) -> None:
    log = open_log(tmp_path, Records(segment_bytes=10_000))
    for i in range(1000):
        log.append(record_of(i))
        if i % 50 == 0:
            log.flush()
    log.flush()
    assert len(list(tmp_path.glob("*.log"))) > 5
    log.close()
    young = open_log(tmp_path / "young", Records(segment_seconds=0.2))
    young.append(record_of(0))
    _wait(lambda: list((tmp_path / "young").glob("*.log")))
    young.close()
    assert all(is_right(record) for record in [*written_to(tmp_path), *written_to(tmp_path / "young")])
    assert len(written_to(tmp_path)) == 1000


def test_every_segment_explains_itself(tmp_path: Path) -> None:
    """Rows by place are named in each segment, also where the others are gone."""
    log = open_log(tmp_path, Records(segment_bytes=1))
    for i in range(5):
        log.append(record_of(i, features=list(features_of(i).values())))
        log.flush()
    log.close()
    sorted(tmp_path.iterdir())[0].unlink()
    assert len(written_to(tmp_path)) == 4
    assert all(is_right(record) for record in written_to(tmp_path))


def test_records_are_written_and_synced_within_a_moment_without_anybody_asking(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(record_of(0))
    _wait(lambda: log.written == 1)
    _wait(lambda: log.synced == 1)
    log.close()


def test_with_synced_durability_each_group_is_synced(tmp_path: Path) -> None:
    log = open_log(tmp_path, Records(durability="synced"))
    log.append(record_of(0))
    _wait(lambda: log.written == 1)
    _wait(lambda: log.synced == log.written)
    log.close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.records.rows import open_log, record_of, written_to, is_right
from siklus.project.sections import Records
directory = Path(sys.argv[1])
log = open_log(directory, Records(segment_bytes=30_000))
fill = directory / "filler"
def send(start, count):
    for i in range(start, start + count):
        log.append(record_of(i))
        if i % 20 == 19:
            log.flush()
    log.flush()
    return log.written, log.dropped
first = send(0, 400)
try:
    with fill.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError:
    pass
full = send(400, 2000)
fill.unlink()
after = send(2400, 400)
log.close()
records = written_to(directory)
print(*first, *full, *after, len(records), sum(not is_right(r) for r in records))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_drops_and_counts_and_when_there_is_room_again_the_log_goes_on(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(small_disk)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root / 'src'}:{root}"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    written, dropped, full_written, full_dropped, after_written, after_dropped, found, wrong = map(
        int, done.stdout.split()
    )
    assert (written, dropped) == (400, 0)
    assert full_dropped > 0
    assert full_written + full_dropped == 2400  # every record is one or the other
    assert (after_written, after_dropped) == (full_written + 400, full_dropped)
    assert (found, wrong) == (after_written, 0)
    with capsys.disabled():
        sys.stdout.write(
            f"\nfull disk: {after_written} written, {full_dropped} dropped and counted, "
            f"{after_written - found} acknowledged lost, then 400 of 400 again\n"
        )


TOO_LARGE = """
import resource, sys
from pathlib import Path
from tests.records.rows import open_log, record_of, written_to, is_right
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
log = open_log(Path(sys.argv[1]))
for i in range(1000):
    log.append(record_of(i))
    if i % 20 == 19:
        log.flush()
log.close()
records = written_to(Path(sys.argv[1]))
print(log.written, log.dropped, len(records), sum(not is_right(r) for r in records))
"""


def test_a_file_that_may_not_grow_is_left_for_another(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", TOO_LARGE, str(tmp_path)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root / 'src'}:{root}"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    written, dropped, found, wrong = map(int, done.stdout.split())
    assert written + dropped == 1000
    assert (found, wrong) == (written, 0)
    assert written > 900  # one group is lost at each turn


def test_when_nobody_writes_records_are_dropped_and_never_waited_for(tmp_path: Path) -> None:
    """Far more than fits before the writer: what does not fit is counted at once."""
    log = open_log(tmp_path)
    large = batch([features_of(0)] * 10, 10)
    for _ in range(100):
        log.append_many(msgspec.structs.replace(large, size=10_000_000))
    log.flush()
    log.close()
    assert log.written + log.dropped == 1000
    assert len(written_to(tmp_path)) == log.written


def test_appending_costs_less_than_a_microsecond_and_waiting_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = open_log(tmp_path)
    records = [record_of(i) for i in range(20_000)]
    costs = []
    began = time.perf_counter()
    for start in range(0, len(records), 1000):
        some = records[start : start + 1000]
        started = time.perf_counter()
        for record in some:
            log.append(record)
        costs.append((time.perf_counter() - started) * 1000)
    log.flush()
    rate = len(records) / (time.perf_counter() - began)
    before = time.process_time()
    time.sleep(1.0)
    idle = time.process_time() - before
    log.close()
    with capsys.disabled():
        sys.stdout.write(
            f"\nprediction log: {min(costs):.2f} µs to append, {rate:,.0f} records/s written, "
            f"{idle * 1000:.1f} ms of CPU in a second of nothing\n"
        )
    assert min(costs) < 5  # 0.25 on a free machine
    assert idle < 0.1


def _wait(holds: Callable[[], object]) -> None:
    give_up = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)
