"""Calls: what happens at the paths of other tools' protocols. The docstrings are what /docs says of them."""

import msgspec
from fastapi import Request
from starlette.responses import PlainTextResponse, Response

from siklus.errors import RequestError, ServeError
from siklus.serve.answers import JSON
from siklus.serve.desk import Desk
from siklus.serve.plane import DataPlane
from siklus.serve.protocols import invocations, open_inference, tensorflow
from siklus.serve.protocols.tables import FORMS, limits_of
from siklus.serve.reception import received
from siklus.serve.traffic.lineup import Arm

EXTENSIONS = ["binary_tensor_data"]


class ProtocolCalls:
    """The handlers of all protocols beside our own."""

    def __init__(self, desk: Desk, plane: DataPlane) -> None:
        self._desk = desk
        self._plane = plane

    async def v2_server(self) -> Response:
        """Name and extensions. The version is the model's: the server does not tell its own."""
        version = self._desk.models.current().champion.served.bundle.version
        return _json({"name": "siklus", "version": version, "extensions": EXTENSIONS})

    async def v2_live(self) -> Response:
        """Answers as long as the process does."""
        return _json({"live": True})

    async def v2_ready(self) -> Response:
        """Answers 200 once a prediction has been made here, and no longer when the server is to stop."""
        require_ready(self._desk)
        return _json({"ready": True})

    async def v2_model(self, name: str) -> Response:
        """The model's inputs, one a column of the contract, and its outputs; -1 is the number of rows."""
        return self._metadata(self._arms(name))

    async def v2_version(self, name: str, version: str) -> Response:
        """The same of one version that answers."""
        return self._metadata(self._arms(name, version))

    async def v2_model_ready(self, name: str) -> Response:
        """Answers 200 while this model answers."""
        self._arms(name)
        return _json({"name": name, "ready": True})

    async def v2_version_ready(self, name: str, version: str) -> Response:
        """Answers 200 while this version answers."""
        self._arms(name, version)
        return _json({"name": name, "version": version, "ready": True})

    async def v2_infer(self, request: Request, name: str) -> Response:
        """Score rows: a tensor a column, or one tensor of all columns in the contract's order."""
        return await self._infer(request, name)

    async def v2_infer_version(self, request: Request, name: str, version: str) -> Response:
        """Score rows by one version of those that answer."""
        return await self._infer(request, name, version)

    async def v1_model(self, name: str) -> Response:
        """Whether this model answers, and in which versions."""
        return _json(tensorflow.model_status([arm.served.bundle for arm in self._arms(name)]))

    async def v1_predict(self, request: Request, name: str) -> Response:
        """Score rows: `instances`, a row each, or `inputs`, a list a column."""
        endpoint = tensorflow.ENDPOINT
        with self._desk.metrics.watched(endpoint, self._desk.models.alone):
            self._arms(name)
            body, call = await received(request, self._desk.settings, endpoint)
            asked = tensorflow.Question(body, max_rows=self._desk.settings.max_batch_rows)
            return Response(asked.answer(await self._plane.score(asked.read, call)), media_type=JSON)

    async def invocations(self, request: Request) -> Response:
        """Score rows as MLflow's own server does: JSON in one of four forms, CSV, or Parquet."""
        endpoint = invocations.ENDPOINT
        with self._desk.metrics.watched(endpoint, self._desk.models.alone):
            self._desk.models.current()
            body, call = await received(request, self._desk.settings, endpoint, also=FORMS)
            asked = invocations.Invocation(
                body,
                content_type=request.headers.get("content-type", ""),
                limits=limits_of(self._desk.settings),
            )
            return Response(asked.answer(await self._plane.score(asked.read, call)), media_type=JSON)

    async def ping(self) -> Response:
        """An empty line while a model answers and the server stays, as MLflow and SageMaker ask for it."""
        require_ready(self._desk)
        return Response(b"\n", media_type=JSON)

    async def version(self) -> Response:
        """The version of the model that answers, as text. The server does not tell its own."""
        return PlainTextResponse(self._desk.models.current().champion.served.bundle.version)

    async def _infer(self, request: Request, name: str, version: str | None = None) -> Response:
        endpoint = open_inference.ENDPOINT
        with self._desk.metrics.watched(endpoint, self._desk.models.alone):
            self._arms(name, version)
            body, call = await received(
                request, self._desk.settings, endpoint, also=(open_inference.RAW,), version=version
            )
            asked = open_inference.Inference(
                body,
                length=request.headers.get(open_inference.LENGTH_HEADER),
                max_rows=self._desk.settings.max_batch_rows,
            )
            content, length = asked.answer(await self._plane.score(asked.read, call))
            if length is None:
                return Response(content, media_type=JSON)
            return Response(
                content, media_type=open_inference.RAW, headers={open_inference.LENGTH_HEADER: str(length)}
            )

    def _arms(self, name: str, version: str | None = None) -> list[Arm]:
        """What answers under this name, and under this version; RequestError RQ030 when nothing does."""
        lineup = self._desk.models.current()
        known = lineup.champion.served.bundle.manifest.name
        if name != known:
            raise RequestError("RQ030", f"no model {name[:60]!r} answers here", expected=repr(known))
        return list(lineup.arms) if version is None else [lineup.arm_of(version)]

    def _metadata(self, arms: list[Arm]) -> Response:
        versions = [arm.served.bundle.version for arm in arms]
        return _json(open_inference.model_metadata(arms[0].served.bundle, versions))


def require_ready(desk: Desk) -> None:
    """Refuse unless requests are welcome: ServeError SV001 or SV002 without a model, SV006 in a drain."""
    desk.models.current()
    if desk.lifecycle.draining:
        raise ServeError("SV006", "the server is stopping", expected="another server, or this one later")


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)
