"""A look says how the champion stands, from what is new, and reads nothing when nothing is."""

import shutil
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from sklearn.linear_model import LinearRegression

from siklus.bundle.read import Bundle, with_version
from siklus.monitor.quality.watch import QualitySeen, QualityWatch
from siklus.project.sections import Records
from siklus.records.compact import compact
from tests.figures import Figure
from tests.monitor.labelled import HOUR, NOON, Traffic, packaged, settings_of

CHANCE = np.random.default_rng(3)
LATER = NOON + 2 * HOUR


def rows_of(count: int) -> pd.DataFrame:
    return pd.DataFrame({"x": CHANCE.normal(size=count)})


def outcomes_of(frame: pd.DataFrame, *, noise: float = 1.0) -> np.ndarray:
    return np.asarray(10 + 2 * frame["x"] + noise * CHANCE.normal(size=len(frame)))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    frame = rows_of(1000)
    minutes = pd.Series(outcomes_of(frame), name="minutes")
    return packaged(
        tmp_path_factory.mktemp("model") / "bundle", LinearRegression().fit(frame, minutes), frame, minutes
    )


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path / "records")


def signals(seen: QualitySeen) -> dict[str, float]:
    return {signal.name: signal.value for signal in seen.signals()}


def test_a_look_gives_the_signals_of_quality(model: Bundle, traffic: Traffic) -> None:
    watch = QualityWatch(traffic.layout, settings_of(model, floor="<= 1.5"))
    frame = rows_of(400)
    batch, truth = traffic.answer(model, frame), outcomes_of(frame)
    other = traffic.answer(with_version(model, "2"), frame, arm="challenger")
    assert signals(watch.look(model, answered=400, now=LATER)) == {
        "labelled_since_training": 0.0,
        "label_coverage": 0.0,
    }
    traffic.tell(batch.ids[:150], truth[:150], at=LATER)
    few = signals(watch.look(model, answered=400, now=LATER))
    assert few == {
        "labelled_since_training": 150.0,
        "label_coverage": 0.375,
        "label_delay": 7200.0,
        "quality_alarm": 0.0,
    }
    traffic.tell(batch.ids[150:300], truth[150:300], at=LATER)
    traffic.tell(other.ids, truth + 90, at=LATER)
    seen = watch.look(model, answered=400, now=LATER)
    found = signals(seen)
    mae = sk.mean_absolute_error(truth[:300], batch.raw[:300])
    assert found["quality"] == pytest.approx(mae)
    assert seen.recent is not None
    assert seen.recent.low is not None
    assert seen.recent.low < mae
    assert (found["labelled_since_training"], found["label_coverage"]) == (300.0, 0.75)
    assert (seen.metric, seen.version) == ("mae", "1")


def test_quality_is_of_the_outcomes_that_came_in_the_window(model: Bundle, traffic: Traffic) -> None:
    """And of as many before it as are needed to say anything."""
    watch = QualityWatch(traffic.layout, settings_of(model, window="1h"))
    frame = rows_of(900)
    batch, truth = traffic.answer(model, frame), outcomes_of(frame)
    traffic.tell(batch.ids[:300], truth[:300], at=NOON + HOUR)
    traffic.tell(batch.ids[300:700], truth[300:700] + 5, at=NOON + 3 * HOUR)
    traffic.tell(batch.ids[700:], truth[700:] + 9, at=NOON + 5 * HOUR)
    last = sk.mean_absolute_error(truth[700:] + 9, batch.raw[700:])
    assert signals(watch.look(model, answered=900, now=NOON + 5.5 * HOUR))["quality"] == pytest.approx(last)
    traffic.tell(traffic.answer(model, frame[:1]).ids, [0.0], at=NOON + 8 * HOUR)
    newest = signals(watch.look(model, answered=901, now=NOON + 8 * HOUR))
    assert newest["quality"] != pytest.approx(last)
    assert newest["quality"] > 5.0  # 199 of the last 200 still stand for the one that came


def test_an_alarm_of_quality_is_a_signal(model: Bundle, traffic: Traffic) -> None:
    watch = QualityWatch(traffic.layout, settings_of(model, floor="<= 1.2"))
    for i in range(12):
        frame = rows_of(150)
        batch = traffic.answer(model, frame, at=NOON + i * HOUR)
        traffic.tell(batch.ids, outcomes_of(frame, noise=4.0 if i >= 8 else 1.0), at=NOON + (i + 1) * HOUR)
        seen = watch.look(model, answered=150 * (i + 1), now=NOON + (i + 1) * HOUR)
        assert signals(seen)["quality_alarm"] == float(i >= 8)


def test_a_look_without_news_reads_nothing(model: Bundle, traffic: Traffic) -> None:
    """The records of predictions can be gone: only outcomes are asked whether there are new ones."""
    watch = QualityWatch(traffic.layout, settings_of(model))
    frame = rows_of(300)
    batch = traffic.answer(model, frame)
    traffic.tell(batch.ids, outcomes_of(frame))
    first = watch.look(model, answered=300, now=NOON + HOUR)
    shutil.rmtree(traffic.layout.segments)
    again = watch.look(model, answered=600, now=NOON + HOUR + timedelta(minutes=1))
    assert again.recent == first.recent
    assert (again.labelled, again.coverage) == (300, 0.5)


def test_a_clock_that_went_back_hides_no_outcome(model: Bundle, traffic: Traffic) -> None:
    watch = QualityWatch(traffic.layout, settings_of(model))
    frame = rows_of(600)
    batch, truth = traffic.answer(model, frame, at=NOON + 24 * HOUR), outcomes_of(frame)
    traffic.tell(batch.ids[:300], truth[:300], at=NOON + 25 * HOUR)
    watch.look(model, answered=600, now=NOON + 25 * HOUR)
    traffic.tell(batch.ids[300:], truth[300:], at=NOON)
    seen = watch.look(model, answered=600, now=NOON)
    assert seen.labelled == 600
    mae = sk.mean_absolute_error(truth, batch.raw)
    assert seen.alarm is not None
    assert seen.alarm.estimate.value == pytest.approx(mae)


@pytest.mark.slow
def test_a_look_costs_little(model: Bundle, traffic: Traffic, figure: Figure) -> None:
    """300,000 predictions, of which a third have their outcome, compacted as they are beside a server."""
    watch = QualityWatch(traffic.layout, settings_of(model))
    frame = rows_of(1000)
    for i in range(300):
        batch = traffic.answer(model, frame, at=NOON + i * HOUR / 60)
        traffic.tell(batch.ids[::3], outcomes_of(frame)[::3], at=NOON + (i + 20) * HOUR / 60)
    compact(traffic.layout, Records(), now=NOON.timestamp() + 10 * 3600)
    last = traffic.answer(model, frame[:1], at=NOON + 6 * HOUR)
    spent = {}
    for name in ("first", "without news", "with news"):
        if name == "with news":
            traffic.tell(last.ids, [10.0], at=NOON + 6 * HOUR)
        began = time.process_time()
        watch.look(model, answered=300_000, now=NOON + 6 * HOUR)
        spent[name] = time.process_time() - began
        figure(f"a look at quality, 300,000 predictions, processor, {name}", f"{spent[name]:.3f} s")
    assert spent["without news"] < 0.1


def test_another_champion_is_looked_at_anew(model: Bundle, traffic: Traffic) -> None:
    watch = QualityWatch(traffic.layout, settings_of(model))
    frame = rows_of(300)
    for bundle, count in ((model, 300), (with_version(model, "2"), 250)):
        batch = traffic.answer(bundle, frame[:count])
        traffic.tell(batch.ids, outcomes_of(frame[:count]))
        assert watch.look(bundle, answered=1000, now=LATER).labelled == count
