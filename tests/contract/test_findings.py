"""Promises of the findings: each is made where it should be, and not where it should not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import datasets

from siklus.contract.check import check
from siklus.contract.findings import FINDINGS, Finding
from siklus.contract.infer import infer
from siklus.table import Table, objects

ROWS = 400
RNG = np.random.default_rng(7)
NOISE = RNG.normal(size=ROWS)
COIN = RNG.integers(0, 2, ROWS)
AMOUNT = RNG.gamma(2.0, 50.0, ROWS)
PLAIN = Table({"noise": NOISE, "coin": COIN, "y": (NOISE + RNG.normal(size=ROWS) > 0).astype(np.int64)})
MONTHS = np.datetime64("2024-01-31T08:00", "us") + np.arange(ROWS) * np.timedelta64(10, "h")
COUNTED = objects(range(ROWS))


def found(table: Table, **given: Any) -> list[Finding]:
    return list(infer(table, **{"target": "y", **given}).findings)


def x(cells: Any, **given: Any) -> Callable[[], list[Finding]]:
    """Findings of the plain table with this column `x` put in."""
    array = cells if isinstance(cells, np.ndarray) else objects(cells)
    return lambda: found(PLAIN.with_column("x", array), **given)


def y(cells: Any, **given: Any) -> Callable[[], list[Finding]]:
    """Findings of the plain table with this target."""
    array = cells if isinstance(cells, np.ndarray) else objects(cells)
    return lambda: found(PLAIN.with_column("y", array), **given)


def checked(**changed: Any) -> Callable[[], list[Finding]]:
    """Warnings of a later table, held against the plain table's contract."""
    start = PLAIN.with_column("word", objects(["a", "b"] * (ROWS // 2)))
    contract = infer(start, target="y").contract
    later = Table({**start.columns, **changed})
    return lambda: list(check(later, contract).warnings)


TALES = [f"the {i} quick brown foxes, they jumped over {i % 7} lazy dogs" for i in range(ROWS)]

# code → (how it comes about, its column, what its message tells)
CASES: dict[str, tuple[Callable[[], list[Finding]], str | None, str]] = {
    "all-missing": (x([None] * ROWS), "x", "not one cell"),
    "assumed-task": (lambda: found(PLAIN), "y", "classification"),
    "constant": (x(["only"] * ROWS), "x", "'only'"),
    "duplicate-column": (x(NOISE.copy()), "x", "'noise'"),
    "duplicate-rows": (lambda: found(PLAIN.take(np.arange(2 * ROWS) % 300)), None, "500 of 800 rows (62.5%)"),
    "float32-precision": (x(np.arange(ROWS) * 1.5 + 1.7e9), "x", "64"),
    "free-text": (x(TALES), "x", "kind text"),
    "key-not-unique": (x(np.arange(ROWS) // 2, key="x"), "x", "200 of 400 rows"),
    "leak": (x(PLAIN["y"] * 3), "x", "--drop"),
    "leak-together": (y(AMOUNT, task="regression"), "x", ""),  # replaced below: it takes two columns
    "many-categories": (x([f"w{i % 300}" for i in range(ROWS)]), "x", "300 words"),
    "no-varying-part": (
        x(np.datetime64("2024-01-01T08:00", "us") + np.arange(ROWS)),
        "x",
        "same in all rows",
    ),
    "numeric-code": (
        lambda: found(PLAIN.with_column("zip_code", 10_000 + COIN + np.arange(ROWS) % 9)),
        "zip_code",
        "category",
    ),
    "numeric-text": (x([str(i % 50) for i in range(ROWS)]), "x", "category"),
    "out-of-range": (checked(noise=np.where(COIN, NOISE, 99.0)), "noise", "99"),
    "rare-class": (y(["a"] * 200 + ["b"] * 197 + ["rare"] * 3), "y", "'rare' in 3"),
    "target-missing": (y([None, "a", "b", "a"] * (ROWS // 4)), "y", "100 of 400 rows"),
    "text-missing": (x(["a", "N/A", "b", "?"] * (ROWS // 4)), "x", "200 cells hold '?', 'N/A'"),
    "time-feature": (x(MONTHS, time="x"), "x", "calendar parts"),
    "unique-id": (x([f"user-{i}" for i in range(ROWS)]), "x", "400 different"),
    "unreadable": (x([1, "a"] * (ROWS // 2)), "x", "int, str"),
    "unseen": (checked(word=objects(["a", "zebra"] * (ROWS // 2))), "word", "'zebra' (200)"),
}
PARTS = PLAIN.with_column("casual", AMOUNT).with_column("registered", AMOUNT[::-1] * 2)
CASES["leak-together"] = (
    lambda: found(PARTS.with_column("y", PARTS["casual"] + PARTS["registered"]), task="regression"),
    "casual",
    "'casual', 'registered'",
)


@pytest.mark.parametrize("code", FINDINGS)
def test_each_finding_is_made_with_its_column_and_what_to_know(code: str) -> None:
    make, column, told = CASES[code]
    [about] = [one for one in make() if one.code == code]
    assert (about.column, about.severity) == (column, FINDINGS[code].severity)
    assert told in about.message


def test_a_plain_table_gives_nothing_but_the_assumed_task() -> None:
    assert [about.code for about in found(PLAIN)] == ["assumed-task"]
    assert found(PLAIN, task="classification") == []


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("x", np.arange(ROWS)),
        ("x", np.arange(1, ROWS + 1)),
        ("customer_id", np.arange(ROWS) * 7 + 10**6),
        ("customerId", np.arange(ROWS) * 7 + 10**6),
        ("x", objects(f"{i:x}" for i in range(ROWS))),
    ],
)
def test_a_unique_id_is_ignored_and_never_suspected(name: str, cells: np.ndarray[Any, Any]) -> None:
    # Sorted by the target, a row number would state it.
    table = PLAIN.take(np.argsort(PLAIN["y"])).with_column(name, cells)
    answer = infer(table, target="y")
    assert answer.contract.ignored == (name,)
    assert {about.code for about in answer.findings} == {"assumed-task", "unique-id"}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("humid", np.arange(ROWS) * 7),  # ends in id, and is none
        ("year", np.arange(1600, 1600 + ROWS)),
        ("x", np.round(NOISE, 3)),
        ("x", objects(f"w{i // 2}" for i in range(ROWS))),
    ],
)
def test_what_repeats_or_counts_something_is_no_id(name: str, cells: np.ndarray[Any, Any]) -> None:
    assert infer(PLAIN.with_column(name, cells), target="y").contract.ignored == ()


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_honest_columns_are_not_suspected(name: str) -> None:
    data = getattr(datasets, f"load_{name}")()
    columns = {str(column): data.data[:, i] for i, column in enumerate(data.feature_names)}
    codes = {about.code for about in found(Table({**columns, "y": data.target}))}
    assert codes <= {"assumed-task", "constant", "duplicate-rows"}


def suspects(table: Table, **given: Any) -> set[str | None]:
    return {about.column for about in found(table, **given) if about.code == "leak"}


HALF = RNG.integers(0, 2, ROWS)
RARE = (np.arange(ROWS) % 80 == 0).astype(np.int64)
TEN = RNG.permutation(ROWS) % 10
THREE = objects(np.array(["a", "b", "c"], dtype=object)[RNG.permutation(ROWS) % 3])


@pytest.mark.parametrize(
    ("target", "leak"),
    [
        (HALF, HALF + 5),
        (HALF, np.where(HALF, NOISE + 50, NOISE)),
        (HALF, objects("Canceled" if coin else "Check-Out" for coin in HALF)),
        (HALF, np.where(HALF, np.nan, NOISE)),  # whether it is missing tells it
        (RARE, np.where(RARE, 9.0, NOISE)),
        (THREE, objects(f"class {word}" for word in THREE)),
        (TEN, TEN * 1.5),
        (TEN, (TEN * 7 % 10) + NOISE / 100),  # in another order, and blurred
        (AMOUNT, AMOUNT * 1.2 + 3),
        (AMOUNT, -np.log(AMOUNT)),
        (AMOUNT, np.round(AMOUNT)),
        (AMOUNT, np.where(np.arange(ROWS) == 0, np.nan, AMOUNT)),
    ],
)
def test_a_column_that_states_the_target_is_suspected_and_kept(
    target: np.ndarray[Any, Any], leak: np.ndarray[Any, Any]
) -> None:
    table = PLAIN.with_column("y", target).with_column("leak", leak)
    assert suspects(table) == {"leak"}
    assert "leak" in infer(table, target="y").contract.names
    assert suspects(table, drop=["leak"]) == set()


def test_a_strong_but_honest_column_is_not_suspected() -> None:
    blurred = AMOUNT + RNG.normal(size=ROWS) * 0.15 * AMOUNT.std()  # R² 0.98 at the very best
    assert suspects(PLAIN.with_column("y", AMOUNT).with_column("x", blurred)) == set()
    often = np.where(np.arange(ROWS) % 20 == 0, 1 - HALF, HALF)  # right in 95 of 100 rows
    assert suspects(PLAIN.with_column("y", HALF).with_column("x", often)) == set()


def test_the_column_that_splits_by_time_is_not_suspected() -> None:
    growing = PLAIN.with_column("at", MONTHS).with_column("y", np.arange(ROWS) * 3.5)
    assert suspects(growing, time="at") == set()
    assert suspects(growing) == {"at"}


def test_sums_are_not_suspected_where_a_part_is_lacking() -> None:
    total = PARTS["casual"] + PARTS["registered"] + NOISE
    codes = {about.code for about in found(PARTS.drop(["noise"]).with_column("y", total), task="regression")}
    assert "leak-together" not in codes


def test_in_few_rows_nothing_is_suspected_and_nothing_is_an_id() -> None:
    few = np.arange(16)
    table = Table({"x": few % 2, "name": objects(f"n{i}" for i in few), "number": few, "y": few % 2})
    assert {about.code for about in found(table)} == {"assumed-task", "rare-class"}
