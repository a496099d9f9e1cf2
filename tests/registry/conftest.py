"""The two databases that decisions are kept in; tests run over both."""

from collections.abc import Iterator

import pytest

from tests.registry.postgres import running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def control_url(request: pytest.FixtureRequest) -> str | None:
    """What `[state] control` says: nothing for the file beside the project."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres"))
