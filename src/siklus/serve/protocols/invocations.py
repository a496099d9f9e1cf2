"""MLflow's scoring protocol, which SageMaker's is a part of: `/invocations`.

Forms and answer are those of MLflow's own server since its version 2 (mlflow.pyfunc.scoring_server).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from siklus.contract.columns import Contract
from siklus.errors import RequestError
from siklus.serve.bodies import is_read_as_json
from siklus.serve.protocols.documents import (
    Document,
    document_of,
    named_rows,
    rows_in,
    rows_of_columns,
    the_one_of,
)
from siklus.serve.protocols.tables import Limits, read_table, refuse_parameters
from siklus.serve.scoring import Given, Scored

ENDPOINT = "/invocations"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Invocation:
    """One call: read when the contract is known, and answered as its `params` ask."""

    def __init__(self, body: bytes, *, content_type: str, limits: Limits) -> None:
        self._body = body
        self._content_type = content_type
        self._limits = limits
        self._wants_probabilities = False

    def read(self, contract: Contract) -> Given:
        """The rows of any form. RequestError RQ001 to RQ007, RQ009, RQ031 and RQ033, or those of a table."""
        refuse_parameters(self._content_type)
        if not is_read_as_json(self._content_type):
            return read_table(self._body, self._content_type, contract, self._limits)
        document = document_of(self._body)
        form = the_one_of(FORMS, document, beside=("params",))
        self._wants_probabilities = _wants_probabilities(document)
        found, most = document[form], self._limits.rows
        if form == "dataframe_split":
            return _split(found, contract, max_rows=most)
        if form == "inputs" and isinstance(found, dict):
            return rows_of_columns(found, contract, where=form, max_rows=most)
        return rows_in(found, where=form, max_rows=most)

    def answer(self, scored: Scored) -> bytes:
        """`{"predictions": …}` and nothing else; with params those of all classes, a list a row."""
        everything = scored.predictions.raw.tolist() if self._wants_probabilities else scored.labels
        return msgspec.json.encode({"predictions": everything})


def _split(value: object, contract: Contract, *, max_rows: int) -> list[object]:
    """pandas' form "split": the names once, the rows as lists; without names in the contract's order."""
    if not isinstance(value, Mapping) or not {"data"} <= set(value) <= {"data", "columns", "index"}:
        expected = '{"columns": […], "data": [[…], …]}, and an index at most'
        raise RequestError("RQ031", "dataframe_split is of another form", expected=expected)
    rows = rows_in(value["data"], where="dataframe_split.data", max_rows=max_rows)
    names = value.get("columns")
    if names is None:
        return rows
    return named_rows(_names(names), _whole(rows, len(names)), contract)


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise RequestError(
            "RQ033", "dataframe_split.columns is no list of names", expected="a list of strings"
        )
    if len(set(value)) < len(value):
        raise RequestError("RQ033", "a column stands twice", expected="each column with its own name")
    return value


def _whole(rows: list[Any], width: int) -> list[list[object]]:
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            raise RequestError(
                "RQ033", f"dataframe_split.data: row {i} has not one cell a column", expected=f"{width} cells"
            )
    return rows


def _wants_probabilities(document: Document) -> bool:
    match document.get("params"):
        case None:
            return False
        case {"probabilities": bool(wanted), **more} if not more:
            return wanted
        case dict(empty) if not empty:
            return False
    raise RequestError("RQ003", "unknown params", expected='{"probabilities": true}, or none')
