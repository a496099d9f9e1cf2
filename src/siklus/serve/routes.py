"""Routes: which call answers what, and how /openapi.json describes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter
from starlette.responses import Response

from siklus.serve.endpoints import Endpoints


def answer(component: str, description: str) -> dict[str, Any]:
    """A JSON response of the OpenAPI document, by the name of its component."""
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{component}"}}},
    }


def text(kind: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": {"type": "string"}}}}


NOT_LOADED = {503: answer("ErrorAnswer", "No model yet, or none that could be loaded")}
REFUSED = {
    400: answer("ErrorAnswer", "The body or the query is no such request"),
    413: answer("ErrorAnswer", "The body or the batch is too large"),
    415: answer("ErrorAnswer", "The body is in a form that is not read here"),
    422: answer(
        "ErrorAnswer",
        "Rows that do not keep the contract, each with row, column and code; nothing was scored",
    ),
    500: answer("ErrorAnswer", "The server failed at this request"),
    **NOT_LOADED,
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One method on one path. The handler's docstring is its description."""

    method: Literal["GET", "POST"] = "GET"
    path: str
    handler: Callable[..., Any]
    summary: str
    responses: Mapping[int, Mapping[str, Any]]


def calls(endpoints: Endpoints) -> list[Call]:
    """Every call that the server answers: there is no other list of them."""
    return [*_scoring(endpoints), *_state(endpoints), *_description(endpoints)]


def router_of(endpoints: Endpoints) -> APIRouter:
    router = APIRouter(redirect_slashes=False)
    for call in calls(endpoints):
        router.add_api_route(
            call.path,
            call.handler,
            methods=[call.method],
            summary=call.summary,
            operation_id=call.handler.__name__,
            responses={status: dict(response) for status, response in call.responses.items()},
            response_class=Response,
            response_model=None,
            status_code=min(call.responses),
        )
    return router


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


def _state(endpoints: Endpoints) -> list[Call]:
    return [
        Call(
            path="/health",
            handler=endpoints.health,
            summary="What answers here",
            responses={
                200: answer("Health", "A model is loaded"),
                503: answer("Health", "No model is loaded"),
            },
        ),
        Call(
            path="/live",
            handler=endpoints.live,
            summary="Is the process alive",
            responses={200: answer("Liveness", "It is")},
        ),
        Call(
            path="/ready",
            handler=endpoints.ready,
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
