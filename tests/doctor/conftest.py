"""What these tests share: a trained project, and a database server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.projects import answered, new_project, straight_rows
from tests.registry.postgres import running_postgres


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with version 1 in production. To be read only."""
    folder = tmp_path_factory.mktemp("trained") / "line"
    new_project(folder, straight_rows(240), "--key", "id")
    answered("train", "-C", folder)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url
