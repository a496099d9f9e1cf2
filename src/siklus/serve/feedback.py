"""Feedback: the true values that come later, each for a prediction id. All of a list are taken, or none."""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import anyio.to_thread
import msgspec
import numpy as np
from fastapi import Request
from starlette.responses import Response

from siklus.contract.columns import Contract
from siklus.contract.moments import moment_of
from siklus.contract.problems import PROBLEMS_KEPT, shown
from siklus.errors import RecordsError, RequestError, RowProblem, RowsRefused
from siklus.records.ids import IdIssuer
from siklus.records.outcomes import ConflictError, Known, Outcome, Outcomes
from siklus.serve.answers import JSON, FeedbackAnswer, FeedbackElsewhere
from siklus.serve.bodies import read_body
from siklus.serve.desk import Desk

REDIRECTED = 307  # unlike with 301 and 302, method and body stay what they are
KEYS = ("prediction_id", "outcome", "observed_at")
LARGEST = sys.float_info.max  # JSON has larger integers, and nothing can be computed with them
STORING_THREADS = 2  # SQLite lets one write at a time, so more would only wait

_LOG = logging.getLogger("siklus.serve")


class FeedbackCall:
    """`POST /feedback` of one worker."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._threads = anyio.CapacityLimiter(STORING_THREADS)

    async def feedback(self, request: Request) -> Response:
        """Send the outcome of one prediction, or a list of them, which is taken as a whole or not at all.

        The same outcome again changes nothing; another one for the same prediction is refused (409), and so
        is an id that was not issued here (404). What is answered with 200 is stored.
        """
        with self._desk.metrics.watched_feedback():
            return await self._stored(request)

    async def _stored(self, request: Request) -> Response:
        outcomes = self._desk.records.outcomes
        if outcomes is None:
            expected = "a server with a state directory, and [records] enabled"
            raise RecordsError("RC004", "no outcomes are kept here", expected=expected)
        settings = self._desk.settings
        body = await read_body(request, max_bytes=settings.max_body_bytes)
        bundle = self._desk.models.bundle
        reader = FeedbackReader(self._desk.records.ids, None if bundle is None else bundle.contract)
        sent = _Sent(body, reader, client=self._desk.guard.client(request.headers))
        work = partial(_take, sent, outcomes, max_rows=settings.max_batch_rows)
        answer = await anyio.to_thread.run_sync(work, limiter=self._threads)
        self._desk.metrics.stored(count=answer.count, new=answer.new)
        return Response(msgspec.json.encode(answer), media_type=JSON)


class FeedbackRedirect:
    """`POST /feedback` of a server that keeps no outcomes, because that at ``url`` does."""

    def __init__(self, url: str) -> None:
        location = f"{url.rstrip('/')}/feedback"
        reason = "outcomes are kept by another server: send the same request there"
        self._body = msgspec.json.encode(FeedbackElsewhere(location=location, reason=reason))
        self._headers = {"Location": location}

    async def feedback(self) -> Response:
        """Outcomes are kept by another server: the answer says where, and the same request belongs there.

        Nothing is read and nothing is counted here. Clients that follow a redirect to another host leave
        `Authorization` behind, but not `X-API-Key`.
        """
        return Response(self._body, status_code=REDIRECTED, media_type=JSON, headers=self._headers)


class FeedbackReader:
    """Reads outcomes; those of a prediction that was issued with the key of ``ids``.

    ``contract``: of the version that answers now, which says what an outcome may be; None without one.
    """

    def __init__(self, ids: IdIssuer, contract: Contract | None) -> None:
        self._ids = ids
        self._classes = None if contract is None else contract.target.classes
        self._knows = contract is not None
        self._labels: Mapping[object, Known] = {label: label for label in self._classes or ()}
        self._problems: list[RowProblem] = []
        self._total = 0

    def read(self, items: Sequence[object]) -> list[Outcome]:
        """The outcomes, or RowsRefused with what is wrong of each item (RW020 for an id of elsewhere)."""
        found = [self._outcome(item, place) for place, item in enumerate(items)]
        if self._problems:
            # What no sender can have meant comes first; that an id is unknown here may be no mistake.
            self._problems.sort(key=lambda problem: problem.code == "RW020")
            raise RowsRefused(self._problems, total=self._total)
        return [outcome for outcome in found if outcome is not None]

    def _outcome(self, item: object, place: int) -> Outcome | None:
        if not isinstance(item, dict):
            self._add("RW011", place, None, f"{shown(item)} is no feedback", "an object with prediction_id")
            return None
        for key in item.keys() - set(KEYS):
            self._add("RW001", place, str(key), "an unknown key", f"one of {', '.join(KEYS)}")
        for key in KEYS[:2]:
            if key not in item:
                self._add("RW002", place, key, "the key is missing", f"a value for {key!r}")
        prediction_id = self._prediction_id(item.get("prediction_id", ""), place)
        outcome = self._known(item["outcome"], place) if "outcome" in item else None
        observed_us = self._observed(item.get("observed_at"), place)
        return None if outcome is None else Outcome(prediction_id, outcome, observed_us)

    def _prediction_id(self, value: object, place: int) -> str:
        if not isinstance(value, str):
            self._add("RW003", place, KEYS[0], f"{shown(value)} is no id", "the id that came with the answer")
            return ""
        found = value.lower()  # some databases write them in capitals
        if not self._ids.recognises(found):
            self._add("RW020", place, KEYS[0], f"{shown(value)} was not issued here", "an id of this server")
        return found

    def _known(self, value: object, place: int) -> Known | None:
        if self._classes is not None:
            label = self._labels.get(value) if isinstance(value, str | int | float) else None
            if label is None:
                expected = f"one of {shown(list(self._classes))}"
                self._add("RW008", place, KEYS[1], f"{shown(value)} is no class", expected)
            return label
        match value:
            case bool() | str() if not self._knows:
                return value
            case int() | float() if not isinstance(value, bool) and abs(value) <= LARGEST:
                return value
        expected = "a number" if self._knows else "a class or a number"
        self._add("RW003", place, KEYS[1], f"{shown(value)} is no outcome", expected)
        return None

    def _observed(self, value: object, place: int) -> int | None:
        if value is None:
            return None
        moment = moment_of(value)
        if moment is None:
            self._add("RW009", place, KEYS[2], f"{shown(value)} is no moment", "a moment as ISO 8601")
            return None
        return int(moment.astype("datetime64[us]").astype(np.int64))

    def _add(self, code: str, place: int, key: str | None, message: str, expected: str) -> None:
        self._total += 1
        if self._total <= PROBLEMS_KEPT * len(KEYS):
            self._problems.append(
                RowProblem(code=code, row=place, column=key, message=message, expected=expected)
            )


@dataclass(frozen=True)
class _Sent:
    """A request's body, what reads it, and the name of the key that it came with."""

    body: bytes
    reader: FeedbackReader
    client: str | None


def _take(sent: _Sent, outcomes: Outcomes, *, max_rows: int) -> FeedbackAnswer:
    given = sent.reader.read(_items(sent.body, max_rows=max_rows))
    try:
        new = outcomes.put(given, now_us=time.time_ns() // 1000, client=sent.client)
    except ConflictError as exc:
        raise _conflicting(given, exc.places) from exc
    except RecordsError as exc:
        _LOG.exception("outcomes could not be stored")
        # The path and the reason are for the log.
        expected = "the same request again, when the server's log no longer says why"
        raise RecordsError("RC005", "the outcomes could not be stored", expected=expected) from exc
    return FeedbackAnswer(count=len(given), new=new)


def _items(body: bytes, *, max_rows: int) -> list[object]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise RequestError("RQ001", "the body is no JSON", expected="JSON in UTF-8") from exc
    if not isinstance(found, list):
        return [found]
    if not found:
        raise RequestError("RQ006", "an empty list", expected="at least one outcome")
    if len(found) > max_rows:
        raise RequestError("RQ007", f"{len(found)} outcomes", expected=f"at most {max_rows} in one request")
    return found


def _conflicting(given: Sequence[Outcome], places: Sequence[int]) -> RowsRefused:
    problems = [
        RowProblem(
            code="RW021",
            row=place,
            column=KEYS[0],
            message=f"{given[place].prediction_id} has another outcome already",
            expected="the outcome that is known, or none",
        )
        for place in places[:PROBLEMS_KEPT]
    ]
    return RowsRefused(problems, total=len(places))
