"""The fitted estimator: kept beside its run in MLflow, given back, and written in formats that hold it."""

import io
import pickle
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from siklus.errors import ExportError
from siklus.extras import need
from siklus.files import sha256
from siklus.registry.versions import Version
from siklus.tracking.mlflow import Run, Tracking
from siklus.train.graphs.names import library_name

ARTIFACT = "estimator/model.joblib"
SHA_TAG = "siklus.estimator_sha256"
# zlib's levels. Of 47 MB of forest, 1 leaves 15.7 MB in 0.6 s, and 6 leaves 14.2 MB in 2.2 s.
QUICK, SMALL = 1, 6


def keep_estimator(run: Run, model: Any) -> None:
    """Keep it as the run's artifact, and what it must be when it is read again as the run's tag."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(ARTIFACT).name
        joblib.dump(model, file, compress=QUICK)
        run.artifact(ARTIFACT, file)
        run.tags({SHA_TAG: sha256(file)})


def kept_estimator(tracking: Tracking, version: Version) -> Any:
    """The version's estimator. EX018 when none was kept; EX019 when the file is not what was kept: it is a
    pickle, and whoever could change it could run anything here, so then nothing of it is read."""
    where = f"{version.name} version {version.number}"
    wanted = None
    if version.run_id is not None:
        with tracking.calling():
            wanted = tracking.client.get_run(version.run_id).data.tags.get(SHA_TAG)
    if wanted is None:
        raise ExportError(
            "EX018",
            f"{where}: its estimator was not kept",
            expected="--format onnx, or a version trained here",
        )
    with tempfile.TemporaryDirectory() as folder:
        with tracking.calling():
            file = Path(tracking.client.download_artifacts(version.run_id, ARTIFACT, folder))
        if sha256(file) != wanted:
            raise ExportError(
                "EX019", f"{where}: {ARTIFACT} is not what was kept", expected=f"sha256 {wanted}"
            )
        return joblib.load(file)


def _joblib(model: Any) -> bytes:
    return _joblib_with(model, compress=0)


def _joblib_gz(model: Any) -> bytes:
    return _joblib_with(model, compress=("gzip", SMALL))


def _joblib_with(model: Any, *, compress: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=compress)
    return buffer.getvalue()


def _state_dict(model: Any) -> bytes:
    module = torch_module(model)
    return _saved(module.state_dict())


def _whole_module(model: Any) -> bytes:
    return _saved(torch_module(model))


def _saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    need("torch", extra="torch").save(content, buffer)
    return buffer.getvalue()


def torch_module(model: Any) -> Any:
    """The network of a PyTorch model, of PyTorch's own layers; EX018 for any other model.

    Our perceptron's takes prepared columns and gives logits, one a class, or values on the target's
    scale, shape (N, 1). What stands before it in a pipeline is not part of it.
    """
    last = model[-1] if library_name(model) == "sklearn.Pipeline" else model
    if library_name(last) in ("siklus.TorchClassifier", "siklus.TorchRegressor"):
        return _network(last)
    if hasattr(last, "state_dict") and hasattr(last, "modules"):
        return last
    raise ExportError(
        "EX018",
        f"{type(last).__name__} is no PyTorch model",
        expected="joblib, joblib-gz, pickle or onnx; torch is for PyTorch models",
    )


def _network(model: Any) -> Any:
    torch = need("torch", extra="torch")
    weights, offsets = list(model.coefs_), list(model.intercepts_)
    if hasattr(model, "target_scale_"):
        weights[-1] = weights[-1] * model.target_scale_
        offsets[-1] = offsets[-1] * model.target_scale_ + model.target_mean_
    # A batch norm that learns nothing is PyTorch's own way to say (x - mean) / scale.
    standardise = torch.nn.BatchNorm1d(len(model.mean_), eps=0.0, affine=False)
    standardise.running_mean.copy_(torch.from_numpy(np.asarray(model.mean_, dtype=np.float32)))
    standardise.running_var.copy_(torch.from_numpy(np.square(model.scale_).astype(np.float32)))
    layers = [standardise]
    for i, (weight, offset) in enumerate(zip(weights, offsets, strict=True)):
        layers += [torch.nn.ReLU()] if i else []
        linear = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T, dtype=np.float32)))
            linear.bias.copy_(torch.from_numpy(np.asarray(offset, dtype=np.float32)))
        layers.append(linear)
    return torch.nn.Sequential(*layers).eval()


# Format → what is written. ONNX is not among them: it is the bundle's own, certified file.
FORMATS: Mapping[str, Callable[[Any], bytes]] = {
    "joblib": _joblib,
    "joblib-gz": _joblib_gz,
    "pickle": pickle.dumps,
    "torch": _state_dict,
    "torch-model": _whole_module,
}
