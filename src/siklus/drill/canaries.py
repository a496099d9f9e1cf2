"""Canaries: rollouts of the drill's own versions, begun and ended as `siklus rollout` does it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from siklus.automation.rollout.rollouts import Rollouts, drafted
from siklus.drill.faults import Attempt, NotPossible, Scene
from siklus.drill.sandbox_settings import CANARY
from siklus.registry.policy import CHALLENGER, PolicyArm
from siklus.registry.traffic import Traffic
from siklus.registry.versions import Version

AUTHOR = "siklus drill"


def begin_canary(scene: Scene, version: Version) -> Attempt:
    """A rollout that has its canary at once, without the shadow before it."""
    settings = scene.settings
    with scene.sandbox.control() as control:
        policy = Traffic(control, settings.project.name).current()
        if policy is None:
            raise NotPossible("the sandbox has no traffic policy")
        challenger = PolicyArm(
            name=CHALLENGER, version=version.number, share=CANARY, digest=version.digest or ""
        )
        plan = msgspec.structs.replace(settings.rollout, steps=(CANARY, 1.0))
        draft = drafted(challenger, policy=policy, plan=plan, now=datetime.now(UTC), by=AUTHOR)
        named = msgspec.structs.replace(draft, reason="a drill")
        begun = Rollouts(control, settings.project.name).start(named)
    return Attempt("begun", f"rollout {begun.number}")


def end_rollout(scene: Scene) -> Sequence[Attempt]:
    """End what a missed rollback has left, so that the next fault finds the champion alone."""
    with scene.sandbox.control() as control:
        rollouts = Rollouts(control, scene.settings.project.name)
        current = rollouts.current()
        if current is not None:
            rollouts.stop(current, by=AUTHOR, now=datetime.now(UTC), reason="the drill goes on")
    return ()
