"""Routes: which call answers what, and how /openapi.json describes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Depends
from starlette.responses import Response

from siklus.serve.endpoints import Endpoints
from siklus.serve.protocols.calls import ProtocolCalls
from siklus.serve.refusals import TEXT_PATHS


def answer(component: str, description: str) -> dict[str, Any]:
    """A JSON response of the OpenAPI document, by the name of its component."""
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{component}"}}},
    }


def text(kind: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": {"type": "string"}}}}


SAID: dict[str, Any] = {"description": "It is", "content": {"application/json": {}}}
NOT_LOADED = {503: answer("ErrorAnswer", "No model yet, or none that could be loaded")}
WRONG = {
    400: "The body or the query is no such request",
    413: "The body or the batch is too large",
    415: "The body is in a form that is not read here",
    422: "Rows that do not keep the contract, each with row, column and code; nothing was scored",
    500: "The server failed at this request",
    503: "No model yet, or none that could be loaded",
}
GUARDED = {
    401: "Where keys are asked for: no valid one in `Authorization: Bearer KEY`",
    429: "This key asks too often; `Retry-After` says when to ask again",
}
REFUSED = {status: answer("ErrorAnswer", told) for status, told in WRONG.items()}
IN_TEXT = {status: answer("TextErrorAnswer", told) for status, told in WRONG.items()}
NO_MODEL = {404: answer("TextErrorAnswer", "No such model or version answers here"), 503: IN_TEXT[503]}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One method on one path. The handler's docstring is its description.

    ``open_to_all``: needs no API key, because it says no more than that the server lives.
    """

    method: Literal["GET", "POST"] = "GET"
    path: str
    handler: Callable[..., Any]
    summary: str
    responses: Mapping[int, Mapping[str, Any]]
    open_to_all: bool = False


def calls(endpoints: Endpoints) -> list[Call]:
    """Every call that the server answers: there is no other list of them."""
    own = [*_scoring(endpoints), _feedback(endpoints), *_state(endpoints), *_description(endpoints)]
    return [*own, *_open_inference(endpoints.protocols), *_further_protocols(endpoints.protocols)]


def router_of(endpoints: Endpoints) -> APIRouter:
    router = APIRouter(redirect_slashes=False)
    guarded = Depends(endpoints.admit)
    for call in calls(endpoints):
        router.add_api_route(
            call.path,
            call.handler,
            methods=[call.method],
            summary=call.summary,
            operation_id=call.handler.__name__,
            responses=_responses(call),
            dependencies=[] if call.open_to_all else [guarded],
            response_class=Response,
            response_model=None,
            status_code=min(call.responses),
        )
    return router


def _responses(call: Call) -> dict[int | str, dict[str, Any]]:
    """Those of the call, and what the guard says before it."""
    found: dict[int | str, dict[str, Any]] = {
        status: dict(response) for status, response in call.responses.items()
    }
    if not call.open_to_all:
        component = "TextErrorAnswer" if call.path.startswith(TEXT_PATHS) else "ErrorAnswer"
        found |= {status: answer(component, told) for status, told in GUARDED.items()}
    return found


def _scoring(endpoints: Endpoints) -> list[Call]:
    return [
        Call(
            method="POST",
            path="/predict",
            handler=endpoints.predict,
            summary="Score one row",
            responses={200: answer("PredictAnswer", "The prediction"), **REFUSED},
        ),
        Call(
            method="POST",
            path="/predict/batch",
            handler=endpoints.predict_batch,
            summary="Score many rows",
            responses={200: answer("BatchAnswer", "One prediction a row, in the rows' order"), **REFUSED},
        ),
    ]


def _feedback(endpoints: Endpoints) -> Call:
    if not endpoints.takes_feedback:
        return Call(
            method="POST",
            path="/feedback",
            handler=endpoints.feedback,
            summary="Who is told what came true",
            responses={307: answer("FeedbackElsewhere", "To the server that keeps outcomes: see `Location`")},
        )
    refused = {status: REFUSED[status] for status in (400, 413, 415, 500)}
    return Call(
        method="POST",
        path="/feedback",
        handler=endpoints.feedback,
        summary="Tell what came true",
        responses={
            200: answer("FeedbackAnswer", "All outcomes are stored"),
            **refused,
            404: answer("ErrorAnswer", "An id that was not issued here; nothing was stored"),
            409: answer("ErrorAnswer", "Another outcome is known already; nothing was stored"),
            422: answer("ErrorAnswer", "Outcomes that cannot be, each with its place; nothing was stored"),
            503: answer("ErrorAnswer", "No outcomes are kept here, or they cannot be stored now"),
        },
    )


def _state(endpoints: Endpoints) -> list[Call]:
    return [
        Call(
            path="/health",
            handler=endpoints.health,
            open_to_all=True,
            summary="What answers here",
            responses={
                200: answer("Health", "A model is loaded"),
                503: answer("Health", "No model is loaded"),
            },
        ),
        Call(
            path="/live",
            handler=endpoints.live,
            open_to_all=True,
            summary="Is the process alive",
            responses={200: answer("Liveness", "It is")},
        ),
        Call(
            path="/ready",
            handler=endpoints.ready,
            open_to_all=True,
            summary="May it be sent requests",
            responses={200: answer("Liveness", "It may"), **NOT_LOADED},
        ),
        Call(
            path="/metrics",
            handler=endpoints.metrics,
            summary="Counters for Prometheus",
            responses={200: text("text/plain", "Prometheus' text format, or OpenMetrics where asked for")},
        ),
    ]


def _description(endpoints: Endpoints) -> list[Call]:
    return [
        Call(
            path="/docs",
            handler=endpoints.docs,
            summary="This description, to read and to try",
            responses={200: text("text/html", "A page that needs no other server")},
        ),
        Call(
            path="/openapi.json",
            handler=endpoints.openapi,
            summary="This description, for programs",
            responses={200: {"description": "OpenAPI 3.1"}, **NOT_LOADED},
        ),
        Call(
            path="/",
            handler=endpoints.root,
            summary="Points to /docs",
            responses={307: {"description": "To /docs"}},
        ),
    ]


def _open_inference(protocols: ProtocolCalls) -> list[Call]:
    model, version = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
    scored = {200: answer("InferAnswer", "A tensor an output"), 404: NO_MODEL[404], **IN_TEXT}
    described = {200: answer("V2Model", "Its inputs and outputs"), **NO_MODEL}
    ready = {200: SAID, **NO_MODEL}
    return [
        Call(
            path="/v2",
            handler=protocols.v2_server,
            summary="Open Inference: the server",
            responses={200: SAID, 503: IN_TEXT[503]},
        ),
        Call(
            path="/v2/health/live",
            handler=protocols.v2_live,
            open_to_all=True,
            summary="Open Inference: is the process alive",
            responses={200: SAID},
        ),
        Call(
            path="/v2/health/ready",
            handler=protocols.v2_ready,
            open_to_all=True,
            summary="Open Inference: may it be sent requests",
            responses={200: SAID, 503: IN_TEXT[503]},
        ),
        *(
            Call(path=path, handler=handler, summary="Open Inference: the model", responses=described)
            for path, handler in ((model, protocols.v2_model), (version, protocols.v2_version))
        ),
        *(
            Call(
                path=f"{path}/ready", handler=handler, summary="Open Inference: is it ready", responses=ready
            )
            for path, handler in ((model, protocols.v2_model_ready), (version, protocols.v2_version_ready))
        ),
        *(
            Call(
                method="POST",
                path=f"{path}/infer",
                handler=handler,
                summary="Open Inference: score rows",
                responses=scored,
            )
            for path, handler in ((model, protocols.v2_infer), (version, protocols.v2_infer_version))
        ),
    ]


def _further_protocols(protocols: ProtocolCalls) -> list[Call]:
    return [
        Call(
            path="/v1/models/{name}",
            handler=protocols.v1_model,
            summary="TensorFlow Serving: the model",
            responses={200: answer("V1Model", "It answers"), **NO_MODEL},
        ),
        Call(
            method="POST",
            path="/v1/models/{name}:predict",
            handler=protocols.v1_predict,
            summary="TensorFlow Serving: score rows",
            responses={200: answer("V1Answer", "One prediction a row"), 404: NO_MODEL[404], **IN_TEXT},
        ),
        Call(
            method="POST",
            path="/invocations",
            handler=protocols.invocations,
            summary="MLflow: score rows",
            responses={200: answer("InvocationsAnswer", "One prediction a row"), **REFUSED},
        ),
        Call(
            path="/ping",
            handler=protocols.ping,
            open_to_all=True,
            summary="MLflow: does a model answer",
            responses={200: SAID, **NOT_LOADED},
        ),
        Call(
            path="/version",
            handler=protocols.version,
            summary="The version of the model",
            responses={200: text("text/plain", "The version"), **NOT_LOADED},
        ),
    ]
