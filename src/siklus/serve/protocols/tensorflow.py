"""TensorFlow Serving's REST protocol, which KServe calls version 1: `/v1/models/{name}:predict`."""

from typing import Any, Literal

import msgspec

from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract
from siklus.errors import RequestError
from siklus.serve.protocols.documents import Document, document_of, rows_in, rows_of_columns, the_one_of
from siklus.serve.scoring import Scored

ENDPOINT = "/v1/models/{name}:predict"
SIGNATURE = "serving_default"  # the only one that a model here has


class V1Answer(msgspec.Struct, frozen=True, kw_only=True):
    """``outputs``: the predictions once more, where TensorFlow's clients look when they asked by columns."""

    predictions: list[Any]
    probabilities: list[float] | None
    prediction_ids: list[str]
    version: str
    outputs: list[Any] | msgspec.UnsetType = msgspec.UNSET


class VersionStatus(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    state: Literal["AVAILABLE"] = "AVAILABLE"
    status: dict[str, str] = msgspec.field(default_factory=lambda: {"error_code": "OK", "error_message": ""})


class V1Model(msgspec.Struct, frozen=True, kw_only=True):
    """KServe's clients read the first two, TensorFlow Serving's the third."""

    name: str
    ready: bool
    model_version_status: list[VersionStatus]


class Question:
    """One `:predict`: read when the contract is known, and answered in the form of its reading."""

    def __init__(self, body: bytes, *, max_rows: int) -> None:
        self._body = body
        self._max_rows = max_rows
        self._by_columns = False

    def read(self, contract: Contract) -> list[object]:
        """The rows of `instances` (by row) or `inputs` (by column).

        RequestError RQ001 to RQ007, RQ031 and RQ033.
        """
        document = document_of(self._body)
        form = the_one_of(("instances", "inputs"), document, beside=("signature_name",))
        _refuse_other_signature(document)
        self._by_columns = form == "inputs"
        found = document[form]
        if self._by_columns and isinstance(found, dict):
            return rows_of_columns(found, contract, where=form, max_rows=self._max_rows)
        return rows_in(found, where=form, max_rows=self._max_rows)

    def answer(self, scored: Scored) -> bytes:
        return msgspec.json.encode(
            V1Answer(
                predictions=scored.labels,
                probabilities=scored.probabilities,
                prediction_ids=scored.ids,
                version=scored.bundle.version,
                outputs=scored.labels if self._by_columns else msgspec.UNSET,
            )
        )


def model_status(bundles: list[Bundle]) -> V1Model:
    """``bundles``: what answers now, the champion first."""
    return V1Model(
        name=bundles[0].manifest.name,
        ready=True,
        model_version_status=[VersionStatus(version=bundle.version) for bundle in bundles],
    )


def _refuse_other_signature(document: Document) -> None:
    signature = document.get("signature_name", SIGNATURE)
    if signature not in (SIGNATURE, ""):
        raise RequestError("RQ003", "another signature_name", expected=f"{SIGNATURE!r}, or none")
