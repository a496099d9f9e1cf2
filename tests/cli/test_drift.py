"""`siklus drift`: a table that a newcomer reads, over counters, log, queries and any files."""

import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from siklus.bundle.read import open_bundle
from siklus.ledgers.layouts import layout_of
from siklus.ledgers.totals import Totals, VersionTotals
from siklus.monitor.drift.joint import joint_drift_between
from siklus.monitor.drift.report import DriftReport
from siklus.monitor.looks import Looks
from siklus.project.file import open_project
from siklus.registry.control import control_uri, open_control
from tests.cli.projects import answered, new_project, siklus, straight_rows, write_csv
from tests.records.rows import open_log

LATER = straight_rows(400, seed=5)


@pytest.fixture
def own(registered: Path, tmp_path: Path) -> Path:
    """The trained project, to be written to."""
    return Path(shutil.copytree(registered, tmp_path / "line"))


def moved(by: float) -> list[dict[str, object]]:
    return [{**row, "a": round(float(str(row["a"])) + by, 4)} for row in LATER]


def report_of(document: Any) -> DriftReport:
    return msgspec.convert(document["report"], type=DriftReport)


def test_rows_like_those_of_training_are_no_drift(registered: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", LATER)
    found = siklus("drift", "-C", registered, "--data", file, "--fail")
    assert found.code == 0, found.err
    assert f"400 rows of {file}, beside 191 of the training of version 1" in " ".join(found.out.split())
    assert "As in training: " in found.out
    assert "No drift beyond the tolerance" in found.out


def test_a_moved_column_is_in_the_table_and_fails_a_build(registered: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", moved(1.0))
    found = siklus("drift", "-C", registered, "--data", file, "--fail")
    assert found.code == 1
    assert "shifted upwards by about" in " ".join(found.out.split())
    assert "Drift in 2 of 4 columns" in found.out
    assert siklus("drift", "-C", registered, "--data", file).code == 0
    document = answered("drift", "-C", registered, "--data", file)
    assert (document["window"]["source"], document["against"]) == ("file", "the training of version 1")
    assert [column.name for column in report_of(document).alarming] == ["a", "<prediction>"]


def test_a_broken_file_is_a_finding_and_not_a_failure(registered: Path, tmp_path: Path) -> None:
    broken = [
        {"b": row["b"], "side": "x" if i % 4 == 0 else row["side"], "gate": 1} for i, row in enumerate(LATER)
    ]
    found = siklus("drift", "-C", registered, "--data", write_csv(tmp_path / "new.csv", broken))
    assert found.code == 0
    assert "vanished" in found.out
    assert "25 % of the cells hold an unknown word" in " ".join(found.out.split())
    assert "siklus: a: the column is missing" in found.err
    assert "siklus: gate: the contract has no column 'gate'" in found.err


@pytest.mark.parametrize("count", [0, 30])
def test_few_rows_are_not_judged(registered: Path, tmp_path: Path, count: int) -> None:
    file = tmp_path / "new.csv"
    file.write_text("a,b,side\n" + "9,9,l\n" * count)
    found = siklus("drift", "-C", registered, "--data", file, "--fail")
    assert found.code == 0
    assert f"Not enough rows yet: {count} of 200" in found.out


def test_one_file_is_held_against_another(registered: Path, tmp_path: Path) -> None:
    old = write_csv(tmp_path / "old.csv", straight_rows(400, seed=6))
    new = write_csv(tmp_path / "new.csv", moved(1.0))
    found = siklus("drift", "-C", registered, "--data", new, "--against", old, "--joint", "--fail")
    assert found.code == 1
    assert f"400 rows of {new}, beside 400 of {old}" in " ".join(found.out.split())
    assert "All columns together: a classifier can tell these rows" in " ".join(found.out.split())


def test_a_file_without_rows_is_nothing_to_compare_with(registered: Path, tmp_path: Path) -> None:
    empty = tmp_path / "old.csv"
    empty.write_text("a,b,side\n")
    found = siklus(
        "drift", "-C", registered, "--data", write_csv(tmp_path / "new.csv", LATER), "--against", empty
    )
    assert found.code == 0
    assert "There is no row to compare with, so nothing is judged" in found.out


def test_files_need_no_version(tmp_path: Path) -> None:
    folder = new_project(tmp_path / "untrained", straight_rows(60))
    old = write_csv(tmp_path / "old.csv", straight_rows(400, seed=6))
    new = write_csv(tmp_path / "new.csv", moved(1.0))
    document = answered("drift", "-C", folder, "--data", new, "--against", old)
    assert [column.name for column in report_of(document).alarming] == ["a"]
    refused = siklus("drift", "-C", folder, "--data", new)
    assert refused.code == 2
    assert "MO005" in refused.err


def test_what_is_served_is_judged_by_all_commands_and_not_what_production_is_called(own: Path) -> None:
    answered("traffic", "set", "--champion", "2", "-C", own)
    assert answered("drift", "-C", own)["against"] == "the training of version 2"
    assert answered("quality", "-C", own)["champion"] == "2"
    assert answered("report", "-C", own)["version"] == "2"


def test_an_empty_log_is_told_where_there_is_no_version_yet(tmp_path: Path) -> None:
    folder = new_project(tmp_path / "untrained", straight_rows(60))
    found = siklus("drift", "-C", folder, "--against", folder / "rows.csv")
    assert found.code == 0
    assert "siklus: no row in that time; the log holds none at all" in " ".join(found.err.split())


def test_another_version_can_be_asked_for(registered: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", LATER)
    document = answered("drift", "-C", registered, "--data", file, "--against", "2")
    assert document["against"] == "the training of version 2"
    assert report_of(document).reference_rows == 243
    unknown = siklus("drift", "-C", registered, "--data", file, "--against", "9")
    assert (unknown.code, unknown.err[:14]) == (2, "siklus: RG002 ")


def test_the_training_rows_themselves_are_asked_for_joint_drift(registered: Path, tmp_path: Path) -> None:
    document = answered("drift", "-C", registered, "--data", write_csv(tmp_path / "n.csv", LATER), "--joint")
    assert (document["joint"]["rows"], document["joint"]["reference_rows"]) == (400, 240)
    assert document["joint"]["verdict"] == "alike"


def log_rows(project: Path, rows: list[dict[str, object]], *, version: str = "1") -> None:
    """As a server with that version would have logged them a minute ago."""
    [found] = [each for each in answered("models", "-C", project) if str(each["number"]) == version]
    bundle = open_bundle(project / ".siklus" / "bundles" / found["digest"])
    log = open_log(project / ".siklus" / "records" / "predictions", contract=bundle.contract)
    log.describe(version, bundle.contract)
    now = time.time_ns() // 1000 - 60_000_000
    for i, row in enumerate(rows):
        features = {name: row[name] for name in bundle.contract.names}
        body = json.dumps({"features": features}, default=float).encode()
        log.append((f"p{i}", now + i, version, "champion", False, body, float(str(row["y"])), None, 1.0))
    log.close()


def test_without_a_watch_the_window_is_read_from_the_log(own: Path) -> None:
    empty = siklus("drift", "-C", own)
    assert empty.code == 0, empty.err
    assert "0 rows of the last 1h of the prediction log" in empty.out
    assert "the log holds none at all" in empty.err
    log_rows(own, moved(1.0))
    document = answered("drift", "-C", own, "--window", "10m")
    assert document["window"] == {"source": "log", "said": "the last 10m of the prediction log"}
    assert [column.name for column in report_of(document).alarming] == ["a"]
    too_short = siklus("drift", "-C", own, "--window", "30s")
    assert "no row of version 1 in that time; the newest one in the log is of 20" in too_short.err
    another = siklus("drift", "-C", own, "--against", "2")
    assert "no row of version 2 in that time" in another.err
    assert "of version 1" in another.err


def test_joint_drift_of_logged_rows_is_asked_by_whoever_watches(own: Path) -> None:
    log_rows(own, moved(1.0))
    [found] = [each for each in answered("models", "-C", own) if each["stage"] == "production"]
    bundle = open_bundle(own / ".siklus" / "bundles" / found["digest"], version="1")
    now = datetime.now(UTC)
    project = open_project(own, environment={})
    joint = joint_drift_between(
        bundle, now - timedelta(minutes=5), now, paths=project.paths, settings=project.settings.monitor
    )
    assert (joint.rows, joint.reference_rows, joint.verdict) == (400, 240, "apart")


def test_a_query_names_rows_of_the_log(own: Path) -> None:
    log_rows(own, moved(1.0))
    document = answered("drift", "-C", own, "--query", "SELECT * FROM predictions WHERE arm = 'champion'")
    assert (document["window"]["source"], document["report"]["rows"]) == ("query", 400)
    narrow = answered("drift", "-C", own, "--query", "SELECT features FROM predictions LIMIT 300")
    assert "<prediction>" not in {column.name for column in report_of(narrow).columns}
    for sql, code in (
        ("SELECT version FROM predictions", "MO004"),
        ("SELECT 'x' AS features FROM predictions", "MO004"),
        ("DROP TABLE predictions", "RC007"),
    ):
        refused = siklus("drift", "-C", own, "--query", sql)
        assert (refused.code, refused.err[:14]) == (2, f"siklus: {code} ")


def look_at(project: Path, *, first: timedelta) -> None:
    """As a watch that began so long ago, and has since seen 500 rows with a moved column."""
    [production] = [each for each in answered("models", "-C", project) if each["stage"] == "production"]
    bundle = open_bundle(project / ".siklus" / "bundles" / production["digest"], version="1")
    layout, bins = layout_of("1", bundle.contract, bundle.profile())
    matrix = np.column_stack([np.linspace(3, 9, 500), np.zeros(500), np.arange(500) % 2]).astype(np.float32)
    assert bundle.contract.slots == ("a", "b", "side")
    now, none = datetime.now(UTC), np.zeros(layout.title.counts, dtype=np.uint64)
    some = none.copy()
    some[layout.bins :] = bins.count(matrix)
    with open_control(control_uri(None, project), file=project / ".siklus" / "control.db") as control:
        looks = Looks(control, "line")
        for counts, when in ((none, now - first), (some, now)):
            totals = VersionTotals(layout, counts, np.zeros(layout.title.sums), when.timestamp())
            looks.add(Totals((totals,), ()), replica="here", now=when)


def test_where_somebody_looks_the_counters_have_the_window(own: Path) -> None:
    look_at(own, first=timedelta(hours=2))
    document = answered("drift", "-C", own)
    assert document["window"] == {"source": "counters", "said": "the last 1h, as the servers counted"}
    assert document["report"]["rows"] == 500
    assert "a" in {column.name for column in report_of(document).alarming}
    # Their rows are only in the log, so whoever needs rows gets the log's.
    assert answered("drift", "-C", own, "--joint")["window"]["source"] == "log"


def test_a_window_that_began_before_anybody_looked_is_read_where_more_of_it_is(own: Path) -> None:
    look_at(own, first=timedelta(minutes=10))
    found = answered("drift", "-C", own)["window"]
    assert found["source"] == "counters"
    assert found["said"].startswith("the last 1h, as the servers counted since ")
    log_rows(own, moved(1.0) * 2)
    assert answered("drift", "-C", own)["window"]["source"] == "log"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--window", "soon"], "'soon' is no duration such as 90s, 10m, 1h or 30d"),
        (["--window", "99999w"], "'99999w' is no duration"),
        (["--window", "1h", "--query", "SELECT 1"], "takes one of --window, --data and --query"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--data", "rows.csv", "--against", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_wrong_usage_says_what_would_be_right(registered: Path, words: list[str], told: str) -> None:
    found = siklus("drift", "-C", registered, *words)
    assert found.code == 2
    assert told in found.err
    assert "Traceback" not in found.err
