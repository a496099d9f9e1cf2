"""Sensitive columns: never on the disk as they are, whatever way they come."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from siklus.contract.columns import Contract, Number, Target
from siklus.project.sections import Records
from siklus.records.predictions import PredictionLog
from siklus.table import Table
from tests.records.rows import SECRET, batch, features_written, open_log, record_of

HIDDEN = "51234.5"


@pytest.mark.parametrize("how", ["omit", "hash"])
@pytest.mark.parametrize(
    "features",
    [
        b'{"features": {"age": 40, "income": 51234.5, "rooms": 3}}',
        b'{"features": [40, 51234.5, 3]}',
        b'{"features": {"age": 40, "\\u0069ncome": 51234.5, "rooms": 3}}',
        b'{"features": {"age": 40, "income": 1, "rooms": 3, "income": 51234.5}}',
        b'{"features": {"age": 40, "income": 51234.5, "rooms": 3, "income": 1}}',
        b'{"features": {"x": 51234.5}, "features": {"age": 40, "income": 51234.5, "rooms": 3}}',
        b'{"features": {"age": 40, "rooms": 3, "copy": {"income": 51234.5, "more": [{"INCOME": 51234.5}]}}}',
        msgspec.Raw(b'{"age": 40, "income": 51234.5, "rooms": 3}'),
        msgspec.Raw(b"[40, 51234.5, 3]"),
        {"age": 40, "income": 51234.5, "rooms": 3},
        [40, 51234.5, 3],
    ],
)
def test_nothing_sensitive_ever_touches_the_disk(features: object, how: str, tmp_path: Path) -> None:
    log = open_log(tmp_path, Records(sensitive=how), contract=SECRET)  # type: ignore[arg-type]  # one of two
    log.append(record_of(0, features=features))
    if not isinstance(features, bytes | msgspec.Raw):
        log.append_many(batch([features], 1))
        log.append_many(
            batch(Table({"age": np.array([40]), "income": np.array([51234.5]), "rooms": np.array([3])}), 1)
        )
    log.close()
    assert log.dropped == 0
    for path in tmp_path.iterdir():
        assert HIDDEN.encode() not in path.read_bytes()
        assert np.float64(51234.5).tobytes()[::-1] not in path.read_bytes()
    for found in features_written(tmp_path):
        assert (found["age"], found["rooms"]) == (40, 3)
        assert ("income" in found) == (how == "hash" and "copy" not in found)


def test_hashes_can_be_joined_and_without_the_key_not_guessed(tmp_path: Path) -> None:
    log = open_log(tmp_path, Records(sensitive="hash"), contract=SECRET)
    for income in (7, 7.0, 8, None):
        log.append(record_of(0, features=[1, income, 2]))
    log.close()
    other = PredictionLog(tmp_path, worker="1", settings=Records(sensitive="hash"), key=bytes(32))
    other.describe("7", SECRET)
    other.append(record_of(0, features=[1, 7, 2]))
    other.close()
    hashes = [found["income"] for found in features_written(tmp_path)]
    assert hashes[0] == hashes[1]
    assert hashes[3] is None
    assert len({hashes[0], hashes[2], hashes[4]}) == 3
    assert all(str(found).startswith("hash:") for found in (hashes[0], hashes[2]))


def test_blanks_around_the_name_of_a_column_hide_nothing_less(tmp_path: Path) -> None:
    spaced = Contract(columns=(Number(name=" ssn", sensitive=True),), target=Target(name="price"))
    log = open_log(tmp_path, contract=spaced)
    log.append(record_of(0, features=[51234]))
    log.append(record_of(1, features={" ssn": 51234}))
    log.append(record_of(2, features={"SSN": 51234}))
    log.close()
    assert log.dropped == 0
    assert all("51234" not in str(found) for found in features_written(tmp_path))


def test_what_one_version_hides_no_other_shows(tmp_path: Path) -> None:
    """A shadow whose contract says nothing of it gets the same rows."""
    careless = Contract(
        columns=(Number(name="age"), Number(name="income"), Number(name="rooms")), target=Target(name="price")
    )
    ignoring = Contract(columns=(Number(name="age"),), target=Target(name="price"), ignored=("income",))
    log = open_log(tmp_path, contract=careless)
    log.describe("8", SECRET)
    log.describe("9", ignoring)
    body = b'{"features": {"age": 40, "income": 51234.5, "rooms": 3}}'
    for i, version in enumerate(("7", "8", "9")):
        log.append(record_of(i, features=body, version=version))
    log.append(record_of(3, features=[40, 51234.5, 3], version="7"))
    log.close()
    assert log.dropped == 0
    assert features_written(tmp_path) == [{"age": 40, "rooms": 3}] * 4
