"""What these tests share: a project that was released, and a database server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from siklus.project.file import open_project
from siklus.registry.control import open_control
from siklus.registry.policy import Allotment
from siklus.registry.publish import publish_at_once
from siklus.registry.traffic import Traffic
from tests.doctor.patients import patient
from tests.registry.postgres import running_postgres
from tests.serve.published import version_in


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose version 1 was decided on and published, without a training. To be read only."""
    paths = open_project(patient(tmp_path_factory.mktemp("released") / "line"), environment={}).paths
    champion = version_in(paths.state, 1)
    with open_control(None, file=paths.control_database) as control:
        now = datetime.now(UTC)
        policy = Traffic(control, "line").append(Allotment(arms=(champion,)), follows=0, by="a test", now=now)
    assert publish_at_once(policy, paths)
    return paths.root


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url
