"""MLflow's store for the tests: SQLite in a temporary project, or whatever a maintainer points at.

`SIKLUS_TEST_TRACKING_URI=http://127.0.0.1:5000 pytest tests/tracking tests/registry` runs the same tests
against a real MLflow server. Names are new in each test, so that a store may be used again.
"""

import os
import uuid
from pathlib import Path

from siklus.project.paths import Paths
from siklus.tracking.mlflow import Tracking, open_tracking

URI_VARIABLE = "SIKLUS_TEST_TRACKING_URI"


def project(root: Path) -> Paths:
    return Paths(root=root, state=root / ".siklus", contract=root / "contract.json")


def store(root: Path) -> Tracking:
    return open_tracking(os.environ.get(URI_VARIABLE), paths=project(root))


def new_name() -> str:
    return f"flights-{uuid.uuid4().hex[:12]}"
