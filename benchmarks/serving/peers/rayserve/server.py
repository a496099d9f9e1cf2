"""The forest behind Ray Serve: server.py PORT MODEL."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import ray
from forest import open_forest
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=128)
class Forest:
    def __init__(self, path: str) -> None:
        self.score = open_forest(Path(path))

    async def __call__(self, request: Request) -> dict[str, Any]:
        body = await request.json()
        [label], [probability] = self.score(np.array([body["features"]], dtype=np.float32))
        return {"prediction": label, "probability": probability}


if __name__ == "__main__":
    # SIGTERM ends Python at once by default, and Ray's processes would stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    environment = {"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}}
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        runtime_env=environment,
        log_to_driver=False,
        logging_level="warning",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    try:
        serve.run(Forest.bind(sys.argv[2]), blocking=True)
    finally:
        ray.shutdown()
