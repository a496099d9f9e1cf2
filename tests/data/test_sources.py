"""What every source promises, whatever it reads from."""

from pathlib import Path

import numpy as np
import pytest

from siklus.data.sources import Source, open_source
from siklus.errors import DataError
from siklus.project.sections import Data
from siklus.table import Table
from tests.data.places import BROKEN_TIME, HEADER, MORE_PLACES, PLACES, ROWS, Place, write_csv


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param]


@pytest.fixture
def source(place: Place, tmp_path: Path) -> Source:
    return place.source(tmp_path)


def test_it_gives_the_rows_that_are_there(source: Source) -> None:
    has_the_rows(source.read().table)


@pytest.mark.parametrize("name", MORE_PLACES)
def test_other_suffixes_and_questions_give_the_same_rows(name: str, tmp_path: Path) -> None:
    source = MORE_PLACES[name].source(tmp_path)
    has_the_rows(source.read().table)
    before = source.fingerprint()
    assert MORE_PLACES[name].source(tmp_path, ROWS[::-1]).fingerprint() != before


def has_the_rows(table: Table) -> None:
    assert table.names == HEADER
    assert table["id"].tolist() == list(range(8))
    assert table["id"].dtype == np.int64
    assert table["moment"].tolist() == [np.datetime64(row[1], "us").item() for row in ROWS]
    assert np.isnan(table["price"]).tolist() == [row[2] is None for row in ROWS]
    assert table["price"].dtype == np.float64
    assert table["kind"].tolist() == [row[3] for row in ROWS]
    assert [bool(cell) for cell in table["late"]] == [row[4] for row in ROWS]


def test_reading_twice_gives_the_same_rows(source: Source) -> None:
    first = source.read()
    assert first == source.read()
    assert first.sampled_from is None


def test_its_fingerprint_stays_while_nothing_changes(place: Place, tmp_path: Path) -> None:
    source = place.source(tmp_path)  # written once: a zip that is written again holds another time
    first = source.fingerprint()
    assert source.fingerprint() == first
    assert len(first) == 64


@pytest.mark.parametrize(("row", "column", "cell"), [(0, 2, 99.0), (7, 3, "z"), (3, 2, None)])
def test_its_fingerprint_changes_with_one_cell(
    place: Place, tmp_path: Path, row: int, column: int, cell: object
) -> None:
    before = place.source(tmp_path).fingerprint()
    changed = [list(cells) for cells in ROWS]
    changed[row][column] = cell if changed[row][column] != cell else 5.5
    assert place.source(tmp_path, changed).fingerprint() != before


def test_it_reads_the_project_s_files_from_any_working_directory(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "a project, named 'so'", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    source = place.source(project)
    place.source(
        elsewhere, [[100 + i, *cells[1:]] for i, cells in enumerate(ROWS)]
    )  # the same names, other rows
    monkeypatch.chdir(elsewhere)
    assert source.read().table["id"].tolist() == list(range(8))


def test_it_describes_itself_in_a_line(source: Source) -> None:
    assert len(source.describe().splitlines()) == 1


def test_more_rows_than_asked_for_become_a_sample_that_says_so(place: Place, tmp_path: Path) -> None:
    rows = many(200)
    reading = place.sampled(tmp_path, rows, max_rows=50, key="id").read()
    assert reading.sampled_from == 200
    assert len(set(reading.table["id"].tolist())) == 50
    assert place.sampled(tmp_path, rows, max_rows=200, key="id").read().sampled_from is None


def test_a_sample_draws_the_same_rows_again_wherever_they_stand(place: Place, tmp_path: Path) -> None:
    one = place.sampled(tmp_path, many(50), max_rows=20, key=None).read().table
    again = place.sampled(tmp_path, many(50)[::-1], max_rows=20, key=None).read().table
    assert sorted(one["id"].tolist()) == sorted(again["id"].tolist())


def test_a_sample_is_spread_over_the_whole_source(place: Place, tmp_path: Path) -> None:
    drawn = place.sampled(tmp_path, many(400), max_rows=200, key="id").read().table["id"]
    # 200 of 400 at random: the lower half gets 100 ± 5 (hypergeometric); eight of these are past all doubt.
    assert abs(int((drawn < 200).sum()) - 100) < 40


def test_a_sample_of_equal_rows_has_the_asked_size(place: Place, tmp_path: Path) -> None:
    if "JOIN" in (place.data.query or ""):
        pytest.skip("each of a hundred equal rows joins each")
    reading = place.sampled(tmp_path, [ROWS[1]] * 100, max_rows=30, key=None).read()
    assert (len(reading.table), reading.sampled_from) == (30, 100)


def test_no_rows_are_refused(place: Place, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        place.source(tmp_path, []).read()
    assert caught.value.code in {"DA009", "DA011"}  # JSON without objects does not even have columns


def test_a_time_that_does_not_parse_is_named_with_its_row(place: Place, tmp_path: Path) -> None:
    rows = [list(cells) for cells in ROWS]
    rows[5][1] = BROKEN_TIME
    with pytest.raises(DataError, match=r"'moment', row 5 .*'last Friday'") as caught:
        place.source(tmp_path, rows).read()
    assert caught.value.code == "DA015"


def test_a_time_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path, ROWS)
    with pytest.raises(DataError, match="no column 'hour'"):
        open_source(Data(path="rows.csv", target="late", time="hour"), directory=tmp_path).read()


def test_infinities_stay_and_nan_is_missing(place: Place, tmp_path: Path) -> None:
    if place.data.path == "rows.json" or "read_csv" in (place.data.query or ""):
        pytest.skip("JSON has no infinities, and DuckDB's own read_csv() may take them for text")
    rows = [list(cells) for cells in ROWS]
    rows[1][2], rows[2][2] = float("inf"), float("-inf")
    table = place.source(tmp_path, rows).read().table
    assert table["price"][1:3].tolist() == [np.inf, -np.inf]


def test_the_section_decides_on_the_kind_of_source(tmp_path: Path) -> None:
    write_csv(tmp_path, ROWS)
    by_path = open_source(Data(path="rows.csv", target="late"), directory=tmp_path).read().table
    by_query = open_source(Data(query="FROM 'rows.csv'", target="late"), directory=tmp_path).read().table
    assert by_path == by_query


def many(count: int) -> list[list[object]]:
    return [[i, "2024-01-01T00:00:00", i / 4, "ab"[i % 2], i % 2 == 0] for i in range(count)]
