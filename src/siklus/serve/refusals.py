"""Refusals: every error as one shape of JSON, with its HTTP status. No internals, no traceback, ever."""

import difflib
from collections.abc import Mapping, Sequence

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from siklus.errors import RequestError, RowProblem, RowsRefused, ServeError, SiklusError
from siklus.serve.access.rate import RateExceeded
from siklus.serve.answers import JSON, ErrorAnswer, Problem, Refusal, TextErrorAnswer

PROBLEMS_SHOWN = 100  # in one answer: ``total`` says how many there are
MESSAGE_CHARACTERS = (
    500  # of a sentence: a contract of a thousand columns would list them all, problem by problem
)
SHOWN = 80  # characters of a path that was asked for
RETRY_SECONDS = 1  # a model is loaded, and a queue answered, within about that

# Where HTTP has a status of its own for what is otherwise a 400 or a 503.
STATUSES: Mapping[str, int] = {
    "RQ007": 413,
    "RQ008": 413,
    "RQ009": 415,
    "RQ011": 404,
    "RQ012": 405,
    "RQ014": 431,
    "RQ015": 408,
    "RQ030": 404,
    "RQ035": 413,
    "RQ040": 401,
    "RQ041": 429,
    "RQ042": 403,
    "RQ043": 401,
    "RQ044": 409,
    "RQ045": 429,
    "XT001": 415,  # a body in a form that this server has not been installed with
    "RW020": 404,
    "RW021": 409,
    "SV004": 500,
    "SV005": 500,
    "SV022": 504,
    "SV024": 500,
}
# KServe's and Triton's clients put the error into a sentence of their own, and fail if it is an object.
TEXT_PATHS = ("/v1/", "/v2")

CHALLENGE = 'Bearer realm="siklus"'
WORTH_A_RETRY = frozenset({"SV001", "SV020", "SV021", "SV022"})


def status_of(error: SiklusError) -> int:
    return STATUSES.get(error.code, error.http_status)


def refuse(error: SiklusError, *, path: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """The answer that says this error, in the shape that clients of ``path`` expect."""
    answer = _in_text(error) if path.startswith(TEXT_PATHS) else _in_parts(error)
    return Response(
        msgspec.json.encode(answer),
        status_code=status_of(error),
        media_type=JSON,
        headers={**_headers(error), **(headers or {})},
    )


def _headers(error: SiklusError) -> Mapping[str, str]:
    """What HTTP says of some statuses beside the body."""
    if isinstance(error, RateExceeded):
        return {"Retry-After": str(error.retry_seconds)}
    if error.code in WORTH_A_RETRY:
        return {"Retry-After": str(RETRY_SECONDS)}
    return {"WWW-Authenticate": CHALLENGE} if status_of(error) == 401 else {}


def _in_parts(error: SiklusError) -> ErrorAnswer:
    return ErrorAnswer(
        Refusal(
            code=error.code,
            message=_clean(error.message),
            expected=None if error.expected is None else _clean(error.expected),
            problems=_problems(error),
            total=error.total if isinstance(error, RowsRefused) else 0,
        )
    )


def _in_text(error: SiklusError) -> TextErrorAnswer:
    return TextErrorAnswer(
        error=_clean(str(error)),
        code=error.code,
        problems=_problems(error),
        total=error.total if isinstance(error, RowsRefused) else 0,
    )


def _problems(error: SiklusError) -> list[Problem]:
    found = error.problems if isinstance(error, RowsRefused) else ()
    return [_problem(problem) for problem in found[:PROBLEMS_SHOWN]]


def refuse_http(error: HTTPException, *, method: str, path: str, paths: Sequence[str]) -> Response:
    """The router's own two refusals: no such path (404), no such method there (405)."""
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        wrong = RequestError("RQ012", f"{method[:20]} on {_short(path)}", expected=allowed)
        return refuse(wrong, path=path, headers={"Allow": allowed})
    near = difflib.get_close_matches(path[:SHOWN], paths, n=1)
    expected = f"{near[0]}?" if near else f"one of {', '.join(paths)}"
    return refuse(RequestError("RQ011", f"no such path: {_short(path)}", expected=expected), path=path)


def refuse_unforeseen(*, path: str) -> Response:
    """Whatever nobody foresaw: the server's log has it, the client learns nothing of it."""
    return refuse(
        ServeError(
            "SV005", "the server failed at this request", expected="an answer; the server's log says why"
        ),
        path=path,
        headers={"Connection": "close"},  # uvicorn closes after such an error, without saying so by itself
    )


def _problem(problem: RowProblem) -> Problem:
    return Problem(
        row=problem.row,
        column=None if problem.column is None else _clean(problem.column),
        code=problem.code,
        message=_clean(problem.message),
        expected=_clean(problem.expected),
    )


def _short(path: str) -> str:
    return path if len(path) <= SHOWN else path[: SHOWN - 1] + "…"


def _clean(text: str) -> str:
    """The text within bounds, and with a UTF-8 form: half a surrogate pair, sent as an escape, has none."""
    cut = text if len(text) <= MESSAGE_CHARACTERS else text[: MESSAGE_CHARACTERS - 1] + "…"
    return cut.encode("utf-8", "replace").decode("utf-8")
