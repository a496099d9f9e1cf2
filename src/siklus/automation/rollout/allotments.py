"""Who answers which share on each step of a rollout, and after it. Pure: a rollout in, an allotment out."""

import hashlib

import msgspec

from siklus.automation.rollout.rollout import Rollout
from siklus.registry.policy import (
    CHALLENGER,
    CHAMPION,
    MOST_ARMS,
    Allotment,
    PolicyArm,
    everything_to,
)

SALT_BYTES = 8  # 16 letters of hexadecimal, the longest salt that a policy takes


def allotment_of(rollout: Rollout, before: Allotment) -> Allotment:
    """What the rollout's state asks for, in place of ``before``, the allotment that is in force.

    While it goes on: the champion has what the challenger has not; at share 0 the challenger is a shadow.
    After it: everything to whoever has won; an overtaken one asks for nothing but ``before``. Shadows that
    have nothing to do with the rollout stay.
    """
    if rollout.phase == "overtaken":
        return before
    if not rollout.going_on:
        winner = rollout.challenger if rollout.phase == "promoted" else rollout.champion
        alone = everything_to(winner, after=before)
        return msgspec.structs.replace(alone, shadows=_bystanders(rollout, before, room=MOST_ARMS))
    share = rollout.share
    champion = msgspec.structs.replace(rollout.champion, name=CHAMPION, share=1 - share)
    challenger = msgspec.structs.replace(rollout.challenger, name=CHALLENGER, share=share)
    arms, shadows = ((champion, challenger), ()) if share else ((champion,), (challenger,))
    return Allotment(
        arms=arms,
        shadows=(*shadows, *_bystanders(rollout, before, room=MOST_ARMS - len(shadows))),
        sticky=before.sticky,
        salt=salt_of(rollout),
    )


def salt_of(rollout: Rollout) -> str:
    """Another one for each rollout, so that its challenger meets other keys; always the same for one.

    ``rollout.number`` has to be given already.
    """
    named = f"{rollout.number}:{rollout.challenger.digest}".encode()
    return hashlib.blake2b(named, digest_size=SALT_BYTES).hexdigest()


def _bystanders(rollout: Rollout, before: Allotment, *, room: int) -> tuple[PolicyArm, ...]:
    """Shadows of other versions, as many as there is room for."""
    versions, names = {rollout.champion.version, rollout.challenger.version}, {CHAMPION, CHALLENGER}
    others = [arm for arm in before.shadows if arm.version not in versions and arm.name not in names]
    return tuple(others[:room])
