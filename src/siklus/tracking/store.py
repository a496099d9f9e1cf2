"""Opening MLflow's store: reached within seconds or refused, and its database made whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from siklus.errors import TrackingError
from siklus.extras import need
from siklus.files import disk_errors
from siklus.tracking.boundary import URIS, calling, environment, shown

SQLITE = "sqlite:///"
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # MLflow's, with any driver behind a "+"

# The first call finds out whether anybody is there, so it waits for one answer only.
IMPATIENCE: Mapping[str, str] = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "8"}
CONNECT_SECONDS = 8
PATIENT_DRIVERS = ("psycopg", "psycopg2", "pymysql", "mysqldb")  # they take `connect_timeout`


def connect(uri: str) -> Any:
    """An MlflowClient whose store has answered once.

    TrackingError TK001 within about ten seconds when nobody answers, TK002 when MLflow refuses, TK003
    when the URI is none of MLflow's, TK004 when the database's driver is not installed.
    """
    scheme = uri.partition("://")[0].partition("+")[0]
    if scheme in DATABASES:
        _reach_database(uri)
    elif scheme not in ("http", "https", "databricks"):
        raise TrackingError("TK003", f"tracking URI {shown(uri)}", expected=URIS)
    path = sqlite_file(uri)
    if path is not None and not path.exists():
        _create(path)
    with environment(IMPATIENCE), calling(uri):
        client = need("mlflow").MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
        return client


def sqlite_uri(path: Path) -> str:
    """The URI of a database file. TK003 for a path that SQLAlchemy would decode and MLflow would not."""
    if "?" in str(path) or unquote(str(path)) != str(path):
        wanted = "no ? and no %20 in the path, or a tracking_uri elsewhere"
        raise TrackingError("TK003", f"{path}: MLflow cannot keep a database here", expected=wanted)
    return f"{SQLITE}{path}"


def from_root(uri: str, root: Path) -> str:
    """The URI, with a relative SQLite path counted from ``root`` instead of the working directory."""
    if sqlite_file(uri) is None:
        return uri
    name, mark, query = uri.removeprefix(SQLITE).partition("?")
    return f"{SQLITE}{(root / name).absolute()}{mark}{query}"


def sqlite_file(uri: str) -> Path | None:
    """The database's file, where it is one."""
    name = uri.removeprefix(SQLITE).partition("?")[0]
    return Path(name) if uri.startswith(SQLITE) and name not in ("", ":memory:") else None


def _reach_database(uri: str) -> None:
    """One try: MLflow itself makes ten, for nearly two minutes."""
    path = sqlite_file(uri)
    if path is not None:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
    sqlalchemy = need("sqlalchemy")
    with calling(uri):
        driver = sqlalchemy.make_url(uri).get_dialect().driver
        waits = {"connect_timeout": CONNECT_SECONDS} if driver in PATIENT_DRIVERS else {}
        try:
            engine = sqlalchemy.create_engine(uri, connect_args=waits)
        except ModuleNotFoundError as exc:
            what = f"{shown(uri)}: its driver {exc.name} is not installed"
            raise TrackingError("TK004", what, expected=f"pip install {exc.name}") from exc
        try:
            sqlalchemy.inspect(engine).has_table("alembic_version")
        finally:
            engine.dispose()


def _create(path: Path) -> None:
    """MLflow's empty database: made beside its place and linked there, so it is never seen half-made."""
    with disk_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    draft = Path(name)
    try:
        uri = sqlite_uri(draft)
        with calling(uri):
            need("mlflow").MlflowClient(tracking_uri=uri)
        with disk_errors(path):
            draft.chmod(0o644)
            _link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was quicker, and its database is as good
    except OSError:  # a file system without hard links
        draft.rename(path)
