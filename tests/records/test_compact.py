"""Compaction: every record once, whatever moment it dies at; what is old or too much goes."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from siklus.errors import FileError
from siklus.files import lock
from siklus.project.sections import Records
from siklus.records.compact import compact
from siklus.records.layout import Layout
from siklus.records.outcomes import Outcome, Outcomes
from siklus.records.query import query
from siklus.records.read import newest, records_between
from siklus.records.retention import Kept, kept_files, outdated, remove_outdated
from tests.figures import Figure
from tests.records.rows import NOON_US, is_right, number_of, open_log, record_of, written_to
from tests.records.test_killed_writers import killed

NOW = NOON_US / 1e6 + 60
SRC = Path(__file__).parents[2] / "src"
EVERYTHING = "SELECT prediction_id FROM predictions UNION ALL SELECT prediction_id FROM shadows"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "records")


def log_rows(layout: Layout, start: int, count: int) -> None:
    log = open_log(layout.segments)
    for i in range(start, start + count):
        log.append(record_of(i))
    log.close()


def numbers(layout: Layout) -> list[int]:
    return sorted(int(str(row[0]).removeprefix("prediction-")) for row in query(layout, EVERYTHING).rows)


def parquet_files(layout: Layout) -> list[str]:
    return sorted(path.relative_to(layout.parquet).parent.name for path in layout.parquet.rglob("*.parquet"))


def test_sealed_segments_become_parquet_of_their_day(layout: Layout) -> None:
    log_rows(layout, 0, 100)
    done = compact(layout, Records(), now=NOW)
    assert (done.segments, done.rows, done.damaged) == (1, 100, 0)
    assert list(layout.segments.iterdir()) == []
    assert parquet_files(layout) == ["day=2026-01-31"]
    assert numbers(layout) == list(range(100))
    assert compact(layout, Records(), now=NOW).segments == 0


def test_the_same_values_come_back_from_parquet(layout: Layout) -> None:
    log_rows(layout, 0, 50)
    compact(layout, Records(), now=NOW)
    log_rows(layout, 50, 50)
    records = newest(layout, 1000)
    assert [number_of(record) for record in records] == list(range(100))
    assert all(is_right(record) for record in records)


def test_a_segment_that_is_still_written_is_left_alone_and_counted_once(layout: Layout) -> None:
    log = open_log(layout.segments)
    for i in range(10):
        log.append(record_of(i))
    log.flush()
    assert compact(layout, Records(), now=NOW).segments == 0
    assert numbers(layout) == list(range(10))
    log.close()
    compact(layout, Records(), now=NOW)
    assert numbers(layout) == list(range(10))


def test_small_files_are_merged_and_each_record_stays_once(layout: Layout) -> None:
    for part in range(8):
        log_rows(layout, part * 10, 10)
        done = compact(layout, Records(), now=NOW)
    assert done.merged == 8
    assert parquet_files(layout) == ["day=2026-01-31"]
    assert numbers(layout) == list(range(80))


def test_the_files_of_a_day_that_is_over_become_one(layout: Layout) -> None:
    for part in range(3):
        log_rows(layout, part * 10, 10)
        compact(layout, Records(), now=NOW)
    assert len(parquet_files(layout)) == 3
    compact(layout, Records(), now=NOW + 86_400)
    assert len(parquet_files(layout)) == 1
    assert numbers(layout) == list(range(30))


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_compaction_may_die_before_any_of_its_steps(stride: int, tmp_path: Path, figure: Figure) -> None:
    found = killed("interrupting", str(tmp_path), str(stride))
    assert found["wrong"] == 0
    assert found["steps"] > 27 / stride
    figure(
        f"compaction killed before every step ({stride} apart), wrong counts",
        f"{found['wrong']} of {found['steps']}",
    )


def test_only_one_compaction_runs_at_a_time(layout: Layout) -> None:
    log_rows(layout, 0, 10)
    with lock(layout.compaction, what="a compaction"), pytest.raises(FileError) as refused:
        compact(layout, Records(), now=NOW)
    assert refused.value.code == "FS002"


def test_a_process_that_finds_another_at_work_has_not_failed(layout: Layout) -> None:
    log_rows(layout, 0, 10)
    command = [sys.executable, "-m", "siklus.records.compact", "--records", str(layout.root)]
    with lock(layout.compaction, what="a compaction"):
        done = subprocess.run(
            command, env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert parquet_files(layout) == []


def test_a_damaged_segment_gives_its_sound_records_and_is_kept_aside(layout: Layout) -> None:
    log = open_log(layout.segments)
    for i in range(30):
        log.append(record_of(i))
        if i % 10 == 9:
            log.flush()
    log.close()
    [segment] = layout.segments.iterdir()
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    assert compact(layout, Records(), now=NOW).damaged == 1
    assert numbers(layout) == [*range(10), *range(20, 30)]
    assert [path.name for path in layout.damaged.iterdir()] == [segment.name]


def test_values_that_others_cannot_write_do_not_stop_it(layout: Layout) -> None:
    log = open_log(layout.segments)
    log.append(record_of(0, features={"note": "\ud800 and \x00 and \U0001f600"}))
    log.append(record_of(1, features={"note": 10**40}))
    log.close()
    compact(layout, Records(), now=NOW)
    first, second = newest(layout, 2)
    assert first.features == {"note": "? and \x00 and \U0001f600"}
    assert second.features == {"note": 10**40}


def test_a_row_that_is_nested_too_deeply_is_kept_aside(layout: Layout) -> None:
    log = open_log(layout.segments)
    log.append(record_of(0, features=msgspec.Raw(b'{"note": ' + b"[" * 5000 + b"]" * 5000 + b"}")))
    log.append(record_of(1))
    log.close()
    assert compact(layout, Records(), now=NOW).damaged == 1
    assert numbers(layout) == [1]
    assert len(list(layout.damaged.iterdir())) == 1


def test_records_are_read_of_a_stretch_of_time(layout: Layout) -> None:
    log_rows(layout, 0, 50)
    compact(layout, Records(), now=NOW)
    log_rows(layout, 50, 50)
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    found = records_between(layout, start + timedelta(microseconds=40), start + timedelta(microseconds=60))
    assert [number_of(record) for record in found] == list(range(40, 60))


def test_what_is_too_old_goes_and_then_the_oldest_of_what_is_too_much() -> None:
    day = 86_400.0
    kept = [Kept(until=i * day, size=10, path=Path(str(i))) for i in range(1, 6)]
    names = [path.name for path in outdated(kept, now=5 * day, keep_days=3.0, keep_bytes=1000)]
    assert names == ["1"]
    names = [path.name for path in outdated(kept, now=5 * day, keep_days=100.0, keep_bytes=25)]
    assert names == ["1", "2", "3"]
    assert outdated(kept, now=5 * day, keep_days=100.0, keep_bytes=50) == []


def test_old_days_and_old_outcomes_go(layout: Layout) -> None:
    log_rows(layout, 0, 10)
    outcomes = Outcomes(layout.outcomes, settings=Records())
    outcomes.put([Outcome("old", 1)], now_us=NOON_US)
    outcomes.close()
    done = compact(layout, Records(keep_days=30), now=NOW + 29 * 86_400)
    assert (done.removed, done.forgotten) == (0, 0)
    done = compact(layout, Records(keep_days=30), now=NOW + 31 * 86_400)
    assert (done.removed, done.forgotten) == (1, 1)
    assert numbers(layout) == []
    assert list(layout.parquet.iterdir()) == []


def test_too_many_bytes_go(layout: Layout) -> None:
    log_rows(layout, 0, 1000)
    assert compact(layout, Records(keep_bytes=1000), now=NOW).removed == 1
    assert numbers(layout) == []


def test_of_one_day_too_the_oldest_goes_first(layout: Layout) -> None:
    for part in range(5):
        log_rows(layout, part * 10, 10)
        [segment] = layout.segments.iterdir()
        os.utime(segment, (NOON_US / 1e6 + part, NOON_US / 1e6 + part))
        if part < 4:  # the newest are still in a segment
            compact(layout, Records(), now=NOW)
    for part in range(1, 5):
        less = sum(file.size for file in kept_files(layout)) - 1
        assert remove_outdated(layout, Records(keep_bytes=less), now=NOW) == 1
        assert numbers(layout) == list(range(part * 10, 50))


def test_it_runs_as_a_process_of_its_own(layout: Layout) -> None:
    log_rows(layout, 0, 10)
    command = ["-m", "siklus.records.compact", "--records", str(layout.root), "--keep-days", "36500"]
    done = subprocess.run(
        [sys.executable, *command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SRC)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert '"rows":10' in done.stdout, done.stderr
    assert written_to(layout.segments) == []
    [file] = layout.parquet.rglob("*.parquet")
    assert file.stat().st_mode & 0o777 == 0o640
    assert duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall() == [(10,)]


def test_without_duckdb_what_is_too_old_goes_all_the_same(layout: Layout) -> None:
    """In a process that cannot import DuckDB, as in a serving image."""
    log_rows(layout, 0, 50)
    [old] = layout.segments.iterdir()
    os.utime(old, (NOW - 100 * 86_400, NOW - 100 * 86_400))
    log_rows(layout, 50, 50)
    run = "runpy.run_module('siklus.records.retention', run_name='__main__')"
    program = f"import runpy, sys; sys.modules['duckdb'] = None; {run}"
    subprocess.run([sys.executable, "-c", program, "--records", str(layout.root)], check=True)
    assert numbers(layout) == list(range(50, 100))
