"""Bundles whose golden rows follow from a formula."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from tests.serve.bundles import ODD_DECODED, ODD_ROW, ODD_WEIGHTS, classifier, regressor, softmax

ROWS = [{"a": 8.0, "b": 0.0}, {"a": 1.0, "b": 7.0}, {"a": 0.5, "b": 1.5}]


def sealed_minutes(path: Path) -> Path:
    """√(2a + b)."""
    outputs = [[math.sqrt(2 * row["a"] + row["b"])] for row in ROWS]
    return _with_golden(regressor(path), ROWS, outputs)


def sealed_irises(path: Path) -> Path:
    """softmax(row · weights)."""
    outputs = softmax(np.array([ODD_DECODED]) @ ODD_WEIGHTS.astype(np.float64))
    return _with_golden(classifier(path), [ODD_ROW], outputs.tolist())


def _with_golden(
    bundle: Path, instances: list[dict[str, float]] | list[dict[str, object]], outputs: list[list[float]]
) -> Path:
    content = json.dumps({"instances": instances, "outputs": outputs}).encode()
    (bundle / "golden.json").write_bytes(content)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"]["golden.json"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    return bundle
