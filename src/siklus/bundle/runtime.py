"""ONNX Runtime, kept from writing to the home directory and from calling out."""

import os
from typing import Any

from siklus.extras import need


def onnx_runtime() -> Any:
    """The module, imported at first use: nobody waits for it who does not run a model."""
    # Some of its builds tell their maker what they load and run, from the import on, when its own switch
    # for that cannot be called yet. What a user has set stays.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return need("onnxruntime")
