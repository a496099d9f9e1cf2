"""What faults do to the rows that are asked about, and to what comes true of them."""

import numpy as np
import pytest

from siklus.contract.columns import Boolean, Category, Contract, Integer, Number, Target
from siklus.drill.world import World, emptiable, emptied, left_out, moved, relabelled, with_middles, worthiest

CHANCE = np.random.default_rng(5)
COLUMNS = (
    Number(name="size", minimum=0.0, maximum=10.0, strict=True, nullable=True),
    Integer(name="count"),
    Category(name="origin", vocabulary=("JFK", "LGA", "EWR")),
    Boolean(name="new"),
)
CONTRACT = Contract(columns=COLUMNS, target=Target(name="y"))


def world(count: int = 500) -> World:
    rows = [
        {
            "size": float(CHANCE.uniform(0, 10)),
            "count": int(CHANCE.integers(0, 9)),
            "origin": str(CHANCE.choice(["JFK", "LGA", "EWR"], p=[0.6, 0.3, 0.1])),
            "new": bool(CHANCE.random() < 0.2),
        }
        for _ in range(count)
    ]
    return World(instances=rows, outcomes=CHANCE.normal(size=count).tolist())


def cells(of: World, name: str) -> list[object]:
    return [row[name] for row in of.instances]


def test_numbers_move_by_their_own_spread_and_stay_within_a_strict_range() -> None:
    before = world()
    after, told = moved(before, COLUMNS[:1])
    values = np.asarray(cells(after, "size"), dtype=float)
    assert ((values >= 0) & (values <= 10)).all()
    assert abs(values.mean() - np.mean(cells(before, "size"))) > 1.0  # type: ignore[arg-type]  # numbers
    assert told[0].startswith("size ")


def test_whole_numbers_stay_whole() -> None:
    after, _ = moved(world(), COLUMNS[1:2])
    assert all(type(cell) is int for cell in cells(after, "count"))


@pytest.mark.parametrize(("place", "name", "word"), [(2, "origin", "EWR"), (3, "new", True)])
def test_of_words_the_rarest_becomes_everybodys(place: int, name: str, word: object) -> None:
    after, _ = moved(world(), COLUMNS[place : place + 1])
    assert set(cells(after, name)) == {word}


def test_two_columns_move_at_most_those_first_that_the_model_needs_most() -> None:
    order = worthiest(CONTRACT, {"origin": 0.5, "count": 0.2})
    assert [column.name for column in order[:2]] == ["origin", "count"]
    _, told = moved(world(), order)
    assert [words.split()[0] for words in told] == ["origin", "count"]


def test_what_is_constant_cannot_move() -> None:
    rows = [{"size": 3.0, "count": 1, "origin": "JFK", "new": False}] * 100
    after, told = moved(World(instances=rows, outcomes=[0.0] * 100), COLUMNS)
    assert told == []
    assert list(after.instances) == rows


def test_a_concept_that_drifts_deals_the_same_outcomes_out_by_one_column() -> None:
    before = world()
    sizes = np.asarray(cells(before, "size"), dtype=float)
    grown = World(instances=before.instances, outcomes=(sizes + CHANCE.normal(size=len(sizes))).tolist())
    after, told = relabelled(grown, COLUMNS)
    assert after.instances == before.instances
    assert sorted(after.outcomes) == sorted(grown.outcomes), "no count of them looks like a mistake"
    assert np.corrcoef(sizes, np.asarray(after.outcomes, dtype=float))[0, 1] < -0.9
    assert told == "outcomes go by size alone, highest where it is lowest"


def test_so_do_classes_and_words() -> None:
    rows = [{"origin": word} for word in ("EWR", "EWR", "JFK", "LGA")]
    of = World(instances=rows, outcomes=["a", "a", "b", "b"])
    assert relabelled(of, COLUMNS[2:3])[0].outcomes == ["b", "b", "a", "a"]
    assert relabelled(World(instances=rows, outcomes=["a", "a", "b", "b"]), [])[1] == ""


def test_a_column_is_emptied_or_left_out_and_nothing_else() -> None:
    before = world(10)
    assert set(cells(emptied(before, COLUMNS[0]), "size")) == {None}
    assert all(set(row) == {"count", "origin", "new"} for row in left_out(before, COLUMNS[0]).instances)
    assert emptiable(before, COLUMNS) == COLUMNS[0]
    assert emptiable(emptied(before, COLUMNS[0]), COLUMNS) is None, "it is mostly missing as it is"


def test_each_row_is_sent_as_a_new_one_and_nearer_to_the_middle() -> None:
    before = with_middles(world(), CONTRACT)
    assert set(before.middles) == {"size"}, "columns of few values stay as they are"
    middle = before.middles["size"]
    for place in range(50):
        sent, kept = before.row(place, 0.7), before.instances[place]
        assert sent["size"] != kept["size"]
        assert abs(sent["size"] - middle) < abs(kept["size"] - middle)
        assert sent["size"] == pytest.approx(kept["size"], abs=1e-5)
        assert {**sent, "size": 0} == {**kept, "size": 0}
