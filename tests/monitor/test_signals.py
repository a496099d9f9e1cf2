"""The catalogue of signals."""

import re

from siklus.monitor.signals import SIGNALS


def test_a_signal_s_name_is_a_name_that_rules_pages_and_prometheus_share() -> None:
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in SIGNALS)
