"""One server a kind of model, for all tests that only ask it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.bundles import classifier, regressor
from tests.serve.servers import Server, serving_bundle

SMALL_BODY, FEW_ROWS = 20_000, 50


@pytest.fixture(scope="session")
def irises(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A classifier with odd column names, served as version 7."""
    with serving_bundle(
        classifier(tmp_path_factory.mktemp("bundles") / "irises"), "--version", "7"
    ) as server:
        yield server


@pytest.fixture(scope="session")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A regression, √(2a + b), with limits that a test can reach."""
    limits = ["--max-body-bytes", str(SMALL_BODY), "--max-batch-rows", str(FEW_ROWS)]
    with serving_bundle(regressor(tmp_path_factory.mktemp("bundles") / "minutes"), *limits) as server:
        yield server


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return tmp_path / "bundles"
