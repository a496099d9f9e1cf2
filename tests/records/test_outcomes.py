"""Outcomes: stored once and for ever, by whichever process, and as a whole or not at all."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from siklus.errors import RecordsError
from siklus.project.sections import Records
from siklus.records.layout import Layout
from siklus.records.outcomes import ConflictError, Outcome, Outcomes, outcome_lines
from siklus.records.query import query
from tests.figures import Figure
from tests.records.stored import stored_outcomes

NOW_US = 1_769_860_800_000_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["written", "synced"])
def outcomes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outcomes]:
    found = Outcomes(tmp_path / "outcomes.db", settings=Records(durability=request.param))
    yield found
    found.close()


def known(tmp_path: Path) -> dict[str, object]:
    return {name: json.loads(outcome) for name, outcome, *_ in stored_outcomes(tmp_path / "outcomes.db")}


def tell(outcomes: Outcomes, name: str) -> None:
    outcomes.put([Outcome(name, 2)], now_us=NOW_US + 1, client="shop")


def test_an_outcome_is_new_once(outcomes: Outcomes, tmp_path: Path) -> None:
    one, two = Outcome("a", "setosa"), Outcome("b", 1.5, observed_us=NOW_US - 5)
    assert outcomes.put([one, one, two], now_us=NOW_US, client="shop") == 2
    assert outcomes.put([two, one], now_us=NOW_US + 1, client="another") == 0
    assert stored_outcomes(tmp_path / "outcomes.db") == [
        ("a", '"setosa"', None, NOW_US, "shop"),
        ("b", "1.5", NOW_US - 5, NOW_US, "shop"),
    ]


def test_those_that_came_since_a_moment_are_read(outcomes: Outcomes, tmp_path: Path) -> None:
    for i, name in enumerate("cab"):
        outcomes.put([Outcome(name, i)], now_us=NOW_US + i)
    lines = outcome_lines(tmp_path / "outcomes.db", since_us=NOW_US + 1)
    assert sorted(line.split(b"\t")[0] for line in lines) == [b"a", b"b"]


def test_a_database_without_clients_is_read_and_gets_them_when_it_is_written(tmp_path: Path) -> None:
    """As versions before wrote it; several processes may be the first to write it now."""
    path = tmp_path / "outcomes.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE outcomes (prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, "
            "observed_us INTEGER, received_us INTEGER NOT NULL) WITHOUT ROWID"
        )
        database.execute("INSERT INTO outcomes VALUES ('a', '1', NULL, ?)", [NOW_US])
    database.close()
    assert query(Layout(tmp_path), "SELECT outcome, client FROM outcomes").rows == [("1", None)]
    opened, names = [Outcomes(path, settings=Records()) for _ in range(4)], list("bcde")
    with ThreadPoolExecutor(len(opened)) as threads:
        list(threads.map(tell, opened, names))
    for one in opened:
        one.close()
    assert {found[0]: found[4] for found in stored_outcomes(path)} == {
        "a": None,
        **dict.fromkeys(names, "shop"),
    }


def test_a_number_is_the_same_however_it_is_written(outcomes: Outcomes, tmp_path: Path) -> None:
    assert outcomes.put([Outcome("a", 3)], now_us=NOW_US) == 1
    assert outcomes.put([Outcome("a", 3.0)], now_us=NOW_US) == 0
    assert known(tmp_path) == {"a": 3}


@pytest.mark.parametrize(("first", "second"), [("1", 1), (True, 1), (0, False), ("x", "y"), (1.5, 1.25)])
def test_another_outcome_is_a_conflict(
    first: str | float, second: str | float, outcomes: Outcomes, tmp_path: Path
) -> None:
    outcomes.put([Outcome("a", first)], now_us=NOW_US)
    with pytest.raises(ConflictError) as conflict:
        outcomes.put([Outcome("b", first), Outcome("a", second)], now_us=NOW_US)
    assert conflict.value.places == (1,)
    assert known(tmp_path) == {"a": first}


def test_a_long_list_is_stored_as_a_whole(outcomes: Outcomes, tmp_path: Path) -> None:
    many = [Outcome(f"id-{i}", i) for i in range(40_000)]
    assert outcomes.put(many, now_us=NOW_US) == len(many)
    with pytest.raises(ConflictError) as conflict:
        outcomes.put([Outcome("new", 1), *many[:-1], Outcome("id-39999", "other")], now_us=NOW_US)
    assert conflict.value.places == (40_000,)
    assert len(known(tmp_path)) == len(many)


def test_what_is_old_is_forgotten(outcomes: Outcomes, tmp_path: Path) -> None:
    outcomes.put([Outcome("old", 1)], now_us=NOW_US)
    outcomes.put([Outcome("new", 2)], now_us=NOW_US + 10)
    assert outcomes.forget(before_us=NOW_US + 5) == 1
    assert known(tmp_path) == {"new": 2}


def test_others_cannot_read_them(outcomes: Outcomes, tmp_path: Path) -> None:
    outcomes.put([Outcome("a", 1)], now_us=NOW_US)
    files = list(tmp_path.glob("outcomes.db*"))
    assert tmp_path / "outcomes.db" in files
    assert [file.stat().st_mode & 0o007 for file in files] == [0] * len(files)


@pytest.mark.parametrize("name", ["a#b", "a?mode=rw", "a%20b", "a b", "ä"])
def test_the_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    outcomes = Outcomes(tmp_path / name / "outcomes.db", settings=Records())
    outcomes.put([Outcome("a", 1)], now_us=NOW_US)
    outcomes.close()
    assert known(tmp_path / name) == {"a": 1}


def test_a_damaged_database_is_said_and_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "outcomes.db").write_bytes(b"no database" * 1000)
    outcomes = Outcomes(tmp_path / "outcomes.db", settings=Records())
    with pytest.raises(RecordsError) as refused:
        outcomes.put([Outcome("a", 1)], now_us=NOW_US)
    assert refused.value.code == "RC003"
    outcomes.close()


WRITING = """
import sys
from pathlib import Path
from siklus.project.sections import Records
from siklus.records.outcomes import ConflictError, Outcome, Outcomes
outcomes = Outcomes(Path(sys.argv[1]), settings=Records())
for i in range(10_000_000):
    outcomes.put([Outcome(f"{sys.argv[2]}-{i}-{k}", i) for k in range(3)], now_us=1)
    sys.stdout.write(f"{i}\\n")
    sys.stdout.flush()
"""


def test_what_was_stored_survives_a_killed_process(tmp_path: Path, figure: Figure) -> None:
    """Two processes write the same database, and both are killed in the middle of it."""
    path, stored, lost, torn = tmp_path / "outcomes.db", 0, 0, 0
    for turn in range(6):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITING, str(path), f"{turn}{name}"],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")},
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in "ab"
        ]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(0.02 * turn)
        said = []
        for writer in writers:
            writer.kill()
            said.append([int(line) for line in writer.communicate(timeout=60)[0].split("\n")[:-1]])
        names = known(tmp_path).keys()
        for name, numbers in zip("ab", said, strict=True):
            stored += len(numbers)
            lost += sum(f"{turn}{name}-{i}-{k}" not in names for i in [0, *numbers] for k in range(3))
        torn += len(names) % 3
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert (lost, torn) == (0, 0)
    figure("12 killed writers of outcomes, acknowledged lists lost", f"{lost} of {stored}")
