"""Pictures are drawn for what was measured, are the same for the same input, and survive odd names."""

import struct
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from siklus.train.evaluate import Evaluation, Importance, evaluate
from siklus.train.pictures import pictures

PNG = b"\x89PNG\r\n\x1a\n"


def classified(*classes: str | int, rows: int = 200) -> tuple[Evaluation, dict[str, bytes]]:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(len(classes)), size=rows)
    y = rng.integers(0, len(classes), size=rows)
    found = evaluate(y, probabilities, task="classification", classes=classes, slices={}, seed=0)
    return found, pictures(found, y, probabilities)


def regressed(rows: int, *, spread: float = 1.0) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    y = np.full(rows, 5.0) + spread * rng.normal(size=rows)
    found = evaluate(y, y + spread, task="regression", classes=None, slices={}, seed=0)
    return pictures(found, y, y + spread)


def size(png: bytes) -> tuple[int, int]:
    """Width and height, from the header."""
    assert png.startswith(PNG)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_classification_shows_errors_ranking_and_calibration() -> None:
    _, drawn = classified("no", "yes")
    assert sorted(drawn) == ["calibration.png", "confusion.png", "roc.png"]
    for png in drawn.values():
        assert min(size(png)) > 400


@pytest.mark.parametrize("rows", [1, 40, 3000])
def test_regression_shows_predictions_and_residuals(rows: int) -> None:
    assert sorted(regressed(rows)) == ["predicted.png", "residuals.png"]


@pytest.mark.parametrize("spread", [0.0, 1e-300, 1e300])
def test_constant_and_immense_numbers_can_be_drawn(spread: float) -> None:
    assert len(regressed(40, spread=spread)) == 2


def test_importance_is_drawn_when_it_was_measured() -> None:
    found, _ = classified("no", "yes")
    worth = {f"column {i}": Importance(mean=i / 10, std=0.01) for i in range(40)}
    drawn = pictures(msgspec.structs.replace(found, importance=worth), np.zeros(1), np.zeros(1))
    assert size(drawn["importance.png"])[0] > 400


def test_the_same_input_gives_the_same_bytes_and_another_others() -> None:
    _, one = classified("no", "yes")
    assert classified("no", "yes")[1] == one
    _, other = classified("no", "yes", rows=100)
    assert all(one[name] != other[name] for name in one)


@pytest.mark.parametrize(
    "classes",
    [
        ("$5 to $10", "_hidden", "a\\b", "x" * 200),
        ("日本", "कैट", ""),  # scripts that the font lacks
        tuple(range(30)),
        (1, 2),
    ],
)
def test_any_class_names_and_any_number_of_them(classes: tuple[str | int, ...]) -> None:
    _, drawn = classified(*classes)
    assert sorted(drawn) == ["calibration.png", "confusion.png", "roc.png"]


def test_where_predictions_are_not_finite_there_is_nothing_to_draw() -> None:
    y, said = np.arange(5.0), np.array([0.0, np.nan, 2.0, 3.0, 4.0])
    found = evaluate(y, said, task="regression", classes=None, slices={}, seed=0)
    assert pictures(found, y, said) == {}


def test_matplotlib_is_loaded_only_to_draw() -> None:
    code = "import sys, siklus.train.pictures; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
