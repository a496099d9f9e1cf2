"""What the command line's tests share: one MLflow database, and one trained project of two versions."""

import shutil
from pathlib import Path

import pytest

from tests.cli.projects import answered, append_csv, new_project, straight_rows

ROWS, LATER_ROWS = 240, 60


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tracking URI. Making the database takes seconds, so tests share one, under names of their own."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory, store: str) -> Path:
    """A project with version 1 in production, and version 2 (of more rows) in staging. To be read only."""
    folder = tmp_path_factory.mktemp("registered") / "line"
    rows = straight_rows(ROWS + LATER_ROWS)
    new_project(folder, rows[:ROWS], "--key", "id", store=store)
    answered("train", "-C", folder)
    append_csv(folder / "rows.csv", rows[ROWS:])
    answered("train", "-C", folder)
    return folder


@pytest.fixture
def own(registered: Path, store: str, tmp_path: Path) -> Path:
    """The same, of which nothing is served yet, with a registry of its own: what is promoted here is promoted
    for nobody else."""
    ignored = shutil.ignore_patterns("control.db*", "run")
    made = Path(shutil.copytree(registered, tmp_path / "line", ignore=ignored))
    shutil.copy2(store.removeprefix("sqlite:///"), made / "mlflow.db")
    file = made / "siklus.toml"
    file.write_text(file.read_text().replace(store, f"sqlite:///{made}/mlflow.db"))
    return made
