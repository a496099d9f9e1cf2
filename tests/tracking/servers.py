"""A real MLflow server, as a team has it: PostgreSQL behind it, and artifacts that it hands to an S3 store.

`SIKLUS_TEST_MLFLOW` names the bin directory of an environment with `mlflow`, `psycopg[binary]`, `boto3` and
`moto[server]`: they weigh more than all of Siklus, so that they have one of their own.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.deploy.programs import free_port
from tests.registry.postgres import REQUIRE

VARIABLE = "SIKLUS_TEST_MLFLOW"
START_SECONDS = 300
BUCKET = "mlflow"


@contextmanager
def running_mlflow(database: str, home: Path) -> Iterator[str]:
    """Its URL. Skips where there is none, or fails where servers are a must."""
    programs = os.environ.get(VARIABLE)
    if programs is None:
        reason = f"{VARIABLE} names no environment with MLflow's server"
        (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)(reason)
    store, server = free_port(), free_port()
    environment = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{store}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    words = [f"{programs}/mlflow", "server", "--host", "127.0.0.1", "--port", str(server), "--workers", "1"]
    words += ["--backend-store-uri", database, "--artifacts-destination", f"s3://{BUCKET}"]
    with ExitStack() as stack:
        stack.enter_context(_running([f"{programs}/moto_server", "-p", str(store)], environment))
        _wait(f"http://127.0.0.1:{store}/")
        httpx.put(f"http://127.0.0.1:{store}/{BUCKET}").raise_for_status()
        stack.enter_context(_running(words, environment))
        _wait(f"http://127.0.0.1:{server}/health")
        yield f"http://127.0.0.1:{server}"


@contextmanager
def _running(words: list[str], environment: dict[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, env=environment, stdout=quiet, stderr=quiet, process_group=0)
    try:
        yield
    finally:
        process.terminate()  # MLflow's ends its workers
        process.wait(timeout=START_SECONDS)


def _wait(url: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < give_up, f"{url} does not answer"
        time.sleep(0.2)
