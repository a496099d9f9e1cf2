"""A packaged model as a version of a project: its run in MLflow, its bundle, its estimator."""

from pathlib import Path
from typing import Any

import msgspec

from siklus.bundle.read import Bundle
from siklus.bundle.write import digest_of
from siklus.registry.stages import Stage
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import Run, Tracking
from siklus.tracking.provenance import source_state
from siklus.train.estimator_files import keep_estimator
from siklus.train.package import Errand


def register_package(bundle: Bundle, model: Any, errand: Errand, *, name: str, tracking: Tracking) -> Version:
    """The next version of ``name``: in production when there is none yet, otherwise staged."""
    registry = Registry(tracking)
    stage: Stage = "staging" if registry.holder(name, "production") else "production"
    state = source_state(errand.root)
    tags = {**(state.tags if state else {}), "siklus.trigger": errand.trigger}
    title = f"package {errand.name} {errand.now:%Y-%m-%d %H:%M}"
    metrics = {
        metric: found["value"]
        for metric, found in bundle.document("evaluation.json")["evaluation"]["metrics"].items()
        if found["value"] is not None
    }
    with tracking.run(experiment=name, name=title, tags=tags) as run:
        _note(run, bundle)
        run.metrics(metrics)
        if not isinstance(model, Path):  # an ONNX file is in the bundle already
            keep_estimator(run, model)
        return registry.register(bundle.path, name=name, run_id=run.id, metrics=metrics, stage=stage)


def _note(run: Run, bundle: Bundle) -> None:
    made_from = bundle.provenance()
    run.tags({"siklus.bundle": digest_of(bundle.path)})
    run.parameters({"model": made_from.model_kind, "rows": made_from.data_rows, "source": made_from.source})
    run.artifact("environment.json", msgspec.json.encode(made_from.environment))
