"""Without labels: right as long as rows alone change, wrong when their meaning does, and marked as such."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from scipy.special import expit
from sklearn.linear_model import LinearRegression, LogisticRegression

from siklus.bundle.read import Bundle
from siklus.monitor.quality.report import Expected
from tests.figures import Figure
from tests.monitor.labelled import Traffic, packaged, reported

SLOPES = np.array([1.2, -0.8, 0.5])
POINTS = 100


def rows_of(chance: np.random.Generator, count: int, *, shift: float = 0.0) -> np.ndarray:
    """Normal columns, the first with this mean (in its standard deviations)."""
    return chance.normal(size=(count, 3)) + np.array([shift, 0.0, 0.0])


def came_true(chance: np.random.Generator, rows: np.ndarray, *, of: np.ndarray = SLOPES) -> np.ndarray:
    return np.asarray(chance.random(len(rows)) < expit(rows @ of))


def frame(rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["a", "b", "c"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Fitted on 10,000 rows and calibrated on them."""
    chance = np.random.default_rng(5)
    rows = rows_of(chance, 10_000)
    truth = pd.Series(came_true(chance, rows), name="late")
    fitted = LogisticRegression().fit(frame(rows), truth)
    return packaged(tmp_path_factory.mktemp("model") / "bundle", fitted, frame(rows), truth)


def expected(folder: Path, model: Bundle, rows: np.ndarray) -> tuple[Expected, np.ndarray]:
    """The estimate for rows without a single outcome, and the probabilities that were answered."""
    traffic = Traffic(folder)
    batch = traffic.answer(model, frame(rows))
    found = reported(traffic, model).expected
    assert found is not None
    return found, batch.raw[:, 1]


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.0])
def test_it_follows_rows_that_move(shift: float, model: Bundle, tmp_path: Path, figure: Figure) -> None:
    chance = np.random.default_rng(17)
    rows = rows_of(chance, 20_000, shift=shift)
    found, said = expected(tmp_path, model, rows)
    truth = came_true(chance, rows)
    missed = POINTS * (found.metrics["accuracy"] - sk.accuracy_score(truth, said >= 0.5))
    figure(f"accuracy estimated without labels, rows moved by {shift:g} σ, points off", f"{missed:+.2f}")
    assert abs(missed) < 1.0  # 0.6 of the estimate, and 0.3 of the 20,000 rows' own chance
    assert found.metrics["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, said), abs=0.02)
    for name, of in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
        assert found.metrics[name] == pytest.approx(of(truth, said >= 0.5), abs=0.03)
    assert found.metrics["brier"] == pytest.approx(sk.brier_score_loss(truth, said), abs=0.01)
    assert found.metrics["log_loss"] == pytest.approx(sk.log_loss(truth, said), abs=0.02)
    confusion = sk.confusion_matrix(truth, said >= 0.5)
    assert np.abs(np.array(found.confusion) - confusion).max() < 0.02 * len(rows)


def test_it_does_not_see_another_meaning_and_says_so(model: Bundle, tmp_path: Path, figure: Figure) -> None:
    """The same rows mean something else: this must come out wrong, and be marked as an assumption."""
    chance = np.random.default_rng(23)
    rows = rows_of(chance, 5_000)
    found, said = expected(tmp_path, model, rows)
    truth = came_true(chance, rows, of=np.array([0.2, -0.8, -0.5]))
    real = sk.accuracy_score(truth, said >= 0.5)
    figure(
        "accuracy estimated without labels under concept change, where it is really",
        f"{POINTS * found.metrics['accuracy']:.1f} %, {POINTS * real:.1f} %",
    )
    assert found.metrics["accuracy"] - real > 0.05
    assert "assumes P(y|x) unchanged" in found.said
    assert "may have been fitted on" in found.said  # nobody gave other rows to calibrate by


def test_of_more_classes_the_accuracy_alone_is_expected(tmp_path: Path) -> None:
    chance = np.random.default_rng(29)
    rows = rows_of(chance, 3_000)
    truth = pd.Series(np.digitize(rows[:, 0] + chance.normal(size=3_000), [-1.0, 1.0]), name="size")
    model = packaged(tmp_path / "bundle", LogisticRegression().fit(frame(rows), truth), frame(rows), truth)
    found, _ = expected(tmp_path / "records", model, rows)
    assert list(found.metrics) == ["accuracy"]
    right = sk.accuracy_score(truth, np.argmax(model_answers(model, rows), axis=1))
    assert found.metrics["accuracy"] == pytest.approx(right, abs=0.02)


def test_numbers_have_no_such_estimate(tmp_path: Path) -> None:
    chance = np.random.default_rng(31)
    rows = rows_of(chance, 300)
    minutes = pd.Series(rows @ SLOPES, name="minutes")
    model = packaged(tmp_path / "bundle", LinearRegression().fit(frame(rows), minutes), frame(rows), minutes)
    traffic = Traffic(tmp_path / "records")
    traffic.answer(model, frame(rows))
    assert reported(traffic, model).expected is None


def model_answers(model: Bundle, rows: np.ndarray) -> np.ndarray:
    return Traffic(Path(model.path.parent / "again")).answer(model, frame(rows)).raw
