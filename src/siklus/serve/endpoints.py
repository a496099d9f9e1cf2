"""Endpoints: what happens at each call. The handlers' docstrings are what /docs says of them."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

import msgspec
from fastapi import Request
from starlette.responses import HTMLResponse, Response

from siklus.errors import RequestError
from siklus.serve.answers import JSON, Liveness
from siklus.serve.bodies import wants_every_class
from siklus.serve.desk import Desk
from siklus.serve.feedback import FeedbackCall, FeedbackRedirect
from siklus.serve.openapi import document, with_keys
from siklus.serve.payload import predict_body, read_features
from siklus.serve.plane import DataPlane
from siklus.serve.protocols.calls import ProtocolCalls, require_ready
from siklus.serve.protocols.tables import FORMS, Batch, limits_of
from siklus.serve.reception import elapsed, received
from siklus.serve.traffic.health import health_of

# The page brings all it needs, and may fetch from this server only.
INLINE = "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
PAGE_POLICY = f"default-src 'none'; connect-src 'self'; img-src data:; {INLINE}"


class Endpoints:
    """The handlers, and what they share."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._plane = DataPlane(desk)
        self.protocols = ProtocolCalls(desk, self._plane)
        elsewhere = desk.settings.feedback_url
        self.takes_feedback = elsewhere is None
        call = FeedbackCall(desk) if elsewhere is None else FeedbackRedirect(elsewhere)
        self.feedback: Callable[..., Awaitable[Response]] = call.feedback
        self._page = (files("siklus.serve") / "docs_page.html").read_text(encoding="utf-8")

    async def admit(self, request: Request) -> None:
        """Let the request in, or refuse it: before every call that is not open to all."""
        try:
            self._desk.guard.admit(request.headers)
        except RequestError as error:
            self._desk.metrics.limited(error)
            raise

    async def predict(self, request: Request) -> Response:
        """Send one row, as an object by column name or as a list in the contract's order.

        The answer holds the predicted class with its probability, or the number that a regression
        predicts (its probability is null), and an id that names the prediction for ever.
        """
        with self._desk.metrics.watched("/predict", self._desk.models.alone):
            self._desk.models.current()
            every_class = wants_every_class(request)
            body, call = await received(request, self._desk.settings, "/predict", inline=True)
            scored = await self._plane.score(lambda contract: [read_features(body, contract)], call)
            return _answer(predict_body(scored, seconds=elapsed(call), every_class=every_class))

    async def predict_batch(self, request: Request) -> Response:
        """Send many rows, objects and lists mixed at will, or a table. All of them are scored, or none.

        The answer comes as JSON, or as the Arrow stream or CSV that `Accept` asks for.
        """
        with self._desk.metrics.watched("/predict/batch", self._desk.models.alone):
            self._desk.models.current()
            every_class = wants_every_class(request)
            body, call = await received(request, self._desk.settings, "/predict/batch", also=FORMS)
            batch = Batch(
                body,
                content_type=request.headers.get("content-type", ""),
                accept=request.headers.get("accept", ""),
                limits=limits_of(self._desk.settings),
            )
            scored = await self._plane.score(batch.read, call)
            content, kind = batch.answer(scored, seconds=elapsed(call), every_class=every_class)
            return Response(content, media_type=kind)

    async def health(self) -> Response:
        """Status (loading, healthy or failed), and what answers: name, task, version, traffic."""
        found = health_of(self._desk.models)
        return _json(found, status=200 if found.model_loaded else 503)

    async def live(self) -> Response:
        """Answers as long as the process does, also while a model is loading or working hard."""
        return _json(Liveness(status="alive"))

    async def ready(self) -> Response:
        """Answers 200 once a prediction has been made here, and no longer when the server is to stop."""
        require_ready(self._desk)
        return _json(Liveness(status="ready"))

    # The next two take milliseconds: as plain functions they run in a thread.
    def metrics(self, request: Request) -> Response:
        """Predictions, latency, what was predicted, unseen categories, CPU and memory."""
        accept, lineup = request.headers.get("accept", ""), self._desk.models.lineup
        content, kind = self._desk.metrics.page(accept=accept, lineup=lineup)
        return Response(content, media_type=kind)

    def openapi(self, request: Request) -> Response:
        """Typed from the contract of the model that answers, with examples that work."""
        bundle = self._desk.models.current().champion.served.bundle
        found = document(request.app.routes, bundle, self._desk.settings)
        return _json(with_keys(found) if self._desk.guard.ring.asks else found)

    async def docs(self) -> Response:
        """A page that needs no other server."""
        return HTMLResponse(self._page, headers={"Content-Security-Policy": PAGE_POLICY})

    async def root(self) -> Response:
        """A browser goes on to /docs; a program reads where it is."""
        # Relative, so that it still points here behind a proxy that serves all this under a prefix.
        return Response(b'{"docs":"/docs"}', status_code=307, media_type=JSON, headers={"Location": "docs"})


def _answer(content: bytes) -> Response:
    return Response(content, media_type=JSON)


def _json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON)
