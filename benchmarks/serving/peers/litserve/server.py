"""The forest behind LitServe: server.py PORT MODEL."""

import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from forest import open_forest


class Forest(litserve.LitAPI):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def setup(self, device: str) -> None:
        self.score = open_forest(self.path)

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        return np.array([request["features"]], dtype=np.float32)

    def predict(self, rows: np.ndarray) -> tuple[int, float]:
        [label], [probability] = self.score(rows)
        return label, probability

    def encode_response(self, answer: tuple[int, float]) -> dict[str, float]:
        return {"prediction": answer[0], "probability": answer[1]}


if __name__ == "__main__":
    server = litserve.LitServer(Forest(Path(sys.argv[2])), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
