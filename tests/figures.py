"""Figures: what a test measured, told at the end of the run. docs/reliability.md keeps those that matter."""

from typing import Protocol

import pytest

MARK = "figure: "


class Figure(Protocol):
    """State that ``what`` came out as ``value``, unit included."""

    def __call__(self, what: str, value: object) -> None: ...


def told(terminalreporter: pytest.TerminalReporter) -> list[str]:
    """A line a figure, from the reports of all workers."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    return [
        f"{name.removeprefix(MARK)}: {value}"
        for report in reports
        for name, value in report.user_properties
        if name.startswith(MARK)
    ]
