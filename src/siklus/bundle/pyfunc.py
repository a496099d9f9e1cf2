"""MLflow's door to a bundle: `mlflow.pyfunc.load_model` calls `_load_pyfunc`, named so by MLflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siklus.bundle.read import Bundle, open_bundle
from siklus.contract.decode import decode_records, decode_table
from siklus.data.frames import table_of


class PyfuncModel:
    """Predicts from a pandas frame with the contract's raw columns (also from a list of JSON rows)."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> NDArray[Any]:
        """Classes or numbers, shape (rows,); with ``params={"probabilities": True}`` those of all classes,
        shape (rows, classes). RowsRefused when a row does not keep the contract."""
        contract = self._bundle.contract
        if isinstance(data, list):
            rows = decode_records(data, contract).accepted()
        else:
            rows = decode_table(table_of(data), contract).accepted()
        predictions = self._bundle.predict(rows)
        classes = contract.target.classes
        if classes is None:
            return predictions.values.astype(np.float64)
        if params and params.get("probabilities"):
            return predictions.raw
        words = np.array(classes, dtype=None if len({type(word) for word in classes}) == 1 else object)
        return words[predictions.class_indices]


def _load_pyfunc(path: str) -> PyfuncModel:
    return PyfuncModel(open_bundle(Path(path)))
