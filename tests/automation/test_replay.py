"""Logged requests asked of a candidate: what it says otherwise, does not answer, and costs."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from msgspec.structs import replace
from sklearn.linear_model import LinearRegression, LogisticRegression

from siklus.automation.replay.replay import ReplayQuestion, replay
from siklus.automation.replay.replayed import Replay, replay_refusal
from siklus.bundle.read import Bundle, open_bundle, with_version
from siklus.errors import AutomationError, MonitorError
from tests.monitor.labelled import HOUR, NOON, Traffic, packaged, settings_of
from tests.serve.bundles import brittle_regressor, regressor, slow_regressor

ROWS = 600
NEAR = pytest.approx
CHANCE = np.random.default_rng(17)
NOW = NOON + 24 * HOUR
LATER = timedelta(days=3000)  # after the models of these tests were packaged


def frame_of(rows: int) -> pd.DataFrame:
    x = CHANCE.normal(size=(rows, 2))
    return pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "shop": CHANCE.integers(1, 4, rows)})


def minutes_of(frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(20 + 3 * frame["x"] + frame["z"] + CHANCE.normal(size=len(frame)))


def sizes_of(frame: pd.DataFrame) -> np.ndarray:
    return np.array(["small", "medium", "large"])[
        np.searchsorted([-0.5, 0.5], frame["x"] + CHANCE.normal(size=len(frame)))
    ]


def minutes_model(folder: Path, *, columns: tuple[str, ...], version: str, more: float = 0.0) -> Bundle:
    """A line over these columns, off by ``more``."""
    frame = frame_of(2000)
    outcomes = pd.Series(minutes_of(frame) + more, name="minutes")
    frame = frame.assign(extra=1.0)[list(columns)]
    return packaged(
        folder / version, LinearRegression().fit(frame, outcomes), frame, outcomes, version=version
    )


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return minutes_model(tmp_path_factory.mktemp("one"), columns=("x", "z", "shop"), version="1")


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Says five minutes more."""
    return minutes_model(tmp_path_factory.mktemp("two"), columns=("x", "z", "shop"), version="2", more=5.0)


@pytest.fixture(scope="module")
def size_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    """One that knows x, and one that was taught words by chance."""
    frame, folder = frame_of(2000), tmp_path_factory.mktemp("sizes")
    made = []
    for version, words in (("1", sizes_of(frame)), ("2", CHANCE.permutation(sizes_of(frame)))):
        outcomes = pd.Series(words, name="size")
        made.append(
            packaged(
                folder / version, LogisticRegression().fit(frame, outcomes), frame, outcomes, version=version
            )
        )
    return made[0], made[1]


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path / "records")


def replayed(traffic: Traffic, candidate: Bundle, champion: Bundle, **asked: Any) -> Replay:
    question = ReplayQuestion(**({"since": NOON - HOUR, "until": NOW + LATER} | asked))
    return replay(traffic.layout, question, settings_of(champion), candidate=candidate, champion=champion)


def refusal(found: Replay) -> str:
    return replay_refusal(found, latency_factor=2.0)


def test_the_version_that_answered_says_the_same(champion: Bundle, traffic: Traffic) -> None:
    frame = frame_of(ROWS)
    batch = traffic.answer(champion, frame)
    traffic.tell(batch.ids[:200], minutes_of(frame)[:200])
    found = replayed(traffic, with_version(champion, "2"), champion)
    assert (found.version, found.champion) == ("2", "1")
    assert (found.logged, found.rows, found.answered, found.same) == (ROWS, ROWS, ROWS, ROWS)
    assert (found.lost, found.reasons, found.farthest) == (0, (), ())
    assert found.distances is not None
    assert found.distances.largest < 1e-4
    assert found.quality is not None
    assert (found.labelled, found.quality.mean) == (200, 0.0)
    assert refusal(found) == ""


def test_numbers_that_differ_are_told_by_how_much_and_who_is_better(
    champion: Bundle, shifted: Bundle, traffic: Traffic
) -> None:
    frame = frame_of(ROWS)
    batch, truth = traffic.answer(champion, frame), minutes_of(frame)
    traffic.tell(batch.ids[:300], truth[:300])
    found = replayed(traffic, shifted, champion, by=("shop", "version"))
    said = traffic.answer(shifted, frame, shadow=True).raw  # shadows answer nobody, and are not replayed
    difference = said - batch.raw
    assert found.same == 0
    assert found.distances is not None
    assert found.distances.mean == NEAR(difference.mean(), abs=1e-4)
    quantiles = [found.distances.median, found.distances.p90, found.distances.p99, found.distances.largest]
    assert quantiles == NEAR(np.quantile(np.abs(difference), [0.5, 0.9, 0.99, 1.0]), rel=1e-5)
    ours = sk.mean_absolute_error(truth[:300], said[:300])
    theirs = sk.mean_absolute_error(truth[:300], batch.raw[:300])
    assert found.quality is not None
    assert found.quality.worse
    assert (found.quality.mean, found.champion_loss) == (NEAR(ours - theirs), NEAR(theirs))
    assert (found.quality.loss, found.quality.rows) == ("mae", 300)
    parts = {part.name: part for part in found.groups["shop"]}
    assert {name: part.rows for name, part in parts.items()} == {
        str(shop): count for shop, count in Counter(frame["shop"]).items()
    }
    second = (frame["shop"] == 2).to_numpy()
    assert parts["2"].distance == NEAR(np.abs(difference[second]).mean(), rel=1e-5)
    known = second[:300]
    gain = sk.mean_absolute_error(truth[:300][known], batch.raw[:300][known])
    gain -= sk.mean_absolute_error(truth[:300][known], said[:300][known])
    assert (parts["2"].labelled, parts["2"].gain) == (known.sum(), NEAR(gain))
    assert [(part.name, part.rows) for part in found.groups["version"]] == [("1", ROWS)]
    assert abs(found.farthest[0].distance) == NEAR(found.distances.largest, rel=1e-6)
    assert len(found.farthest) == 10
    assert refusal(found) == ""  # other answers are no reason: outcomes say which are better
    assert replayed(traffic, shifted, champion).rows == ROWS


def test_classes_that_differ_are_told_by_word_and_probability(
    size_models: tuple[Bundle, Bundle], traffic: Traffic
) -> None:
    champion, candidate = size_models
    frame = frame_of(ROWS)
    batch, truth = traffic.answer(champion, frame), sizes_of(frame)
    traffic.tell(batch.ids, truth)
    found = replayed(traffic, candidate, champion)
    other = Traffic(traffic.root / "other").answer(candidate, frame)
    then, now = np.array(batch.predictions), np.array(other.predictions)
    assert found.same == (then == now).sum()
    assert {(each.answered, each.candidate): each.rows for each in found.switches} == {
        pair: count for pair, count in Counter(zip(then, now, strict=True)).items() if pair[0] != pair[1]
    }
    words = sorted(set(truth))
    column = [words.index(word) for word in then]
    moved = other.raw[np.arange(ROWS), column] - batch.raw[np.arange(ROWS), column]
    assert found.distances is not None
    assert found.distances.mean == NEAR(moved.mean(), abs=1e-5)
    assert found.distances.median == NEAR(np.median(np.abs(moved)), abs=1e-5)
    assert found.quality is not None
    assert found.quality.mean == NEAR(
        sk.log_loss(truth, other.raw, labels=words) - sk.log_loss(truth, batch.raw, labels=words), rel=1e-5
    )
    assert found.quality.worse
    far = found.farthest[0]
    assert far.outcome in words
    assert set(far.features) == {"x", "z", "shop"}


def test_a_candidate_that_asks_for_one_more_column_refuses_all(
    champion: Bundle, traffic: Traffic, tmp_path: Path
) -> None:
    candidate = minutes_model(tmp_path, columns=("x", "z", "shop", "extra"), version="2")
    batch = traffic.answer(champion, frame_of(ROWS))
    found = replayed(traffic, candidate, champion)
    assert (found.refused, found.answered, found.lost) == (ROWS, 0, ROWS)
    [reason] = found.reasons
    assert (reason.code, reason.column, reason.rows, reason.first) == ("RW002", "extra", ROWS, batch.ids[0])
    assert (found.latency, found.quality, found.distances) == (None, None, None)
    said = refusal(found)
    assert "600 rows of 600 (100 %)" in said
    assert "RW002 in extra: the column is missing" in said


def test_a_candidate_that_knows_a_column_less_refuses_what_has_it(
    champion: Bundle, traffic: Traffic, tmp_path: Path
) -> None:
    candidate = minutes_model(tmp_path, columns=("x", "z"), version="2")
    traffic.answer(champion, frame_of(50))
    found = replayed(traffic, candidate, champion)
    assert found.refused == 50
    assert [(reason.code, reason.column, reason.rows) for reason in found.reasons] == [("RW001", "shop", 50)]


def test_only_the_rows_that_break_the_contract_are_refused(champion: Bundle, traffic: Traffic) -> None:
    """The candidate takes shops up to 2."""
    columns = tuple(
        replace(column, minimum=1, maximum=2, strict=True) if column.name == "shop" else column
        for column in champion.contract.columns
    )
    strict = Bundle(
        **{**vars(champion), "contract": replace(champion.contract, columns=columns), "version": "2"}
    )
    frame = frame_of(ROWS)
    traffic.answer(champion, frame)
    found = replayed(traffic, strict, champion, by=("shop",))
    third = int((frame["shop"] == 3).sum())
    assert (found.refused, found.lost, found.answered, found.same) == (
        third,
        third,
        ROWS - third,
        ROWS - third,
    )
    assert {part.name: part.unanswered for part in found.groups["shop"]} == {"1": 0, "2": 0, "3": third}


def test_a_graph_that_fails_on_some_rows_answers_the_others(traffic: Traffic, tmp_path: Path) -> None:
    champion = open_bundle(slow_regressor(tmp_path / "one", rounds=1), version="1")
    brittle = open_bundle(brittle_regressor(tmp_path / "two"), version="2")
    frame = pd.DataFrame({"a": [float(i % 20) for i in range(400)]})
    batch = traffic.answer(champion, frame)
    found = replayed(traffic, brittle, champion)
    assert (found.failed, found.answered, found.same, found.lost) == (340, 60, 60, 340)
    [reason] = found.reasons
    assert (reason.code, reason.rows) == ("", 340)
    assert reason.first in batch.ids
    assert "340 rows of 400 (85 %) that version 1 answers" in refusal(found)
    few = replace(found, rows=1_000_000)
    assert refusal(few) == ""  # 340 in a million is what a canary is for


def test_what_is_no_number_is_no_answer(traffic: Traffic, tmp_path: Path) -> None:
    """The square root of a sum below 0."""
    bundle = open_bundle(regressor(tmp_path / "root"), version="2")
    frame = pd.DataFrame({"a": np.arange(1.0, 101.0), "b": np.where(np.arange(100) % 4, 1.0, -1e6)})
    valid = frame[frame["b"] > 0]
    traffic.answer(bundle, valid)
    champion = minutes_of_two(tmp_path)
    traffic.answer(champion, frame, at=NOON + HOUR)
    found = replayed(traffic, bundle, champion)
    assert (found.rows, found.invalid, found.answered, found.lost) == (175, 25, 150, 25)
    assert [(reason.code, reason.rows) for reason in found.reasons] == [("SV004", 25)]
    # Neither answers: what both fail at is not held against the candidate.
    assert replayed(traffic, with_version(bundle, "3"), bundle).lost == 0


def minutes_of_two(folder: Path) -> Bundle:
    frame = pd.DataFrame({"a": CHANCE.normal(size=200), "b": CHANCE.normal(size=200)})
    outcomes = pd.Series(2 * frame["a"] + frame["b"], name="minutes")
    return packaged(folder / "two", LinearRegression().fit(frame, outcomes), frame, outcomes)


def test_a_slow_candidate_is_seen_row_by_row(traffic: Traffic, tmp_path: Path) -> None:
    quick = open_bundle(slow_regressor(tmp_path / "one", rounds=1), version="1")
    slow = open_bundle(slow_regressor(tmp_path / "two", rounds=2000), version="2")
    traffic.answer(quick, pd.DataFrame({"a": np.arange(100.0)}))
    found = replayed(traffic, slow, quick)
    assert found.same == 100
    assert found.latency is not None
    assert found.latency.rows == 100
    assert found.latency.candidate.median > 5 * found.latency.champion.median
    assert refusal(found).startswith("it is too slow: a row takes")
    assert replay_refusal(found, latency_factor=1e6) == ""
    fair = replayed(traffic, with_version(quick, "3"), quick)
    assert refusal(fair) == ""


def test_a_sample_is_drawn_by_chance_and_always_the_same(
    champion: Bundle, shifted: Bundle, traffic: Traffic
) -> None:
    traffic.answer(champion, frame_of(500))
    traffic.answer(champion, frame_of(500), at=NOON + HOUR)
    first, second = (replayed(traffic, shifted, champion, sample=200) for _ in range(2))
    assert (first.logged, first.rows) == (1000, 200)
    assert first.farthest == second.farthest
    assert replayed(traffic, shifted, champion, sample=None).rows == 1000
    early = replayed(traffic, shifted, champion, sample=None, until=NOON + HOUR / 2)
    assert early.rows == 500


def test_who_is_better_is_asked_of_rows_that_are_younger_than_both_models(
    champion: Bundle, shifted: Bundle, traffic: Traffic
) -> None:
    frame, late = frame_of(200), frame_of(100)
    for part, at in ((frame, NOON), (late, NOON + LATER)):
        batch = traffic.answer(champion, part, at=at)
        traffic.tell(batch.ids, minutes_of(part), at=at)
    found = replayed(traffic, shifted, champion)
    assert (found.rows, found.labelled, found.unseen) == (300, 100, True)
    known = replayed(traffic, shifted, champion, until=NOW)
    assert (known.labelled, known.unseen) == (200, False)


def test_text_that_is_no_unicode_is_asked_like_any_other(
    champion: Bundle, shifted: Bundle, traffic: Traffic
) -> None:
    """Half a surrogate pair, in a column that the contract ignores."""
    ignoring = [
        Bundle(**{**vars(each), "contract": replace(each.contract, ignored=("note",))})
        for each in (champion, shifted)
    ]
    odd = pd.Series(["\ud800"] * 5, dtype=object)
    traffic.answer(ignoring[0], frame_of(5).assign(note=odd))
    found = replayed(traffic, ignoring[1], ignoring[0])
    assert (found.rows, found.answered) == (5, 5)
    assert found.farthest[0].features["note"] == "?"


@pytest.mark.parametrize(
    ("code", "asked"),
    [("AU071", {"since": NOON - 9 * HOUR, "until": NOON - HOUR}), ("MO021", {"by": ("nowhere",)})],
)
def test_what_cannot_be_asked_is_said(
    champion: Bundle, shifted: Bundle, traffic: Traffic, code: str, asked: dict[str, Any]
) -> None:
    traffic.answer(champion, frame_of(10))
    with pytest.raises((AutomationError, MonitorError)) as refused:
        replayed(traffic, shifted, champion, **asked)
    assert refused.value.code == code


def test_what_the_log_does_not_keep_cannot_be_replayed(
    champion: Bundle, size_models: tuple[Bundle, Bundle], traffic: Traffic
) -> None:
    columns = tuple(replace(each, sensitive=each.name == "x") for each in champion.contract.columns)
    hidden = Bundle(**{**vars(champion), "contract": replace(champion.contract, columns=columns)})
    for candidate, code in ((hidden, "AU070"), (size_models[0], "AU072")):
        with pytest.raises(AutomationError) as refused:
            replayed(traffic, candidate, champion)
        assert refused.value.code == code
