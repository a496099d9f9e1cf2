"""The papers that travel with a model: parity certificate, golden rows, provenance."""

from datetime import UTC, datetime
from typing import Any

import msgspec


class Golden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instances as a client would send them, and what must come out before the bundle takes traffic.

    ``outputs``: probabilities of shape (rows, classes), or values of shape (rows, 1).
    """

    instances: list[dict[str, Any]]
    outputs: list[list[float]]
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        if len(self.outputs) != len(self.instances) or len({len(row) for row in self.outputs}) > 1:
            raise ValueError("outputs are not one row of equal length for each instance")


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rows of a retraining: of the declared ``source``, and of the prediction log with their outcomes.

    ``job``: its number; ``window``: as [retrain] spells it; ``cut``: outcomes received until then, ISO 8601.
    """

    job: int
    window: str
    source: str
    source_rows: int
    logged_rows: int
    cut: str


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the model comes from: enough to train it again and to answer who made it."""

    siklus: str
    trained: str
    model_kind: str
    triggered_by: str
    git_commit: str | None = None
    git_dirty: bool | None = None
    source: str | None = None
    data_digest: str | None = None
    data_rows: int | None = None
    trained_rows: int | None = None
    seed: int | None = None
    parameters: dict[str, Any] = {}
    environment: dict[str, str] = {}
    parent_version: str | None = None
    origin: Origin | None = None

    @property
    def trained_at(self) -> datetime:
        """``trained`` as a moment: in UTC where it names no other clock, on whichever machine it is read."""
        moment = datetime.fromisoformat(self.trained)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
