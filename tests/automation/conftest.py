"""The databases that the loop decides in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from siklus.registry.control import Control, open_control
from tests.registry.conftest import control_url, postgres

__all__ = ["control", "control_url", "postgres"]


@pytest.fixture
def control(control_url: str | None, tmp_path: Path) -> Iterator[Control]:
    """A test that asks for it runs on each kind of database."""
    with open_control(control_url, file=tmp_path / "control.db") as control:
        yield control
