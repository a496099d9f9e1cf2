"""What several processes do at once; a module of its own, since each of them imports it anew."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from siklus.errors import RegistryError
from siklus.registry.control import open_control
from siklus.registry.published import write_policy
from siklus.registry.traffic import Traffic
from siklus.registry.versions import Registry
from siklus.tracking.mlflow import open_tracking
from tests.registry.policies import allotment, policy_of
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


def decide(url: str | None, file: str, model: str, start: Any, outcomes: Any) -> None:
    """Wait for the others at ``start``, then decide ``TIMES`` times, each upon what is there."""
    start.wait()
    with open_control(url, file=Path(file)) as control:
        traffic = Traffic(control, model)
        for _ in range(TIMES):
            seen = traffic.revision()
            try:
                policy = traffic.append(
                    allotment(), follows=seen, by=f"process {os.getpid()}", now=datetime.now(UTC)
                )
            except RegistryError as error:
                outcomes.put((error.code, seen))
            else:
                outcomes.put(("decided", policy.revision))


def publish_in_any_order(file: str, revisions: list[int], start: Any, written: Any) -> None:
    """Wait for the others at ``start``, then publish these revisions."""
    start.wait()
    for revision in revisions:
        written.put((revision, write_policy(policy_of(revision), Path(file))))
