"""Runs, parameters, metrics and artifacts in MLflow, through its client: none of its global state is used."""

import json
import math
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from siklus.errors import SiklusError, TrackingError
from siklus.extras import need
from siklus.files import disk_errors
from siklus.project.paths import Paths
from siklus.tracking.boundary import calling, error_code, shown
from siklus.tracking.store import connect, from_root, sqlite_uri

Status: TypeAlias = Literal["FINISHED", "FAILED", "KILLED"]

PARENT_TAG = "mlflow.parentRunId"  # MLflow's own: its pages nest by it
MAX_VALUE_CHARACTERS = 6000  # of a parameter; MLflow cuts longer ones without a word
MAX_NAME_CHARACTERS = 250
MAX_ENTITIES = 100  # parameters, metrics and tags, in one call
MAX_DIGEST_CHARACTERS = 36  # of a dataset
UNNAMEABLE = re.compile(r"[^\w\-. :/]", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One finished trial of a search. ``seconds`` is how long it took."""

    name: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float | None]
    status: Status = "FINISHED"
    seconds: float = 0.0
    tags: Mapping[str, str] = field(default_factory=dict)


class Tracking:
    """MLflow's store at ``uri``. ``client`` is an MlflowClient, to be called within `calling` only."""

    def __init__(self, uri: str, client: Any, *, artifacts: Path | None) -> None:
        self.uri = uri
        self.client = client
        self._artifacts = artifacts

    def __repr__(self) -> str:
        return f"Tracking({shown(self.uri)!r})"

    def calling(self) -> AbstractContextManager[None]:
        """MLflow's errors in this block come as TrackingError."""
        return calling(self.uri)

    @contextmanager
    def run(
        self, *, experiment: str, name: str, tags: Mapping[str, str] | None = None, parent: str | None = None
    ) -> Iterator["Run"]:
        """A run of the experiment (made when it is new); it ends FINISHED, FAILED or KILLED (Ctrl-C).

        ``parent``: the run that it is a part of; one that another store has is none.
        """
        place = self._experiment(experiment)
        nested = {PARENT_TAG: parent} if parent is not None and self._knows(parent) else {}
        with self.calling():
            run = Run(
                self, self.client.create_run(place, run_name=name, tags={**(tags or {}), **nested}).info
            )
        try:
            yield run
        except BaseException as exc:
            self._close_after(exc, run.id)
            raise
        self._close(run.id, "FINISHED")

    def _experiment(self, name: str) -> str:
        with self.calling():
            found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        try:
            with self.calling():
                location = None if self._artifacts is None else str(self._artifacts)
                return str(self.client.create_experiment(name, artifact_location=location))
        except TrackingError as exc:
            if error_code(exc) != "RESOURCE_ALREADY_EXISTS":
                raise
        return self._experiment(name)  # another process has made it just now

    def _knows(self, run_id: str) -> bool:
        try:
            with self.calling():
                self.client.get_run(run_id)
        except TrackingError as exc:
            if error_code(exc) not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return False
        return True

    def _close(self, run_id: str, status: Status) -> None:
        with self.calling():
            self.client.set_terminated(run_id, status)

    def _close_after(self, exc: BaseException, run_id: str) -> None:
        """An error on the way out is noted on the one that ended the run, which it must not hide."""
        try:
            self._close(run_id, "FAILED" if isinstance(exc, Exception) else "KILLED")
        except SiklusError as second:
            exc.add_note(f"The run {run_id} could not be closed: {second}")


class Run:
    """A run that is being written. ``id`` is MLflow's; its artifacts lie under ``artifact_uri``."""

    def __init__(self, tracking: Tracking, info: Any) -> None:
        self.id: str = info.run_id
        self.artifact_uri: str = info.artifact_uri
        self._experiment: str = info.experiment_id
        self._tracking = tracking

    def parameters(self, values: Mapping[str, object]) -> None:
        """What the run was set to, as text or JSON. A value longer than MLflow takes ends in a note."""
        _log(self._tracking, self.id, params=_parameters(values))

    def metrics(self, values: Mapping[str, float | None], *, step: int = 0) -> None:
        """Numbers that came out; None, NaN and infinities are left out, since MLflow would alter them."""
        _log(self._tracking, self.id, metrics=_metrics(values, moment=_now(), step=step))

    def tags(self, values: Mapping[str, str]) -> None:
        tag = need("mlflow.entities").RunTag
        _log(self._tracking, self.id, tags=[tag(mlflow_name(key), value) for key, value in values.items()])

    def artifact(self, name: str, content: bytes | str | Path) -> None:
        """Keep a file (given as its bytes, its text or a path) or a whole directory under ``name``."""
        client = self._tracking.client
        if isinstance(content, Path) and content.is_dir():
            with self._tracking.calling():
                client.log_artifacts(self.id, str(content), name)
            return
        folder, _, file_name = name.rpartition("/")
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / file_name
            with disk_errors(file):
                _write(file, content)
            with self._tracking.calling():
                client.log_artifact(self.id, str(file), folder or None)

    def dataset(self, name: str, *, digest: str, source: str, rows: int, context: str = "training") -> None:
        """The data that went in; MLflow lists it as the run's dataset. ``context``: training, evaluation …"""
        with self._tracking.calling():
            entities = need("mlflow.entities")
            dataset = entities.Dataset(
                name=name,
                digest=digest[:MAX_DIGEST_CHARACTERS],
                source_type="siklus",
                source=json.dumps({"uri": source, "digest": digest}),
                profile=json.dumps({"num_rows": rows}),
            )
            used = entities.DatasetInput(dataset, tags=[entities.InputTag("mlflow.data.context", context)])
            self._tracking.client.log_inputs(self.id, datasets=[used])

    def log_batch(self, trials: Iterable[Trial]) -> None:
        """Finished trials as child runs, three quick calls each."""
        for trial in trials:
            moment = _now()
            began = moment - round(trial.seconds * 1000)
            tags = {**trial.tags, PARENT_TAG: self.id}
            metrics = _metrics(trial.metrics, moment=moment, step=0)
            with self._tracking.calling():
                client = self._tracking.client
                child = client.create_run(self._experiment, began, tags, run_name=trial.name).info.run_id
                _log(self._tracking, child, params=_parameters(trial.parameters), metrics=metrics)
                client.set_terminated(child, trial.status, moment)


def open_tracking(uri: str | None, *, paths: Paths) -> Tracking:
    """MLflow at ``uri``; without one, SQLite in the project's state. TrackingError TK001 to TK004.

    A database keeps no artifacts, so they go to the project's state; a server keeps its own. A relative
    SQLite path starts from the project's root.
    """
    uri = sqlite_uri(paths.tracking_database.absolute()) if uri is None else from_root(uri, paths.root)
    artifacts = None if uri.startswith("http") else paths.artifacts.absolute()
    return Tracking(uri, connect(uri), artifacts=artifacts)


def _log(
    tracking: Tracking,
    run_id: str,
    *,
    params: Sequence[Any] = (),
    metrics: Sequence[Any] = (),
    tags: Sequence[Any] = (),
) -> None:
    with tracking.calling():
        longest = max(len(params), len(metrics), len(tags))
        for start in range(0, longest, MAX_ENTITIES):
            part = slice(start, start + MAX_ENTITIES)
            tracking.client.log_batch(run_id, metrics=metrics[part], params=params[part], tags=tags[part])


def _parameters(values: Mapping[str, object]) -> list[Any]:
    param = need("mlflow.entities").Param
    return [param(mlflow_name(key), _text(value)) for key, value in values.items()]


def _metrics(values: Mapping[str, float | None], *, moment: int, step: int) -> list[Any]:
    metric = need("mlflow.entities").Metric
    return [
        metric(mlflow_name(key), float(value), moment, step)
        for key, value in values.items()
        if value is not None and math.isfinite(value)
    ]


def mlflow_name(name: str) -> str:
    """MLflow takes letters, digits and a few signs; a slice's metric may hold any word of the data."""
    return UNNAMEABLE.sub("_", name)[:MAX_NAME_CHARACTERS]


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    if len(text) <= MAX_VALUE_CHARACTERS:
        return text
    note = f" … ({len(text)} characters)"
    return text[: MAX_VALUE_CHARACTERS - len(note)] + note


def _write(file: Path, content: bytes | str | Path) -> None:
    if isinstance(content, Path):
        shutil.copyfile(content, file)
    else:
        file.write_bytes(content.encode() if isinstance(content, str) else content)


def _now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return round(time.time() * 1000)
