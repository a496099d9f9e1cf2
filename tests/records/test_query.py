"""SQL over the log: everything once, nothing changed, nothing else read."""

import json
import os
import select
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from siklus.cli.main import main
from siklus.errors import RecordsError
from siklus.project.sections import Records
from siklus.records.compact import compact
from siklus.records.layout import Layout
from siklus.records.outcomes import Outcome, Outcomes
from siklus.records.query import query
from siklus.records.read import Tail
from tests.records.rows import NOON_US, number_of, open_log, record_of

SRC = Path(__file__).parents[2] / "src"
PROJECT = """
[project]
name = "late"
task = "classification"

[data]
path = "rows.csv"
target = "late"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose log has 40 compacted rows, 20 in segments, and outcomes for 10 of them."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "siklus.toml").write_text(PROJECT)
    layout = Layout(folder / ".siklus" / "records")
    for start, count in ((0, 40), (40, 20)):
        log = open_log(layout.segments)
        for i in range(start, start + count):
            log.append(record_of(i))
        log.close()
        if start == 0:
            compact(layout, Records(), now=NOON_US / 1e6)
    outcomes = Outcomes(layout.outcomes, settings=Records())
    some = [Outcome(f"prediction-{i}", i % 4 == 0, NOON_US + 1_000_000 + i) for i in range(1, 11)]
    outcomes.put(some, now_us=NOON_US + 5_000_000, client="shop")
    outcomes.close()
    return folder


@pytest.fixture
def layout(project: Path) -> Layout:
    return Layout(project / ".siklus" / "records")


def test_predictions_and_shadows_stand_apart(layout: Layout) -> None:
    assert query(layout, "SELECT count(*) FROM predictions").rows == [(48,)]  # each fifth is a shadow
    assert query(layout, "SELECT count(*) FROM shadows").rows == [(12,)]


def test_features_are_asked_by_name(layout: Layout) -> None:
    sql = "SELECT sum((features ->> 'distance')::DOUBLE) FROM predictions WHERE features ->> 'origin' = 'LGA'"
    odd = [i for i in range(60) if i % 5 and i % 2]
    assert query(layout, sql).rows == [(sum(odd) / 2,)]


def test_outcomes_name_who_sent_them(layout: Layout) -> None:
    told = len([i for i in range(1, 11) if i % 5])
    sql = "SELECT client, count(outcome) FROM joined GROUP BY client ORDER BY client"
    assert query(layout, sql).rows == [("shop", told), (None, 0)]


def test_outcomes_come_whatever_characters_they_have(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    outcomes = Outcomes(layout.outcomes, settings=Records())
    words = ["a\tb", "a\nb", 'a"b', "a'b", "", "ä", "a\\b", "😀", "x" * 3_000_000]
    outcomes.put([Outcome(f"prediction-{i}", word) for i, word in enumerate(words)], now_us=NOON_US)
    outcomes.close()
    found = query(layout, "SELECT outcome FROM outcomes ORDER BY prediction_id").rows
    assert found == [(word,) for word in words]


def test_outcomes_are_joined_with_their_delay(layout: Layout) -> None:
    sql = "SELECT count(*), count(outcome), avg(delay_seconds), sum((prediction = outcome)::INT) FROM joined"
    told = [i for i in range(1, 11) if i % 5]
    right = sum((i % 2 == 0) == (i % 4 == 0) for i in told)
    assert query(layout, sql).rows == [(48, len(told), pytest.approx(1.0), right)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "DELETE FROM predictions",
        "CREATE TABLE x AS SELECT 1",
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'x.db'",
        "SET enable_external_access = true",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'",
        "SELECT * FROM read_text('siklus.toml')",
        "SELECT * FROM 'rows.csv'",
        "SELECT getenv('PATH')",
        "SELEC",
        "SELECT nothing FROM predictions",
        "",
    ],
)
def test_anything_but_a_select_of_the_records_is_refused(sql: str, layout: Layout) -> None:
    with pytest.raises(RecordsError) as refused:
        query(layout, sql)
    assert refused.value.code == "RC007"


@pytest.mark.parametrize(
    "sql",
    [
        "WITH x AS (COPY (SELECT 1 AS a) TO '{file}' (FORMAT parquet)) SELECT 1",
        "SELECT * FROM (WITH x AS (COPY (SELECT 1 AS a) TO '{file}') SELECT 1)",
        "WITH x AS (INSERT INTO siklus_fresh SELECT * FROM siklus_fresh RETURNING *) SELECT count(*) FROM x",
        "WITH x AS (DELETE FROM siklus_fresh RETURNING *) SELECT count(*) FROM x",
        "WITH x AS (UPDATE siklus_fresh SET arm = 'a' RETURNING *) SELECT count(*) FROM x",
        "SELECT * FROM query('WITH x AS (COPY (SELECT 1 AS a) TO ''{file}'' (FORMAT parquet)) SELECT 1')",
        "FROM enable_logging(storage_path = '{file}')",
    ],
)
def test_no_part_of_a_select_writes(sql: str, layout: Layout) -> None:
    before = {path: path.read_bytes() for path in layout.root.rglob("*") if path.is_file()}
    [file] = layout.parquet.rglob("*.parquet")
    with pytest.raises(RecordsError) as refused:
        query(layout, sql.format(file=file))
    assert refused.value.code == "RC007"
    assert before == {path: path.read_bytes() for path in layout.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r WHERE a < 3) SELECT sum(a) FROM r",
        "SELECT 6 EXCEPT SELECT 7",
        "WITH a AS MATERIALIZED (SELECT 6) FROM a",
        "SELECT sum(i) FROM range(4) AS r(i)",
    ],
)
def test_every_way_of_reading_is_open(sql: str, layout: Layout) -> None:
    assert query(layout, sql).rows == [(6,)]


def test_there_may_be_no_records_yet(tmp_path: Path) -> None:
    assert query(Layout(tmp_path), "SELECT count(*), count(outcome) FROM joined").rows == [(0, 0)]


def test_the_command_prints_a_table_json_or_csv(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT prediction, count(*) AS n FROM predictions GROUP BY prediction ORDER BY prediction"
    assert main(["log", "query", sql, "-C", str(project), "--json"]) == 0
    even, odd = (sum(i % 5 > 0 and i % 2 == part for i in range(60)) for part in (0, 1))
    assert json.loads(capsys.readouterr().out) == [
        {"prediction": "false", "n": odd},
        {"prediction": "true", "n": even},
    ]
    assert main(["log", "query", sql, "-C", str(project), "--csv"]) == 0
    assert capsys.readouterr().out == f"prediction,n\nfalse,{odd}\ntrue,{even}\n"
    assert main(["log", "query", sql, "-C", str(project)]) == 0
    assert "prediction" in capsys.readouterr().out
    assert main(["log", "query", "SELEC", "-C", str(project)]) == 2
    assert "RC007" in capsys.readouterr().err


def test_the_tail_shows_the_newest_last(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "tail", "-n", "3", "-C", str(project), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["prediction_id"] for line in lines] == [f"prediction-{i}" for i in (57, 58, 59)]
    assert lines[0]["features"] == {"distance": 28.5, "origin": "LGA"}
    assert main(["log", "tail", "-n", "1", "-C", str(project)]) == 0
    assert "prediction-59" in capsys.readouterr().out


def test_a_tail_that_follows_misses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    log = open_log(layout.segments, Records(segment_bytes=3_000))
    log.append(record_of(0))
    log.flush()
    tail, seen = Tail(layout), []
    for i in range(1, 200):
        log.append(record_of(i))
        if i % 7 == 0:
            log.flush()
            seen += tail.new()
        if i % 50 == 0:
            log.flush()
            seen += tail.new()
            compact(layout, Records(), now=NOON_US / 1e6)
    log.close()
    seen += tail.new()
    assert [number_of(record) for record in seen] == list(range(1, 200))


def test_the_command_follows(project: Path) -> None:
    command = [sys.executable, "-c", "from siklus.cli.main import main; main()"]
    words = ["log", "tail", "-n", "1", "--follow", "--json", "-C", str(project)]
    running = subprocess.Popen(
        [*command, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SRC)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    try:
        assert "prediction-59" in running.stdout.readline()
        log = open_log(project / ".siklus" / "records" / "predictions")
        log.append(record_of(60))
        log.close()
        assert select.select([running.stdout], [], [], 20)[0]
        assert "prediction-60" in running.stdout.readline()
    finally:
        running.kill()
        running.communicate()


def test_columns_of_the_same_name_are_told_apart(project: Path) -> None:
    layout = Layout(project / ".siklus" / "records")
    answer = query(
        layout,
        "SELECT p.prediction_id, o.prediction_id, 1 AS x, 2 AS x, 3 AS x "
        "FROM predictions p JOIN outcomes o USING (prediction_id) LIMIT 1",
    )
    assert answer.columns == ("prediction_id", "prediction_id_2", "x", "x_2", "x_3")


def test_a_moment_with_a_time_zone_comes_in_utc(project: Path) -> None:
    layout = Layout(project / ".siklus" / "records")
    sql = "SELECT TIMESTAMPTZ '2026-01-31 12:00:00+02' AS t, 7 AS t ORDER BY 2 -- a comment\n;"
    answer = query(layout, sql)
    assert answer.rows == [(datetime(2026, 1, 31, 10), 7)]


def test_to_look_makes_no_directory(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "records")
    assert query(layout, "SELECT count(*) FROM predictions").rows == [(0,)]
    assert not layout.root.exists()
