"""The two databases that looks, alerts and the journal are kept in; tests run over both."""

from tests.registry.conftest import control_url, postgres

__all__ = ["control_url", "postgres"]
