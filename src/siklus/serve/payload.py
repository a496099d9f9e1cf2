"""Payload: JSON bodies to instances, answered rows to JSON. Another format is another pair of functions."""

import difflib
import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from siklus.contract.columns import Contract
from siklus.contract.decode import decode_records
from siklus.errors import RequestError, SiklusError
from siklus.serve.answers import BatchAnswer, PredictAnswer
from siklus.serve.scoring import Scored

INTEGER_DIGITS = 400  # more digits than any float64 has, and Python refuses to convert thousands of them


def read_features(body: bytes, contract: Contract) -> object:
    """The one instance of `{"features": [..] or {..}}`.

    RequestError RQ001 to RQ004 when the body is no such object; RowsRefused when it is none because the
    row holds a NaN or an infinity, which some encoders write although JSON has neither.
    """
    try:
        return _member(msgspec.json.decode(body), "features")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise _explained(body, "features", contract, exc) from exc


def read_instances(body: bytes, contract: Contract, *, max_rows: int) -> list[object]:
    """The instances of `{"instances": [[..] or {..}, …]}`, at least one.

    RequestError RQ001 to RQ007, or RowsRefused, as for `read_features`.
    """
    try:
        instances = _listed(_member(msgspec.json.decode(body), "instances"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise _explained(body, "instances", contract, exc) from exc
    if len(instances) > max_rows:
        raise RequestError(
            "RQ007", f"{len(instances)} instances", expected=f"at most {max_rows} in one request"
        )
    return instances


def predict_body(scored: Scored, *, seconds: float, every_class: bool) -> bytes:
    """The answer to one instance; ``every_class`` adds the probabilities of all classes."""
    everything = scored.class_probabilities() if every_class else None
    more = (None if everything is None else everything[0]) if every_class else msgspec.UNSET
    return answer_body(scored, 0, seconds=seconds, class_probabilities=more)


def answer_body(
    scored: Scored,
    i: int,
    *,
    seconds: float,
    class_probabilities: dict[str, float] | msgspec.UnsetType | None = msgspec.UNSET,
) -> bytes:
    """The answer to the request whose row is the ``i``-th."""
    probabilities = scored.probabilities
    return msgspec.json.encode(
        PredictAnswer(
            prediction=scored.labels[i],
            probability=None if probabilities is None else probabilities[i],
            latency_ms=_milliseconds(seconds),
            prediction_id=scored.ids[i],
            version=scored.bundle.version,
            class_probabilities=class_probabilities,
        )
    )


def batch_body(scored: Scored, *, seconds: float, every_class: bool) -> bytes:
    """The answer to a batch; ``every_class`` adds the probabilities of all classes."""
    return msgspec.json.encode(
        BatchAnswer(
            predictions=scored.labels,
            probabilities=scored.probabilities,
            latency_ms=_milliseconds(seconds),
            count=len(scored),
            prediction_ids=scored.ids,
            version=scored.bundle.version,
            class_probabilities=scored.class_probabilities() if every_class else msgspec.UNSET,
        )
    )


def _member(document: object, key: str) -> object:
    if not isinstance(document, dict):
        raise RequestError("RQ002", f"the body is {_kind(document)}", expected=f'an object: {{"{key}": …}}')
    for name in document:
        if name != key:
            near = difflib.get_close_matches(name[:60], [key], n=1)
            raise RequestError(
                "RQ003", f"unknown key {name[:60]!r}", expected=f"{key!r}" + ("?" if near else " alone")
            )
    if key not in document:
        raise RequestError("RQ004", f"no key {key!r}", expected=f'{{"{key}": …}}')
    return document[key]


def _listed(instances: object) -> list[object]:
    if not isinstance(instances, list):
        raise RequestError("RQ005", f"instances is {_kind(instances)}", expected="a list of rows")
    if not instances:
        raise RequestError("RQ006", "no instances", expected="at least one row")
    return instances


def _explained(body: bytes, key: str, contract: Contract, exc: Exception) -> SiklusError:
    """What to say of a body that is no JSON: row and column, where a second, patient look finds them."""
    malformed = RequestError("RQ001", f"the body is no JSON: {_reason(exc)}", expected="JSON in UTF-8")
    try:
        found = _member(_patient(body), key)
        decode_records([found] if key == "features" else _listed(found), contract).accepted()
    except SiklusError as error:
        return error
    except (ValueError, RecursionError):  # no JSON by any reading (bad UTF-8 is a ValueError too)
        return malformed
    return malformed


def _patient(body: bytes) -> object:
    """Python's own reading: NaN, Infinity and 1e999 are numbers, which the contract refuses by place."""
    return json.loads(body.decode("utf-8"), parse_int=_any_integer)


def _any_integer(digits: str) -> float:
    return (
        int(digits)
        if len(digits) <= INTEGER_DIGITS
        else math.copysign(math.inf, -1 if digits[0] == "-" else 1)
    )


def _reason(exc: Exception) -> str:
    if isinstance(exc, RecursionError):
        return "nested too deeply"
    if isinstance(exc, UnicodeDecodeError):
        return f"not UTF-8 at byte {exc.start} of a string"
    return str(exc).removeprefix("JSON is malformed: ")


_KINDS: Mapping[type, str] = {list: "a list", dict: "an object", str: "a string", bool: "true or false"}


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), "a number")


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
