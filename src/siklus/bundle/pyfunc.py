"""MLflow's door to a bundle: `mlflow.pyfunc.load_model` calls `_load_pyfunc`, named so by MLflow."""

from pathlib import Path
from typing import Any

from siklus.bundle.read import Bundle, open_bundle
from siklus.contract.decode import decode_records, decode_table
from siklus.data.frames import table_of


class PyfuncModel:
    """Predicts from a pandas frame with the contract's raw columns (also a list of JSON rows)."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Classes or numbers, one a row; with ``params={"probabilities": True}`` those of all classes."""
        contract = self._bundle.contract
        if isinstance(data, list):
            rows = decode_records(data, contract).accepted()
        else:
            rows = decode_table(table_of(data), contract).accepted()
        predictions = self._bundle.predict(rows)
        if params and params.get("probabilities"):
            return predictions.raw
        return self._bundle.labels(predictions)


def _load_pyfunc(path: str) -> PyfuncModel:
    return PyfuncModel(open_bundle(Path(path)))
