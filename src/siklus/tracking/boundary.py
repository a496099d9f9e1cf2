"""MLflow's edge: every call goes through `calling`, which keeps it quiet, impatient and in our own errors."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from siklus.errors import FileError, TrackingError
from siklus.extras import need
from siklus.files import DISK_TROUBLE

# Set while MLflow runs and taken back after, and only where the user has set nothing else.
MANNERS: Mapping[str, str] = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # else importing MLflow writes to the home directory and calls out
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow would try for four minutes; three tries within a few seconds bridge a restart of its server.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

URIS = "http(s)://…, sqlite:///…, postgresql://…, mysql://… or mssql://…"
ANSWERS = "an MLflow server or database that answers"
WRITABLE = "a writable disk with room left"
SQLITE_DISK_ERRORS = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR")


@contextmanager
def calling(uri: str) -> Iterator[None]:
    """Call MLflow at ``uri`` inside this block.

    TrackingError TK001 when it cannot be reached, TK002 when it refuses; FileError FS001 when an
    artifact cannot be written. A password in ``uri`` is in none of the messages.
    """
    with environment(MANNERS):
        mlflow = need("mlflow.exceptions")
        database = need("sqlalchemy.exc")
        with _silence():
            try:
                yield
            except mlflow.MlflowException as exc:
                raise _translated(exc, uri, database) from exc
            except database.DBAPIError as exc:
                raise _of_database(exc, uri) from exc
            except database.SQLAlchemyError as exc:
                raise TrackingError("TK003", _said(exc, uri), expected=URIS) from exc
            except OSError as exc:
                raise _disk_or_network(exc, uri) from exc


def error_code(exc: BaseException) -> str | None:
    """MLflow's own word for what went wrong, such as RESOURCE_DOES_NOT_EXIST; None for other errors."""
    return getattr(exc.__cause__, "error_code", None)


def shown(uri: str) -> str:
    """The URI as it may be printed: without its password."""
    password = _password(uri)
    return uri.replace(f":{password}@", ":***@") if password else uri


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the length of a block; those that are set already stay as they are.

    Only what this block has set is taken back, so blocks of several threads never leave anything behind.
    """
    ours = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on stderr: what matters comes as an exception."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _translated(exc: Exception, uri: str, database: Any) -> FileError | TrackingError:
    reason = exc.__cause__ or exc.__context__
    # An answer of the server has MLflow's status in it; whatever comes instead of an answer is from requests.
    if isinstance(reason, OSError):
        return _disk_or_network(reason, uri)
    if isinstance(reason, database.DBAPIError):
        return _of_database(reason, uri)
    return TrackingError("TK002", _said(exc, uri), expected="a request that MLflow accepts")


def _of_database(exc: Any, uri: str) -> FileError | TrackingError:
    if getattr(exc.orig, "sqlite_errorname", "").startswith(SQLITE_DISK_ERRORS):
        return FileError("FS001", _said(exc.orig, uri), expected=WRITABLE)
    return TrackingError("TK001", _said(exc, uri), expected=ANSWERS)


def _disk_or_network(exc: OSError, uri: str) -> FileError | TrackingError:
    # A connection's error names no file.
    if exc.errno in DISK_TROUBLE or exc.filename is not None:
        place = exc.filename or shown(uri)
        return FileError("FS001", f"{place}: cannot be written: {exc.strerror}", expected=WRITABLE)
    return TrackingError("TK001", _said(exc, uri), expected=ANSWERS)


def _said(exc: BaseException, uri: str) -> str:
    text = " ".join(str(exc).split())
    for secret in filter(None, {_password(uri), unquote(_password(uri))}):
        text = text.replace(secret, "***")
    return f"MLflow at {shown(uri)}: {text[:500]}"


def _password(uri: str) -> str:
    """As it stands in the URI; empty without one."""
    # By hand: urlsplit refuses to read a database URL whose password holds a bracket.
    authority = uri.partition("://")[2].partition("/")[0]
    user, _, _ = authority.rpartition("@")
    return user.partition(":")[2]
