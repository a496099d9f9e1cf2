"""A model as it would be sealed, opened before it is."""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from siklus.bundle.manifest import FORMAT, Manifest
from siklus.contract.columns import Contract


@dataclass(frozen=True, kw_only=True)
class Sealable:
    """``format`` and ``takes`` as the manifest has them."""

    format: str
    content: bytes
    takes: str


def unsealed(contract: Contract, form: str, *, takes: str = "rows") -> Manifest:
    """As much of a manifest as it takes to open a model that is not sealed yet."""
    return msgspec.convert(
        {
            "format": FORMAT,
            "name": "",
            "task": contract.task,
            "created": datetime.fromtimestamp(0, UTC),
            "model": form,
            "takes": takes,
            "files": {},
        },
        type=Manifest,
    )
