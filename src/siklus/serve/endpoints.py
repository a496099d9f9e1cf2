"""Endpoints: what happens at each call. The handlers' docstrings are what /docs says of them."""

import time
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import TypeAlias

import anyio
import anyio.to_thread
import msgspec
from fastapi import Request
from starlette.responses import HTMLResponse, Response

from siklus.bundle.read import Bundle
from siklus.project.sections import Serve
from siklus.serve.answers import JSON, Health, Liveness
from siklus.serve.bodies import read_body, wants_every_class
from siklus.serve.metrics import Metrics
from siklus.serve.models import Models
from siklus.serve.openapi import document
from siklus.serve.payload import batch_body, predict_body, read_features, read_instances
from siklus.serve.scoring import Scored, score

INLINE_BODY_BYTES = (
    64_000  # a larger body costs more than a millisecond to read as JSON, so a thread reads it
)
SCORING_THREADS = 4  # at once; beyond the cores another one only adds memory

# The page brings all it needs, and may fetch from this server only.
INLINE = "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
PAGE_POLICY = f"default-src 'none'; connect-src 'self'; img-src data:; {INLINE}"

Answer: TypeAlias = Callable[..., tuple[Scored, bytes]]


class Endpoints:
    """The handlers, and the three things they share."""

    def __init__(self, models: Models, metrics: Metrics, settings: Serve) -> None:
        self._models = models
        self._metrics = metrics
        self._settings = settings
        self._threads = anyio.CapacityLimiter(SCORING_THREADS)
        self._page = (files("siklus.serve") / "docs_page.html").read_text(encoding="utf-8")

    async def predict(self, request: Request) -> Response:
        """Send one row, as an object by column name or as a list in the contract's order.

        The answer holds the predicted class with its probability, or the number that a regression
        predicts (its probability is null), and an id that names the prediction for ever.
        """
        return await self._scored(request, "/predict", answer_one, inline_bytes=INLINE_BODY_BYTES)

    async def predict_batch(self, request: Request) -> Response:
        """Send many rows, objects and lists mixed at will. All of them are scored, or none."""
        answer = partial(answer_batch, max_rows=self._settings.max_batch_rows)
        return await self._scored(request, "/predict/batch", answer, inline_bytes=0)

    async def health(self) -> Response:
        """Status (loading, healthy or failed), name, task and version of what answers."""
        bundle = self._models.bundle
        if bundle is None:
            return _json(Health(status=self._models.state, model_loaded=False), status=503)
        manifest = bundle.manifest
        return _json(
            Health(
                status="healthy",
                model_loaded=True,
                version=bundle.version,
                name=manifest.name,
                task=manifest.task,
            )
        )

    async def live(self) -> Response:
        """Answers as long as the process does, also while a model is loading or working hard."""
        return _json(Liveness(status="alive"))

    async def ready(self) -> Response:
        """Answers 200 once a prediction has been made here, so that no client waits for the first."""
        self._models.current()
        return _json(Liveness(status="ready"))

    # The next two take milliseconds: as plain functions they run in a thread.
    def metrics(self, request: Request) -> Response:
        """Predictions, latency, what was predicted, unseen categories, CPU and memory."""
        content, kind = self._metrics.page(accept=request.headers.get("accept", ""))
        return Response(content, media_type=kind)

    def openapi(self, request: Request) -> Response:
        """Typed from the contract of the model that answers, with examples that work."""
        bundle = self._models.current().bundle
        return _json(document(request.app.routes, bundle, self._settings))

    async def docs(self) -> Response:
        """A page that needs no other server."""
        return HTMLResponse(self._page, headers={"Content-Security-Policy": PAGE_POLICY})

    async def root(self) -> Response:
        """A browser goes on to /docs; a program reads where it is."""
        # Relative, so that it still points here behind a proxy that serves all this under a prefix.
        return Response(b'{"docs":"/docs"}', status_code=307, media_type=JSON, headers={"Location": "docs"})

    async def _scored(
        self, request: Request, endpoint: str, answer: Answer, *, inline_bytes: int
    ) -> Response:
        with self._metrics.watched(endpoint, self._models.bundle):
            served = self._models.current()
            every_class = wants_every_class(request)
            body = await read_body(request, max_bytes=self._settings.max_body_bytes)
            started = time.perf_counter()
            work = partial(answer, served.bundle, body, started=started, every_class=every_class)
            if served.is_quick and len(body) <= inline_bytes:
                scored, content = work()
            else:
                scored, content = await anyio.to_thread.run_sync(work, limiter=self._threads)
            self._metrics.answered(endpoint, scored, seconds=time.perf_counter() - started)
            return Response(content, media_type=JSON)


def answer_one(bundle: Bundle, body: bytes, *, started: float, every_class: bool) -> tuple[Scored, bytes]:
    """From the body of `/predict` to that of its answer; ``started`` is when the body was there."""
    scored = score(bundle, [read_features(body, bundle.contract)])
    return scored, predict_body(scored, seconds=time.perf_counter() - started, every_class=every_class)


def answer_batch(
    bundle: Bundle, body: bytes, *, max_rows: int, started: float, every_class: bool
) -> tuple[Scored, bytes]:
    """From the body of `/predict/batch` to that of its answer."""
    scored = score(bundle, read_instances(body, bundle.contract, max_rows=max_rows))
    return scored, batch_body(scored, seconds=time.perf_counter() - started, every_class=every_class)


def _json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON)
