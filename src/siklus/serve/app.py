"""The app: everything put together. What it does stands in the files that it imports."""

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from siklus.errors import SiklusError
from siklus.serve.desk import Desk
from siklus.serve.endpoints import Endpoints
from siklus.serve.refusals import refuse, refuse_http, refuse_unforeseen
from siklus.serve.routes import calls, router_of


def create_app(desk: Desk) -> FastAPI:
    """The ASGI app that answers with what is on this desk."""
    endpoints = Endpoints(desk)
    # FastAPI's own pages and validation stay out: the pages load scripts from elsewhere, and its
    # validation knows no row, no column and no NaN.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(router_of(endpoints))
    refuse_in_json(app, paths=[call.path for call in calls(endpoints)])
    return app


def refuse_in_json(app: FastAPI, *, paths: list[str]) -> None:
    """Say every error as `refusals` does. ``paths``: those that somebody who misspells one may mean."""

    @app.exception_handler(SiklusError)
    async def ours(request: Request, error: SiklusError) -> Response:
        return refuse(error, path=request.url.path)

    @app.exception_handler(HTTPException)
    async def the_router(request: Request, error: HTTPException) -> Response:
        return refuse_http(error, method=request.method, path=request.url.path, paths=paths)

    # Starlette answers with this and then raises the error again, so that the server's log has it.
    @app.exception_handler(Exception)
    async def unforeseen(request: Request, _error: Exception) -> Response:
        return refuse_unforeseen(path=request.url.path)
