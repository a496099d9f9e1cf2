"""Small projects that have lived: a version in production, what it answered, and what came true of it."""

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siklus.automation.retraining.command import ENVIRONMENT, command_of
from siklus.automation.retraining.retrained import Retrained, read_retrained
from siklus.bundle.read import Bundle, open_bundle
from siklus.project.file import OpenProject, open_project
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import open_tracking
from tests.cli.projects import QUICK, answered, new_project
from tests.monitor.labelled import Traffic

COLUMNS = ("a", "b", "side")


def points(count: int, *, seed: int, slope: float = 2.0, level: float = 0.0) -> pd.DataFrame:
    """`y` is a line of `a` and `b` with noise of 0.5; ``slope`` and ``level`` are those of the time."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, count)).round(4)
    y = (slope * a - b + level + 0.5 * rng.normal(size=count)).round(4)
    side = np.where(np.arange(count) % 2, "l", "r")
    return pd.DataFrame({"a": a, "b": b, "side": side, "y": y})


def lived_in(folder: Path, *, more: str = "") -> Path:
    """A project whose first version is in production, made of 600 points of seed 0."""
    rows: Sequence[Any] = points(600, seed=0).to_dict("records")
    project = new_project(folder, rows, more=more)
    answered("train", "-C", project)
    return project


def opened(project: Path, **settings: str) -> OpenProject:
    """``settings``: variables of the environment, without SIKLUS_."""
    given = {f"SIKLUS_{name}": text for name, text in settings.items()}
    return open_project(project, environment={**QUICK, **given})


def versions(project: Path) -> tuple[Version, ...]:
    """Newest first."""
    found = opened(project)
    tracking = open_tracking(found.settings.state.tracking_uri, paths=found.paths)
    return Registry(tracking).versions(found.settings.project.name)


def bundle_of(project: Path, number: int) -> Bundle:
    [version] = [version for version in versions(project) if version.number == number]
    return open_bundle(opened(project).paths.bundles / str(version.digest), version=str(number))


def live(
    project: Path, champion: Bundle, frame: pd.DataFrame, *, at: datetime, client: str | None = None
) -> None:
    """The champion answers the rows at one moment, and an hour later their outcomes come."""
    live_in(opened(project), champion, frame, at=at, client=client)


def live_in(
    project: OpenProject, champion: Bundle, frame: pd.DataFrame, *, at: datetime, client: str | None = None
) -> None:
    traffic = Traffic(project.paths.records)
    told = traffic.answer(champion, frame[list(COLUMNS)], at=at)
    traffic.tell(told.ids, frame["y"], at=at + timedelta(hours=1), client=client)


def retraining(project: Path, number: int, trigger: str, **settings: str) -> subprocess.Popen[bytes]:
    """The process of a retraining."""
    given = {f"SIKLUS_{name}": text for name, text in settings.items()}
    environment = {**os.environ, **QUICK, **ENVIRONMENT, **given}
    command = list(command_of(project, number=number, trigger=trigger))
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def retrained(project: Path, number: int, trigger: str = "asked by anna", **settings: str) -> Retrained:
    """What came of a retraining that ran through."""
    process = retraining(project, number, trigger, **settings)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()
    return result_of(project, number)


def result_of(project: Path, number: int) -> Retrained:
    found = read_retrained(opened(project).paths, number)
    assert found is not None
    return found


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
