"""The forest behind BentoML: server.py PORT MODEL, which becomes `bentoml serve`."""

import os
import sys
from pathlib import Path

import bentoml
import numpy as np
from forest import open_forest


@bentoml.service(workers=1)
class Forest:
    def __init__(self) -> None:
        self.score = open_forest(Path(os.environ["MODEL"]))

    @bentoml.api
    def predict(self, features: list[float]) -> dict[str, float]:
        [label], [probability] = self.score(np.array([features], dtype=np.float32))
        return {"prediction": label, "probability": probability}


if __name__ == "__main__":
    # BentoML keeps a store in the home directory unless told otherwise, and counts its users.
    os.environ.update(MODEL=sys.argv[2], BENTOML_HOME=os.environ["SCRATCH"], BENTOML_DO_NOT_TRACK="True")
    here = str(Path(__file__).parent)
    listen = ["--host", "127.0.0.1", "--port", sys.argv[1], "--working-dir", here]
    # No shell: the harness ends this very process.
    os.execv(sys.executable, [sys.executable, "-m", "bentoml", "serve", "server:Forest", *listen])  # noqa: S606
