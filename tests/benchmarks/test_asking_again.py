"""What it costs to ask versions about logged rows again: a replay, and a rollout's look at its labels."""

import time
from pathlib import Path

import pytest

from siklus.automation.replay.replay import ReplayQuestion, replay
from siklus.automation.rollout.pairs import Pairs
from siklus.bundle.read import Bundle
from siklus.project.sections import Records
from siklus.records.compact import compact
from tests.automation.test_replay import frame_of, minutes_model, minutes_of
from tests.figures import Figure
from tests.monitor.labelled import HOUR, NOON, Traffic, settings_of

pytestmark = pytest.mark.slow

MINUTE = HOUR / 60
THOUSANDS = 100


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    """Champion and challenger."""
    folder, columns = tmp_path_factory.mktemp("models"), ("x", "z", "shop")
    return (
        minutes_model(folder, columns=columns, version="1"),
        minutes_model(folder, columns=columns, version="2", more=5.0),
    )


@pytest.fixture
def traffic(models: tuple[Bundle, Bundle], tmp_path: Path) -> Traffic:
    """100,000 predictions, of which a third have their outcome, compacted as they are beside a server."""
    made, frame = Traffic(tmp_path / "records"), frame_of(1000)
    for i in range(THOUSANDS):
        batch = made.answer(models[0], frame, at=NOON + i * MINUTE)
        made.tell(batch.ids[::3], minutes_of(frame)[::3], at=NOON + (i + 20) * MINUTE)
    compact(made.layout, Records(), now=NOON.timestamp() + 10 * 3600)
    return made


def test_many_rows_are_replayed_in_a_minute(
    models: tuple[Bundle, Bundle], traffic: Traffic, figure: Figure
) -> None:
    champion, candidate = models
    question = ReplayQuestion(since=NOON, until=NOON + 24 * HOUR, sample=None)
    found = replay(traffic.layout, question, settings_of(champion), candidate=candidate, champion=champion)
    figure("replay, rows a second", f"{found.rows / found.seconds:,.0f}")
    assert found.rows == 100_000
    assert found.seconds < 60


def test_new_labels_cost_themselves(models: tuple[Bundle, Bundle], traffic: Traffic, figure: Figure) -> None:
    frame = frame_of(100)
    last = traffic.answer(models[0], frame, at=NOON + 6 * HOUR)
    champion, challenger = models
    pairs = Pairs(traffic.layout, challenger, champion, metric="mae", since=NOON)
    spent = {}
    for name in ("33,400 new labels", "100 more", "none"):
        began = time.process_time()
        pairs.read()
        pairs.challenge(alpha=0.01)
        spent[name] = time.process_time() - began
        figure(f"a look at the labels of a rollout, processor, {name}", f"{spent[name]:.3f} s")
        if name == "33,400 new labels":
            traffic.tell(last.ids, minutes_of(frame), at=NOON + 6 * HOUR)
    assert len(pairs) == 33_500
    assert spent["none"] < 0.1
