"""Joined rows as columns: each once, wherever it lies, with its words told apart, whatever their names."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from siklus.project.sections import Records
from siklus.records.compact import compact
from siklus.records.joined import MOST_WORDS, NO_WORD, OTHER_WORDS, Stretch, count_labelled, read_joined
from siklus.records.layout import Layout
from siklus.records.outcomes import Outcome, Outcomes, newest_outcomes, outcome_stamp
from siklus.stats.ranges import Ranges
from tests.records.rows import NOON_US, features_of, open_log, record_of

NOON = datetime.fromtimestamp(NOON_US / 1e6, UTC)
ALL = Stretch(since=None, until=NOON + timedelta(days=1))
CLASSES = (False, True)
ODD_NAMES = ("$a", "/b", "c.d", 'e"f', "g'h", "i j", "ä[0]")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Rows 0 to 59, of which each fifth is a shadow; 40 are compacted, and 1 to 10 have outcomes."""
    layout = Layout(tmp_path_factory.mktemp("records"))
    for start, count in ((0, 40), (40, 20)):
        log = open_log(layout.segments)
        for i in range(start, start + count):
            words = {name: f"{name} {i % 3}" for name in ODD_NAMES}
            body = msgspec.json.encode({"features": features_of(i) | words})
            log.append(record_of(i, features=body))
        log.close()
        if start == 0:
            compact(layout, Records(), now=NOON_US / 1e6)
    outcomes = Outcomes(layout.outcomes, settings=Records())
    for i in range(1, 11):
        outcomes.put([Outcome(f"prediction-{i}", i % 4 == 0)], now_us=NOON_US + 60_000_000 * i)
    outcomes.close()
    return layout


def test_each_prediction_comes_once_with_what_came_true(layout: Layout) -> None:
    found = read_joined(layout, ALL, classes=CLASSES)
    answered = [i for i in range(60) if i % 5]
    told = [i for i in range(1, 11) if i % 5]
    assert (found.made - NOON_US).tolist() == answered
    assert found.predicted.tolist() == [float(i % 2 == 0) for i in answered]
    assert found.outcome[found.labelled].tolist() == [float(i % 4 == 0) for i in told]
    assert found.probability.tolist() == [i / 1000 for i in answered]
    assert (found.received[found.labelled] - NOON_US).tolist() == [60_000_000 * i for i in told]
    assert found.client.missing.all()
    assert count_labelled(layout, "7", until_us=NOON_US + 60_000_000 * 4) == 4
    assert count_labelled(layout, "8", until_us=2 * NOON_US) == 0


def test_a_stretch_is_cut_by_time_version_and_receipt(layout: Layout) -> None:
    some = Stretch(since=NOON + timedelta(microseconds=41), until=NOON + timedelta(microseconds=50))
    assert len(read_joined(layout, some, classes=CLASSES)) == 8  # 41 to 49, of which one is a shadow
    late = replace(ALL, version="7", received_us=NOON_US + 60_000_000 * 7)
    assert (read_joined(layout, late, classes=CLASSES).made - NOON_US).tolist() == [7, 8, 9]
    assert len(read_joined(layout, replace(ALL, version="8"), classes=CLASSES)) == 0


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_column_may_have_any_name(name: str, layout: Layout) -> None:
    words = read_joined(layout, ALL, classes=CLASSES, columns={name: None}).columns[name]
    assert sorted(words.names[:-2]) == [f"{name} {k}" for k in range(3)]
    expected = [f"{name} {i % 3}" for i in range(60) if i % 5]
    assert [words.names[code] for code in words.codes.tolist()] == expected


def test_numbers_are_told_in_ranges_with_missing_ones_apart(layout: Layout) -> None:
    ranges = Ranges((10.0, 20.0), ("up to 10", "above 10 to 20", "above 20"))
    found = read_joined(layout, ALL, classes=CLASSES, columns={"distance": ranges, "nowhere": ranges})
    distance, nowhere = found.columns["distance"], found.columns["nowhere"]
    assert distance.names == (*ranges.names, OTHER_WORDS, NO_WORD)
    assert distance.take(np.arange(3)).ordered
    cells = np.array([i / 2 for i in range(60) if i % 5])
    assert distance.codes.tolist() == np.digitize(cells, [10, 20], right=True).tolist()
    assert nowhere.missing.all()


def test_rare_values_are_told_together_and_missing_ones_apart(layout: Layout) -> None:
    found = read_joined(layout, ALL, classes=CLASSES, columns={"distance": None, "nowhere": None})
    distance, nowhere = found.columns["distance"], found.columns["nowhere"]
    assert len(distance.names) == MOST_WORDS + 2
    assert np.bincount(distance.codes).tolist() == [1] * MOST_WORDS + [48 - MOST_WORDS]
    assert nowhere.names == (OTHER_WORDS, NO_WORD)
    assert nowhere.missing.all()


def test_whole_rows_are_read_of_the_newest_labelled(layout: Layout) -> None:
    found = read_joined(layout, ALL, classes=CLASSES, featured=3)
    rows = [msgspec.json.decode(text)["distance"] for text in found.featured.texts]
    assert rows == [4.5, 4.0, 3.5]
    assert (found.made[found.featured.places] - NOON_US).tolist() == [9, 8, 7]


def test_the_newest_outcomes_are_those_of_the_last_steps(layout: Layout) -> None:
    newest = newest_outcomes(layout.outcomes, step_us=120_000_000, steps=2, most=100)
    assert newest is not None
    assert newest.from_us == NOON_US + 60_000_000 * 8
    few = newest_outcomes(layout.outcomes, step_us=120_000_000, steps=100, most=4)
    assert few is not None
    assert few.from_us == NOON_US + 60_000_000 * 6
    assert outcome_stamp(layout.outcomes) == (10, NOON_US + 60_000_000 * 10)


def test_there_may_be_no_outcomes_yet(tmp_path: Path) -> None:
    assert newest_outcomes(tmp_path / "outcomes.db", step_us=1, steps=60, most=10) is None
    assert outcome_stamp(tmp_path / "outcomes.db") == (0, 0)
    assert len(read_joined(Layout(tmp_path), ALL, classes=None, columns={"a": None}, featured=5)) == 0
