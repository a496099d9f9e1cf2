"""Health: how a worker says what answers here, and what should and does not."""

from msgspec import UNSET, UnsetType

from siklus.serve.answers import Health, HealthyArm, PendingRevision
from siklus.serve.traffic.lineup import UNPUBLISHED
from siklus.serve.traffic.models import Models


def health_of(models: Models) -> Health:
    """The answer to `/health`."""
    lineup = models.lineup
    if lineup is None:
        return Health(status=models.state, model_loaded=False, pending=_pending(models))
    bundle = lineup.champion.served.bundle
    follows = lineup.revision != UNPUBLISHED
    arms = [
        HealthyArm(name=arm.name, version=arm.served.bundle.version, share=arm.share)
        for arm in lineup.everybody
    ]
    return Health(
        status="healthy",
        model_loaded=True,
        version=bundle.version,
        name=bundle.manifest.name,
        task=bundle.manifest.task,
        revision=lineup.revision if follows else UNSET,
        arms=arms if follows else UNSET,
        pending=_pending(models),
    )


def _pending(models: Models) -> PendingRevision | UnsetType:
    pending = models.pending
    return UNSET if pending is None else PendingRevision(revision=pending.revision, code=pending.code)
