"""The prediction log: takes everything at once, writes it as it was received, and never stops serving."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.project.sections import Records
from siklus.table import Table, objects
from tests.figures import Figure
from tests.records.rows import (
    batch,
    expected_of,
    features_of,
    features_written,
    is_right,
    open_log,
    record_of,
    written_to,
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


def test_appending_costs_less_than_a_microsecond_and_waiting_nothing(tmp_path: Path, figure: Figure) -> None:
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
    figure("appending a prediction to the log costs", f"{min(costs):.2f} µs")
    figure("the log writes", f"{rate:,.0f} records/s")
    assert min(costs) < 5  # 0.25 on a free machine
    assert idle < 0.1


def _wait(holds: Callable[[], object]) -> None:
    give_up = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)
