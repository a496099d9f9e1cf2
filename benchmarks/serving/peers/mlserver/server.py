"""The forest behind MLServer: server.py PORT MODEL, which becomes `mlserver start`.

The scikit-learn model is served by MLServer's own runtime; for ONNX it has none, so `runtime.py` is one.
"""

import json
import os
import socket
import sys
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_settings(folder: Path, *, port: int, model: Path) -> None:
    server = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,  # in the server's own process: its others cost more than they bring here
        "debug": False,
    }
    runtime = "runtime.Forest" if model.suffix == ".onnx" else "mlserver_sklearn.SKLearnModel"
    served = {"name": "forest", "implementation": runtime, "parameters": {"uri": str(model)}}
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(served))


if __name__ == "__main__":
    scratch = Path(os.environ["SCRATCH"])
    write_settings(scratch, port=int(sys.argv[1]), model=Path(sys.argv[2]))
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ["PYTHONPATH"]])
    command = Path(sys.executable).with_name("mlserver")
    # No shell: the harness ends this very process.
    os.execv(command, [str(command), "start", str(scratch)])  # noqa: S606
