"""What several processes do at once; a module of its own, since each of them imports it anew."""

from pathlib import Path
from typing import Any

from siklus.registry.versions import Registry
from siklus.tracking.mlflow import open_tracking
from tests.tracking.stores import project

TIMES = 3


def register_several(root: str, name: str, bundle: str, start: Any, numbers: Any) -> None:
    """Wait for the others at ``start``, then open the store and register the bundle ``TIMES`` times."""
    start.wait()
    tracking = open_tracking(None, paths=project(Path(root)))
    with tracking.run(experiment=name, name="train") as run:
        for _ in range(TIMES):
            version = Registry(tracking).register(
                Path(bundle), name=name, run_id=run.id, metrics={}, stage="production"
            )
            numbers.put(version.number)
