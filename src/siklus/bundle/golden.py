"""Golden rows: what must come out of a model before it takes traffic."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from siklus.bundle.manifest import Manifest
from siklus.bundle.papers import Golden
from siklus.bundle.session import Session, open_session
from siklus.contract.columns import Contract
from siklus.contract.decode import decode_records


def golden_answers(
    model: bytes, instances: Sequence[dict[str, Any]], *, manifest: Manifest, contract: Contract
) -> Golden:
    """The answers of the very session that a server will open, for these instances."""
    session = loaded_session(model, manifest=manifest, contract=contract)
    raw = session.run(decode_records(instances, contract).accepted()).raw
    outputs = np.asarray(raw, dtype=np.float64).reshape(len(raw), -1)
    return Golden(instances=list(instances), outputs=outputs.tolist())


def loaded_session(model: bytes, *, manifest: Manifest, contract: Contract) -> Session:
    """The session of a model that is not sealed yet, opened as it will be from the bundle."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(manifest.model_file).name
        file.write_bytes(model)
        return open_session(file, manifest=manifest, contract=contract)
