"""What holds for all tests: steady property tests, and PyTorch's tests only where PyTorch is."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

from tests.figures import MARK, Figure, told

WITHOUT_TORCH = "PyTorch is not installed; `make nightly` installs it and runs this"

# The same examples in every run, without a clock: what `make test` says must not depend on luck or load.
settings.register_profile("steady", derandomize=True, deadline=None, max_examples=60)
# New examples every night.
settings.register_profile(
    "nightly", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    return lambda what, value: record_property(f"{MARK}{what}", value)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_spec("torch") is None:
        for item in items:
            if item.get_closest_marker("torch"):
                item.add_marker(pytest.mark.skip(reason=WITHOUT_TORCH))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(WITHOUT_TORCH in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(f"PyTorch is not installed: `make nightly` runs {count} more tests.")
    figures = told(terminalreporter)
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)
