"""A mail about a column shows its bins now beside those of training."""

from datetime import UTC, datetime

import numpy as np
import pytest

from siklus.monitor.alerts.events import Beside, Series
from siklus.monitor.beside import beside
from siklus.monitor.drift.judge import drift
from siklus.monitor.explain import History, explained
from siklus.monitor.look import Seen
from siklus.monitor.notify.picture import picture
from siklus.monitor.quality.report import QualityFloor
from siklus.monitor.quality.watch import QualitySeen
from siklus.monitor.signals import Signal
from siklus.project.sections import Monitor
from siklus.stats.profile import (
    CategoryProfile,
    ColumnProfile,
    Counts,
    NumericProfile,
    Profile,
    profile_numbers,
    profile_words,
)
from tests.monitor.notices import event

RANDOM = np.random.default_rng(0)
NUMBERS = profile_numbers(RANDOM.normal(size=1000), minimum=-10.0, maximum=10.0)
WORDS = profile_words(np.repeat([0.0, 1.0, 2.0], [60, 30, 10]), ["AA", "B6", "UA"])


def again(reference: ColumnProfile, values: list[float]) -> ColumnProfile:
    """Other rows, over the same bins."""
    counts = reference.count(np.array(values))
    if isinstance(reference, NumericProfile):
        return NumericProfile(cuts=reference.cuts, counts=counts)
    return CategoryProfile(kept=reference.kept, words=reference.words, size=reference.size, counts=counts)


def test_words_stand_by_frequency_and_what_is_no_word_stands_apart() -> None:
    found = beside("carrier", WORDS, again(WORDS, [2.0] * 7 + [0.0] + [-1.0] + [float("nan")]))
    assert found == Beside(
        title="carrier",
        names=("UA", "AA", "B6", "missing", "new words"),
        now=(0.7, 0.1, 0.0, 0.1, 0.1),
        training=(0.1, 0.6, 0.3, 0.0, 0.0),
        apart=2,
    )


def test_numbers_stand_in_their_order_and_shares_are_of_all_cells() -> None:
    found = beside("delay", NUMBERS, again(NUMBERS, [0.0] * 3 + [11.0]))
    assert found is not None
    assert (sum(found.now), sum(found.training)) == (pytest.approx(1.0), pytest.approx(1.0))
    assert (found.names[0][0], found.names[-2][0], found.names[-1]) == ("≤", ">", "too high")
    assert found.now[-1] == 0.25


def test_a_value_with_a_bin_of_its_own_is_called_by_it_and_what_is_always_empty_is_left_out() -> None:
    whole = profile_numbers(np.repeat([0.0, 1.0, 2.0], [50, 30, 20]))
    found = beside("hour", whole, again(whole, [1.0, 2.0, 2.0]))
    assert found is not None
    assert (found.names, found.training) == (("0", "1", "2"), (0.5, 0.3, 0.2))


def test_many_words_are_told_by_their_most_frequent() -> None:
    many = profile_words(np.arange(40.0), [f"w{i}" for i in range(40)])
    found = beside("tail", many, again(many, [39.0] * 10))
    assert found is not None
    assert (found.names[0], found.names[-1], len(found.names)) == ("w39", "other words", 13)
    assert (sum(found.now), sum(found.training)) == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_window_without_a_cell_has_nothing_to_show() -> None:
    assert beside("carrier", WORDS, again(WORDS, [])) is None


@pytest.mark.parametrize("reference", [NUMBERS, WORDS])
def test_it_is_drawn_and_said_where_it_differs_most(reference: ColumnProfile) -> None:
    found = beside("$carrier$\n<b>", reference, again(reference, [float("nan")] * 3 + [0.0]))
    assert found is not None
    drawn = picture(found)
    assert drawn is not None
    assert drawn.png.startswith(b"\x89PNG")
    assert drawn.about.startswith(
        "$carrier$ <b>, where it differs most: missing: 75 % now, 0 % in training; "
    )


def test_a_column_of_one_value_has_one_bin() -> None:
    constant = NumericProfile(cuts=(), counts=Counts(bins=(5,)))
    found = beside("constant", constant, constant)
    assert found is not None
    assert (found.names, found.now) == (("all",), (1.0,))
    assert picture(found) is not None


def test_an_alert_about_a_column_comes_with_its_bins() -> None:
    reference = Profile(rows=100, columns={"carrier": WORDS}, prediction=WORDS)
    moved = again(WORDS, [2.0] * 300)
    window = Profile(rows=300, columns={"carrier": moved}, prediction=moved)
    seen = Seen(
        time=datetime(2026, 1, 31, tzinfo=UTC),
        version="1",
        signals=(),
        drift=drift(reference, window, settings=Monitor()),
        reference=reference,
        window=window,
    )
    told = explained([event(signal="drift_score", label="carrier", value=2.0)], seen=seen, history=History())
    assert beside("carrier", WORDS, moved) in told.evidence


def test_an_alarm_of_quality_comes_with_quality_and_its_floor() -> None:
    floor = QualityFloor(metric="accuracy", comparison=">=", limit=0.9, source="[gates]", said="")
    quality = QualitySeen(
        version="1",
        metric="accuracy",
        labelled=300,
        coverage=None,
        delay=None,
        recent=None,
        floor=floor,
        alarm=None,
    )
    history = History()
    for minute, value in enumerate((0.95, 0.8)):
        time = datetime(2026, 1, 31, 12, minute, tzinfo=UTC)
        seen = Seen(time=time, version="1", signals=(Signal(name="quality", value=value),), quality=quality)
        history.add(seen)
    told = explained([event(signal="quality_alarm", value=1.0)], seen=seen, history=history)
    [shown] = told.evidence
    assert isinstance(shown, Series)
    assert (shown.values, shown.threshold) == ((0.95, 0.8), 0.9)
