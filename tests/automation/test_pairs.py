"""Labelled rows as both versions would have answered them: each once, whoever answered it."""

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from msgspec.structs import replace
from sklearn.linear_model import LinearRegression, LogisticRegression

from siklus.automation.rollout.pairs import Pairs
from siklus.bundle.read import Bundle, open_bundle
from siklus.stats.challenge import challenge
from tests.monitor.labelled import HOUR, NOON, Traffic, packaged
from tests.serve.bundles import brittle_regressor, slow_regressor

ALPHA = 0.01
NEAR = pytest.approx
CHANCE = np.random.default_rng(23)


def frame_of(rows: int) -> pd.DataFrame:
    return pd.DataFrame(CHANCE.normal(size=(rows, 2)), columns=["x", "z"])


def minutes_of(frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(20 + 3 * frame["x"] + frame["z"] + CHANCE.normal(size=len(frame)))


def words_of(frame: pd.DataFrame) -> np.ndarray:
    return np.where(frame["x"] + CHANCE.normal(size=len(frame)) > 0, "yes", "no")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    """Champion, and a challenger that knows only one of the columns that matter."""
    frame, folder = frame_of(2000), tmp_path_factory.mktemp("models")
    truth = pd.Series(minutes_of(frame), name="minutes")
    one = packaged(folder / "1", LinearRegression().fit(frame, truth), frame, truth, version="1")
    half = frame[["x"]]
    two = packaged(folder / "2", LinearRegression().fit(half, truth), half, truth, version="2")
    return one, two


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path / "records")


def pairs_of(traffic: Traffic, models: tuple[Bundle, Bundle], *, metric: str = "mae") -> Pairs:
    champion, challenger = models
    return Pairs(traffic.layout, challenger, champion, metric=metric, since=NOON)


def test_labels_of_both_arms_judge_both_versions(models: tuple[Bundle, Bundle], traffic: Traffic) -> None:
    """Rows answered by either, and none that was answered before."""
    champion, challenger = models
    first, second, before = frame_of(300), frame_of(100), frame_of(50)
    early = traffic.answer(champion, before, at=NOON - HOUR)
    one = traffic.answer(champion, first, at=NOON)
    two = traffic.answer(champion, second, at=NOON + HOUR, arm="challenger")
    traffic.answer(challenger, first[["x"]], at=NOON + HOUR, shadow=True)
    truth = minutes_of(pd.concat([first, second]))
    traffic.tell(early.ids, minutes_of(before))
    traffic.tell([*one.ids, *two.ids], truth)
    pairs = pairs_of(traffic, models)
    assert (len(pairs), pairs.challenge(alpha=ALPHA), pairs.champion_loss) == (0, None, None)
    pairs.read()
    assert len(pairs) == 400
    frame = pd.concat([first, second])
    said = Traffic(traffic.root / "other").answer(challenger, frame[["x"]]).raw
    theirs = np.concatenate([one.raw, two.raw])
    assert pairs.champion_loss == NEAR(sk.mean_absolute_error(truth, theirs))
    found = pairs.challenge(alpha=ALPHA)
    wanted = challenge("mae", truth, said, theirs, alpha=ALPHA)
    assert found is not None
    assert (found.rows, found.loss, found.alpha) == (400, "mae", ALPHA)
    assert (found.mean, found.low, found.high) == (NEAR(wanted.mean), NEAR(wanted.low), NEAR(wanted.high))
    assert found.worse


def test_one_who_turns_labels_round_decides_nothing(tmp_path: Path, traffic: Traffic) -> None:
    """A fifth of all labels, and a challenger that loses least where answers are wrong: it knows nothing."""
    frame = frame_of(3000)
    truth = pd.Series(np.where(frame["x"] > 0, "yes", "no"), name="word")
    champion = packaged(tmp_path / "1", LogisticRegression().fit(frame, truth), frame, truth, version="1")
    words = pd.Series(CHANCE.permutation(truth), name="word")
    unknowing = packaged(tmp_path / "2", LogisticRegression().fit(frame, words), frame, words, version="2")
    batch = traffic.answer(champion, frame, at=NOON)
    lies = np.where(truth == "yes", "no", "yes")
    clients = np.arange(len(frame)) % 5
    for client in range(5):
        own = np.flatnonzero(clients == client)
        said = lies if client == 4 else truth.to_numpy()
        traffic.tell([batch.ids[i] for i in own], said[own], client=f"shop-{client}")
    pairs = pairs_of(traffic, (champion, unknowing), metric="log_loss")
    pairs.read()
    assert len(pairs) == 2400
    found = pairs.challenge(alpha=ALPHA)
    assert found is not None
    assert found.worse
    assert found.low is not None
    assert found.low > 0.4  # log(2) is what knowing nothing costs


def test_of_two_clients_that_disagree_neither_decides(
    models: tuple[Bundle, Bundle], traffic: Traffic
) -> None:
    frame = frame_of(600)
    batch, truth = traffic.answer(models[0], frame, at=NOON), minutes_of(frame)
    traffic.tell(batch.ids[:300], truth[:300], client="one")
    traffic.tell(batch.ids[300:], truth[300:] + 50, client="other")
    pairs = pairs_of(traffic, models)
    pairs.read()
    assert (len(pairs), pairs.challenge(alpha=ALPHA), pairs.champion_loss) == (0, None, None)


def test_only_new_labels_are_read(models: tuple[Bundle, Bundle], traffic: Traffic) -> None:
    """Some are stored late: as received before what has been read."""
    frame, pairs = frame_of(300), pairs_of(traffic, models)
    batch, truth = traffic.answer(models[0], frame), minutes_of(frame)
    traffic.tell(batch.ids[:100], truth[:100], at=NOON + HOUR)
    pairs.read()
    first = pairs.challenge(alpha=ALPHA)
    assert first is not None
    assert pairs.challenge(alpha=ALPHA) is first
    traffic.tell(batch.ids[100:150], truth[100:150], at=NOON + HOUR - timedelta(minutes=5))
    traffic.tell(batch.ids[150:200], truth[150:200], at=NOON + 2 * HOUR)
    pairs.read()
    assert len(pairs) == 200
    traffic.tell(batch.ids[200:], truth[200:], at=NOON + 3 * HOUR)
    pairs.read()
    assert len(pairs) == 300
    assert pairs.champion_loss == NEAR(sk.mean_absolute_error(truth, batch.raw))
    shutil.rmtree(traffic.layout.segments)
    pairs.read()  # nothing is new, so nobody asks for the rows
    assert len(pairs) == 300


def test_classes_are_compared_by_their_probabilities(tmp_path: Path, traffic: Traffic) -> None:
    """The challenger was taught a word that the champion never met, and that never comes true."""
    frame = frame_of(1000)
    words = [words_of(frame), np.where(frame["z"] > 1.5, "perhaps", words_of(frame))]
    one, two = (
        packaged(tmp_path / str(i), LogisticRegression().fit(frame, late), frame, late, version=str(i))
        for i, late in enumerate(pd.Series(each, name="late") for each in words)
    )
    rows = frame_of(300)
    batch, truth = traffic.answer(one, rows), words_of(rows)
    traffic.tell(batch.ids, truth)
    pairs = pairs_of(traffic, (one, two), metric="log_loss")
    pairs.read()
    found = pairs.challenge(alpha=ALPHA)
    said = Traffic(traffic.root / "other").answer(two, rows).raw
    ours = sk.log_loss(truth, said, labels=["no", "perhaps", "yes"])
    assert found is not None
    assert found.mean == NEAR(ours - sk.log_loss(truth, batch.raw), rel=1e-5)
    accuracy = pairs_of(traffic, (one, two), metric="accuracy")
    accuracy.read()
    exact = accuracy.challenge(alpha=ALPHA)
    chosen = np.array(["no", "perhaps", "yes"])[said.argmax(axis=1)]
    assert exact is not None
    assert exact.mean == NEAR(sk.accuracy_score(truth, batch.predictions) - sk.accuracy_score(truth, chosen))
    assert exact.log_worse is not None


def test_rows_that_one_cannot_answer_are_left_out(tmp_path: Path, traffic: Traffic) -> None:
    champion = open_bundle(slow_regressor(tmp_path / "one", rounds=1), version="1")
    brittle = open_bundle(brittle_regressor(tmp_path / "two"), version="2")
    batch = traffic.answer(champion, pd.DataFrame({"a": [float(i % 6) for i in range(120)]}))
    traffic.tell(batch.ids, [float(i % 6) + 1 for i in range(120)])
    pairs = pairs_of(traffic, (champion, brittle))
    pairs.read()
    assert (len(pairs), pairs.champion_loss) == (60, 1.0)


def test_what_the_log_does_not_keep_is_not_asked(models: tuple[Bundle, Bundle], traffic: Traffic) -> None:
    champion, challenger = models
    columns = tuple(replace(each, sensitive=each.name == "z") for each in champion.contract.columns)
    contract = replace(champion.contract, columns=columns)
    hidden = Bundle(**{**vars(champion), "contract": contract})
    frame = frame_of(50)
    batch = traffic.answer(champion, frame, contract=contract)
    traffic.tell(batch.ids, minutes_of(frame))
    pairs = pairs_of(traffic, (hidden, challenger))
    pairs.read()
    assert len(pairs) == 0
