"""Outcomes that jump beyond anything that the features say are a bug; those that drift are not."""

import numpy as np
import pytest

from siklus.automation.retraining.jumped import Told, jumped

ROWS = 3_000


def classes(seed: int, *, tilt: float = 0.0, flipped: float = 0.0) -> Told:
    """A calibrated model of two classes; ``tilt`` moves the features, ``flipped`` swaps outcomes."""
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(-(rng.normal(size=ROWS) - 1.5 + tilt)))
    truth = (rng.random(ROWS) < chance) ^ (rng.random(ROWS) < flipped)
    return Told(truth.astype(np.int64), np.column_stack([1 - chance, chance]))


def numbers(seed: int, *, level: float = 0.0, factor: float = 1.0, bias: float = 0.0) -> Told:
    rng = np.random.default_rng(seed)
    said = 10 * rng.standard_t(5, size=ROWS) + 100 + level
    return Told((said + 5 * rng.normal(size=ROWS)) * factor, said + bias)


def test_nothing_is_said_where_nothing_jumped() -> None:
    """Nor where only the features have moved, and the outcomes with them; nor where the model was biased."""
    assert not any(jumped(classes(i), classes(100 + i), classify=True) for i in range(50))
    assert not any(jumped(classes(i, tilt=3.0), classes(100 + i), classify=True) for i in range(50))
    assert not any(jumped(numbers(i), numbers(100 + i), classify=False) for i in range(50))
    assert not any(jumped(numbers(i, level=80.0), numbers(100 + i), classify=False) for i in range(50))
    assert not any(jumped(numbers(i, bias=40), numbers(99 + i, bias=40), classify=False) for i in range(50))


def test_swapped_classes_jump() -> None:
    found = jumped(classes(0, flipped=1.0), classes(1), classify=True)
    assert found is not None
    assert found.blocks
    share = classes(1).truth.mean()
    assert found.value == pytest.approx(1 - 2 * share, abs=0.03)


def test_one_class_for_all_jumps() -> None:
    now = classes(0, tilt=1.5)
    assert jumped(Told(np.zeros_like(now.truth), now.said), classes(1), classify=True) is not None


def test_another_unit_jumps_and_so_does_one_number_for_all() -> None:
    for factor in (60.0, 1 / 60):
        assert jumped(numbers(0, factor=factor), numbers(1), classify=False) is not None
    same = numbers(0)
    found = jumped(Told(np.full(ROWS, 100.0), same.said), numbers(1), classify=False)
    assert found is not None
    assert found.value < 1e-6


def test_a_world_that_changed_by_a_tenth_is_what_one_trains_for() -> None:
    assert jumped(classes(0, flipped=0.15), classes(1), classify=True) is None
    assert jumped(numbers(0, factor=1.1), numbers(1), classify=False) is None


def test_few_labels_say_nothing() -> None:
    few = classes(0, flipped=1.0)
    assert jumped(Told(few.truth[:99], few.said[:99]), classes(1), classify=True) is None
