"""Policies to decide and to publish; their digests name no bundle unless one is given."""

from datetime import UTC, datetime
from typing import Any

from siklus.registry.policy import Allotment, PolicyArm, TrafficPolicy

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DIGEST = "0123456789abcdef" * 4


def arm(name: str = "champion", version: int = 1, share: float = 1.0, digest: str = DIGEST) -> PolicyArm:
    return PolicyArm(name=name, version=version, share=share, digest=digest)


def allotment(*arms: PolicyArm, **more: Any) -> Allotment:
    return Allotment(arms=arms or (arm(),), **more)


def policy_of(revision: int, decided: Allotment | None = None, *, model: str = "flights") -> TrafficPolicy:
    return TrafficPolicy(
        revision=revision, model=model, allotment=decided or allotment(), created=NOW, by="a test"
    )
