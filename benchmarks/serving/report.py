"""Report: the same result for people, as tables, and for programs, as JSON."""

import os
import platform
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct
from rich.console import Group
from rich.table import Table

import siklus
from benchmarks.serving.contenders import SIKLUS
from benchmarks.serving.figures import Figure, Standing

LIBRARIES = ("scikit-learn", "onnxruntime", "uvicorn", "fastapi")


class Machine(Struct, frozen=True, kw_only=True):
    processor: str
    cores: int
    python: str
    libraries: dict[str, str]


class Report(Struct, frozen=True, kw_only=True):
    """``ratios``: ours ÷ the other's. ``figures``: medians. ``left_out``: what was not measured, and why."""

    ratios: dict[str, float]
    taken: datetime
    machine: Machine
    load: str
    rounds: int
    seconds: float
    figures: list[Figure]
    standings: list[Standing]
    left_out: list[str]


def this_machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        libraries={"siklus": siklus.__version__, **{name: version(name) for name in LIBRARIES}},
    )


def tables(report: Report) -> Group:
    """The ratios first: the absolute figures are those of one machine on one day."""
    heading = (
        f"{report.taken:%Y-%m-%d}, {report.machine.cores} × {report.machine.processor}, "
        f"Python {report.machine.python}; load by {report.load}; "
        f"medians of at most {report.rounds} rounds of {report.seconds:g} s"
    )
    return Group(
        heading, _ratios(report), _figures(report), *(f"Left out: {each}" for each in report.left_out)
    )


def _ratios(report: Report) -> Table:
    settings = list(dict.fromkeys(figure.setting for figure in report.figures))
    table = Table(title="Siklus ÷ the other (throughput: more is better; the rest: less is better)")
    for column in ("other", "setting", "throughput", "p50", "p99", "CPU"):
        table.add_column(column, justify="left" if column in {"other", "setting"} else "right")
    for other in _others(report.standings):
        key = other.replace("-", "_")
        for setting in settings:
            cells = [
                report.ratios.get(f"{measure}_{setting}_vs_{key}")
                for measure in ("throughput", "p50", "p99", "cpu")
            ]
            if any(cell is not None for cell in cells):
                table.add_row(other, setting, *map(_short, cells))
        memory, startup = (report.ratios[f"{what}_vs_{key}"] for what in ("memory", "startup"))
        table.add_row(other, f"memory {_short(memory)}, start-up {_short(startup)}", end_section=True)
    return table


def _figures(report: Report) -> Table:
    table = Table(title="As measured (only to be compared within a session)")
    for column in ("session", "server", "setting", "a second", "p50 ms", "p99 ms", "CPU µs"):
        table.add_column(column, justify="left" if column in {"session", "server", "setting"} else "right")
    for standing in report.standings:
        at = (standing.session, standing.contender)
        for figure in report.figures:
            if (figure.session, figure.contender) == at:
                numbers = (figure.per_second, figure.p50_ms, figure.p99_ms, figure.cpu_us)
                table.add_row(*at, figure.setting, *map(_short, numbers))
        standing_text = f"{standing.memory_mb:.0f} MB, {standing.startup_s:.2f} s"
        table.add_row(*at, standing_text, end_section=True)
    return table


def _others(standings: Sequence[Standing]) -> list[str]:
    return [standing.contender for standing in standings if standing.contender != SIKLUS]


def _short(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
