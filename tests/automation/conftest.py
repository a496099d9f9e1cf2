"""The databases that the loop decides in."""

from tests.registry.conftest import control_url, postgres

__all__ = ["control_url", "postgres"]
