"""A model's file, opened by what it is. Only pickles run code, and only when that was asked for."""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib

from siklus.errors import ExportError
from siklus.extras import need


def open_model(path: Path, *, trust_pickle: bool) -> Any:
    """The model in the file, as `siklus.package` takes it; an ONNX file stays a path.

    ExportError EX016 for a pickle that is not trusted: nothing of it is read then. EX017 for a file that
    holds no model.
    """
    if not path.is_file():
        raise ExportError("EX017", f"{path}: no such file", expected="the path of a model's file")
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        if suffix in TORCH:
            _refuse_bare_weights(path)
        if not trust_pickle:
            raise ExportError(
                "EX016",
                f"{path} is a pickle: reading it runs whatever its maker has put into it",
                expected="--trust-pickle if you made it or trust who did; it then runs here, once, and what "
                "is sealed from it is data",
            )
    reader = READERS.get(suffix)
    if reader is None:
        known = ", ".join(READERS)
        raise ExportError(
            "EX017", f"{path}: a model's file is not known by {suffix!r}", expected=f"one of {known}"
        )
    try:
        return reader(path)
    except ExportError:
        raise
    except Exception as exc:  # each library raises its own, and a pickle whatever it likes
        why = next(iter(str(exc).strip().splitlines()), "")[:200]
        what = f"{path}: {type(exc).__name__}: {why}"
        raise ExportError(
            "EX017", what, expected="a whole file, and the packages that it was made with"
        ) from exc


def _xgboost(path: Path) -> Any:
    """A booster, or the estimator that has written it, which knows of its best iteration."""
    xgboost = need("xgboost", extra="xgboost")
    booster = xgboost.Booster(model_file=path)
    written_by = json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type")
    kinds = {"classifier": xgboost.XGBClassifier, "regressor": xgboost.XGBRegressor}
    if written_by not in kinds:
        return booster
    model = kinds[written_by]()
    model.load_model(path)
    return model


def _lightgbm(path: Path) -> Any:
    return need("lightgbm", extra="lightgbm").Booster(model_file=path)


def _torch(path: Path) -> Any:
    torch = need("torch", extra="torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated: that is for its maker to hear
        return torch.load(path, map_location="cpu", weights_only=False)


def _refuse_bare_weights(path: Path) -> None:
    torch = need("torch", extra="torch")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - it is more than weights, or no file of PyTorch's: its reader will say
        return
    raise ExportError(
        "EX017",
        f"{path} holds {'weights' if isinstance(found, dict) else type(found).__name__} and no network",
        expected="the whole module, by torch.save(module, path), or an ONNX file",
    )


TORCH: Mapping[str, Callable[[Path], Any]] = {".pt": _torch, ".pth": _torch}
PICKLES: Mapping[str, Callable[[Path], Any]] = {
    **dict.fromkeys((".joblib", ".pkl", ".pickle", ".gz"), joblib.load),
    **TORCH,
}
READERS: Mapping[str, Callable[[Path], Any]] = {
    ".onnx": lambda path: path,
    ".json": _xgboost,
    ".ubj": _xgboost,
    ".txt": _lightgbm,
    **PICKLES,
}
