"""The app: everything put together. What it does stands in the files that it imports."""

import logging
from collections.abc import Callable

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from siklus.bundle.read import Bundle
from siklus.errors import SiklusError
from siklus.project.sections import Serve
from siklus.serve.desk import Desk
from siklus.serve.endpoints import Endpoints
from siklus.serve.metrics import Metrics
from siklus.serve.models import start_loading
from siklus.serve.refusals import refuse, refuse_http, refuse_unforeseen
from siklus.serve.routes import calls, router_of

_LOG = logging.getLogger("siklus.serve")


def _log_failure(failure: BaseException) -> None:
    _LOG.error("the model could not be loaded", exc_info=failure)


def create_app(
    load: Callable[[], Bundle],
    *,
    settings: Serve | None = None,
    on_failure: Callable[[BaseException], None] = _log_failure,
) -> FastAPI:
    """The ASGI app that answers with the bundle which ``load`` opens, in a thread of its own, from now on.

    ``on_failure`` is called, in that thread, with what went wrong if it cannot be opened (without it, the
    log is told); the app then goes on to say so at `/health`, and answers nothing.
    """
    metrics = Metrics()
    models = start_loading(load, prepare=metrics.watch, on_failure=on_failure)
    endpoints = Endpoints(Desk(settings=settings or Serve(), models=models, metrics=metrics))
    # FastAPI's own pages and validation stay out: the pages load scripts from elsewhere, and its
    # validation knows no row, no column and no NaN.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(router_of(endpoints))
    _refuse_in_json(app, paths=[call.path for call in calls(endpoints)])
    return app


def _refuse_in_json(app: FastAPI, *, paths: list[str]) -> None:
    @app.exception_handler(SiklusError)
    async def ours(_request: Request, error: SiklusError) -> Response:
        return refuse(error)

    @app.exception_handler(HTTPException)
    async def the_router(request: Request, error: HTTPException) -> Response:
        return refuse_http(error, method=request.method, path=request.url.path, paths=paths)

    # Starlette answers with this and then raises the error again, so that the server's log has it.
    @app.exception_handler(Exception)
    async def unforeseen(_request: Request, _error: Exception) -> Response:
        return refuse_unforeseen()
