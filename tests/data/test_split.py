"""Which row goes where is decided by the row: not by its place, the run, or the machine."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.data.frames import table_of
from siklus.data.split import Parts, split
from siklus.errors import DataError
from siklus.project.sections import Split
from siklus.table import Table, concatenate, objects

ROWS = 4000


def rows_of(count: int = ROWS, *, start: int = 0) -> Table:
    ids = np.arange(start, start + count)
    return table_of(
        {
            "id": ids,
            "x": np.where(ids % 5 == 0, np.nan, ids / 7),
            "kind": [f"kind {i % 3}" for i in ids],
            "patient": [f"p{i % 200}" for i in ids],
            "at": np.datetime64("2024-01-01", "us") + (ids * 7919 % ROWS) * np.timedelta64(1, "h"),
        }
    )


def where(parts: Parts, count: int) -> list[str]:
    """The part of each row."""
    found = ["nowhere"] * count
    for name in ("train", "valid", "test"):
        for row in getattr(parts, name):
            assert found[row] == "nowhere"
            found[row] = name
    return found


WAYS = [
    ({"by": "random"}, {}),
    ({"by": "random"}, {"key": "id"}),
    ({"by": "group", "group": "patient"}, {}),
    ({"by": "time"}, {"time": "at"}),
    ({"by": "stratified"}, {"classes": "kind"}),
    ({"by": "stratified"}, {"classes": "kind", "key": "id"}),
]


def parts_of(table: Table, section: dict[str, object], asked: dict[str, str]) -> Parts:
    settings = Split(**section)  # type: ignore[arg-type]  # one of WAYS
    classes = table[asked["classes"]] if "classes" in asked else None
    return split(table, settings=settings, time=asked.get("time"), key=asked.get("key"), classes=classes)


@pytest.fixture(params=WAYS, ids=lambda way: " ".join(map(str, [*way[0].values(), *way[1]])))
def way(request: pytest.FixtureRequest) -> tuple[dict[str, object], dict[str, str]]:
    found: tuple[dict[str, object], dict[str, str]] = request.param
    return found


def test_each_row_is_in_one_part_and_in_order(way: tuple[dict[str, object], dict[str, str]]) -> None:
    table = rows_of()
    parts = parts_of(table, *way)
    assert "nowhere" not in where(parts, len(table))
    for rows in (parts.train, parts.valid, parts.test):
        assert rows.dtype == np.int64
        assert (np.diff(rows) > 0).all()
    assert parts.by == way[0]["by"]


def test_the_shares_are_those_asked_for(way: tuple[dict[str, object], dict[str, str]]) -> None:
    table = rows_of()
    parts = parts_of(table, {**way[0], "valid": 0.1, "test": 0.3}, way[1])
    # 200 groups of 20 rows: the share of groups has a standard deviation of sqrt(.3 * .7 / 200) = 0.032.
    tolerance = 0.11 if way[0]["by"] == "group" else 0.03
    assert len(parts.test) / ROWS == pytest.approx(0.3, abs=tolerance)
    assert len(parts.valid) / ROWS == pytest.approx(0.1, abs=tolerance)


def test_rows_that_change_places_stay_in_their_part(way: tuple[dict[str, object], dict[str, str]]) -> None:
    table = rows_of()
    before = where(parts_of(table, *way), ROWS)
    order = np.random.default_rng(0).permutation(ROWS)
    after = where(parts_of(table.take(order), *way), ROWS)
    assert after == [before[row] for row in order]


@pytest.mark.parametrize("way_", [WAYS[0], WAYS[1], WAYS[2]])
def test_new_rows_move_no_row(way_: tuple[dict[str, object], dict[str, str]]) -> None:
    table = rows_of()
    before = where(parts_of(table, *way_), ROWS)
    longer = concatenate([table, rows_of(1000, start=ROWS)])
    assert where(parts_of(longer, *way_), ROWS + 1000)[:ROWS] == before


def test_new_rows_move_few_rows_of_a_stratified_split() -> None:
    table = rows_of()
    before = where(parts_of(table, *WAYS[5]), ROWS)
    after = where(parts_of(concatenate([table, rows_of(100, start=ROWS)]), *WAYS[5]), ROWS + 100)
    # Two cuts in each of 3 classes; each moves by at most the 34 new rows of its class.
    assert sum(a != b for a, b in zip(before, after[:ROWS], strict=True)) <= 2 * 3 * 34


def test_a_gap_that_turns_integers_to_floats_moves_no_row() -> None:
    table = rows_of()
    before = where(split(table, settings=Split(by="random")), ROWS)
    with_gap = table_of({**table.columns, "id": [*table["id"].tolist()[:-1], None]})
    assert with_gap["id"].dtype.kind == "f"
    assert where(split(with_gap, settings=Split(by="random")), ROWS)[:-1] == before[:-1]


def test_equal_rows_share_a_part_so_that_nothing_leaks() -> None:
    table = rows_of(300)
    doubled = concatenate([table, table, table])
    for settings, classes in ((Split(by="random"), None), (Split(by="stratified"), doubled["kind"])):
        found = where(split(doubled, settings=settings, classes=classes), 900)
        assert found[:300] == found[300:600] == found[600:]


def test_classes_keep_their_shares_within_rounding() -> None:
    table = rows_of(1000)
    kinds = objects(["rare"] * 10 + ["common"] * 990)
    parts = split(table, settings=Split(valid=0.2, test=0.1), classes=kinds)
    assert parts.by == "stratified"
    assert Counter(kinds[parts.test]) == {"rare": 1, "common": 99}
    assert Counter(kinds[parts.valid]) == {"rare": 2, "common": 198}


@given(st.integers(3, 60), st.floats(0.05, 0.45), st.floats(0.05, 0.45))
def test_each_class_is_in_each_part_and_near_its_share(count: int, valid: float, test: float) -> None:
    table = rows_of(count)
    parts = split(table, settings=Split(by="stratified", valid=valid, test=test), classes=np.zeros(count))
    sizes = np.array([len(parts.valid), len(parts.test)])
    assert sizes.min() >= 1
    assert len(parts.train) >= 1
    assert abs(len(parts.test) - test * count) <= 1
    assert (np.abs(sizes - np.array([valid, test]) * count) <= 2).all()


def test_a_group_is_never_torn_apart() -> None:
    table = rows_of()
    parts = split(table, settings=Split(group="patient"))
    assert parts.by == "group"
    seen = [set(table["patient"][rows]) for rows in (parts.train, parts.valid, parts.test)]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 200


def test_three_groups_are_enough() -> None:
    parts = split(table_of({"g": ["a", "b", "c"] * 20}), settings=Split(group="g"))
    assert [len(rows) for rows in (parts.train, parts.valid, parts.test)] == [20, 20, 20]


@pytest.mark.parametrize("kind", ["moments", "strings", "numbers"])
def test_the_latest_rows_judge(kind: str) -> None:
    days = [datetime(2024, 1, 1) + timedelta(days=i * 37 % 100) for i in range(100)]
    cells = {"moments": days, "strings": [f"{d:%F}" for d in days], "numbers": [d.toordinal() for d in days]}
    table = table_of({"day": cells[kind]})
    parts = split(table, settings=Split(valid=0.2, test=0.1), time="day")
    order = np.argsort(np.array(days))
    assert sorted(parts.test) == sorted(order[90:])
    assert sorted(parts.valid) == sorted(order[70:90])


def test_rows_of_one_moment_stay_together() -> None:
    table = table_of({"year": [2020] * 50 + [2021] * 30 + [2022] * 15 + [2023] * 5})
    parts = split(table, settings=Split(by="time", valid=0.2, test=0.2), time="year")
    assert [set(table["year"][rows]) for rows in (parts.train, parts.valid, parts.test)] == [
        {2020}, {2021}, {2022, 2023},
    ]  # fmt: skip


def test_without_being_told_the_section_and_the_target_decide() -> None:
    table = rows_of(200)
    assert split(table, settings=Split()).by == "random"
    assert split(table, settings=Split(), classes=table["kind"]).by == "stratified"
    assert split(table, settings=Split(), classes=table["kind"], time="at").by == "time"
    assert split(table, settings=Split(group="patient"), time="at").by == "group"
    assert split(table, settings=Split(by="random"), classes=table["kind"], time="at").by == "random"


@pytest.mark.parametrize(
    ("columns", "section", "asked", "code", "said"),
    [
        ({"a": range(20)}, {"by": "time"}, {}, "DA020", "by = 'time'"),
        ({"a": range(20)}, {"by": "group"}, {}, "DA020", "by = 'group'"),
        ({"a": range(20)}, {"by": "stratified"}, {}, "DA020", "by = 'stratified'"),
        ({"a": range(20)}, {"group": "b"}, {}, "DA002", "no column 'b'"),
        ({"a": range(20)}, {}, {"key": "b"}, "DA002", "no column 'b'"),
        ({"a": [1, 2, None, 4, None]}, {}, {"key": "a"}, "DA021", "row 2 .* and 1 more"),
        ({"a": [1, 2, None, 4]}, {"group": "a"}, {}, "DA021", "row 2"),
        ({"a": [1, 2, None, 4]}, {}, {"time": "a"}, "DA021", "row 2"),
        ({"a": ["2024-01-01", "soon", "2024-01-03"]}, {}, {"time": "a"}, "DA015", "row 1 .*'soon'"),
        ({"a": [1, 2]}, {}, {}, "DA019", "0 test"),
        ({"a": [7] * 100}, {}, {}, "DA019", "100 train"),
        ({"a": ["x", "y"] * 50}, {"group": "a"}, {}, "DA019", "by group"),
        ({"a": [2020, 2021] * 50}, {}, {"time": "a"}, "DA019", "by time"),
        ({"a": range(100)}, {"valid": 0.5, "test": 0.5}, {}, "DA019", "by random"),
        ({"a": ["x"] * 50 + ["y"] * 2}, {}, {"classes": "a"}, "DA018", "class 'y' has only 2 rows"),
        ({"a": ["x"] * 50 + ["y"]}, {"by": "random"}, {"classes": "a"}, "DA018", "class 'y' has only 1 row "),
        ({"a": [*"xxxxxxxxxyy"], "t": range(11)}, {}, {"classes": "a", "time": "t"}, "DA024", "class 'y'"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(
    columns: dict[str, Sequence[object]],
    section: dict[str, object],
    asked: dict[str, str],
    code: str,
    said: str,
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        parts_of(table_of(columns), section, asked)
    assert caught.value.code == code


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), max_size=2)
)


@given(
    st.lists(CELLS, min_size=1, max_size=30), st.lists(CELLS, max_size=10), st.randoms(use_true_random=False)
)
def test_whatever_the_cells_are_a_row_never_moves(
    cells: list[object], more: list[object], chance: object
) -> None:
    filler = [f"row {i}" for i in range(60)]  # enough rows for the hash alone to decide
    rows = [*filler, *map(str, range(len(cells)))]
    mixed = [*[0.5] * 60, *cells]
    before = where(split(Table({"a": objects(rows), "b": objects(mixed)}), settings=Split()), len(rows))
    order = list(range(len(rows)))
    chance.shuffle(order)  # type: ignore[attr-defined]  # a random.Random
    new = Table(
        {
            "b": objects([*(mixed[i] for i in order), *more]),
            "a": objects([*(rows[i] for i in order), *(f"new {i}" for i in range(len(more)))]),
        }
    )
    after = where(split(new, settings=Split()), len(rows) + len(more))
    assert after[: len(rows)] == [before[i] for i in order]


def test_the_split_is_the_same_on_every_machine() -> None:
    table = table_of({"id": list(range(12)), "name": list("abcdefghijkl"), "x": [None, *np.arange(11) / 4]})
    # From a run of this version: a change here moves rows between parts in every project.
    by_content, by_key = split(table, settings=Split()), split(table, settings=Split(), key="name")
    assert (by_content.valid.tolist(), by_content.test.tolist()) == ([6, 9, 11], [2, 4])
    assert (by_key.valid.tolist(), by_key.test.tolist()) == ([4, 8, 10], [0, 2, 7, 9])


def test_300_000_rows_take_less_than_a_second_and_a_half() -> None:
    count = 300_000
    table = table_of(
        {
            **{f"n{i}": np.random.default_rng(i).random(count) for i in range(12)},
            **{f"w{i}": [f"word {j % (7 + i * 600)}" for j in range(count)] for i in range(6)},
        }
    )
    started = time.process_time()
    split(table, settings=Split(), classes=table["w0"])
    assert time.process_time() - started < 1.5
