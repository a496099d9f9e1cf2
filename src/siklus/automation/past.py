"""What was live, and who before: read off the revisions of the traffic policy, and the journal."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from siklus.automation.rollout.rollout import Rollout
from siklus.registry.control import Control
from siklus.registry.journal import Entry, Journal
from siklus.registry.policy import PolicyArm, TrafficPolicy
from siklus.registry.traffic import Traffic

REVISIONS = 10_000  # that are looked through: some ten a day for years
# Of journal entries that tell of another traffic policy, by the `traffic` of their evidence.
DECISIVE = ("traffic", "promotion", "rollback", "rollout", "experiment")
AT_ONCE = 20  # entries of one moment, at most: a decision writes two or three


class Made(msgspec.Struct, frozen=True):
    """Of an entry's evidence, the revision that it tells of."""

    traffic: int | None = None


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """What servers were told to answer with at a moment ``at``: ``policy``, since it was ``created``.

    ``champion_since``: since when its champion was that. ``entry``: what the journal says of the decision;
    None for one that was made without.
    """

    at: datetime
    policy: TrafficPolicy
    champion_since: datetime
    entry: Entry | None = None


class Past:
    """One model's past."""

    def __init__(self, control: Control, model: str) -> None:
        self._traffic = Traffic(control, model)
        self._journal = Journal(control, model)

    def answering(self, moment: datetime) -> Answering | None:
        """What was live then; None before the first decision."""
        found = answering_at(self._policies(), moment)
        return None if found is None else msgspec.structs.replace(found, entry=self._entry(found.policy))

    def before(self) -> PolicyArm | None:
        """Who was champion before the present one, as `before` says; None when nobody was."""
        entries = self._journal.history(limit=REVISIONS, kinds=("rollback",))
        returned = {revision for entry in entries if (revision := _made(entry)) is not None}
        return before(self._policies(), returned=returned)

    def arm(self, version: int) -> PolicyArm | None:
        """The version as it has answered or watched last; None when it never has."""
        for policy in reversed(self._policies()):
            for arm in policy.allotment.everybody:
                if arm.version == version:
                    return arm
        return None

    def ended(self, experiment: Rollout) -> datetime | None:
        """When its two ceased to share the requests; None while they do."""
        both = {experiment.challenger.version, experiment.champion.version}
        for policy in self._policies():
            later = policy.created > experiment.began
            if later and {arm.version for arm in policy.allotment.arms} != both:
                return policy.created
        return None

    def _policies(self) -> list[TrafficPolicy]:
        return self._traffic.history(limit=REVISIONS)[::-1]

    def _entry(self, policy: TrafficPolicy) -> Entry | None:
        of_then = self._journal.history(limit=AT_ONCE, kinds=DECISIVE, at=policy.created)
        return next((entry for entry in of_then if _made(entry) == policy.revision), None)


def answering_at(policies: Sequence[TrafficPolicy], moment: datetime) -> Answering | None:
    """Of all revisions, the oldest first, the latest that was made by then."""
    by_then = [policy for policy in policies if policy.created <= moment]
    if not by_then:
        return None
    policy = by_then[-1]
    since = policy.created
    for earlier in reversed(by_then):
        if earlier.allotment.champion.version != policy.allotment.champion.version:
            break
        since = min(since, earlier.created)
    return Answering(at=moment, policy=policy, champion_since=since)


def before(policies: Sequence[TrafficPolicy], *, returned: Collection[int]) -> PolicyArm | None:
    """To whom a rollback goes, by all revisions, the oldest first: the champion before the present one.

    Each new champion is put upon a pile. A rollback (its revision is among ``returned``) takes off whoever
    lies above the champion that it went back to: so the next one goes further back, and not forth again.
    """
    pile: list[PolicyArm] = []
    for policy in policies:
        champion = policy.allotment.champion
        versions = [arm.version for arm in pile]
        if policy.revision in returned and champion.version in versions:
            while pile[-1].version != champion.version:
                pile.pop()
        if not pile or pile[-1].version != champion.version:
            pile.append(champion)
    return pile[-2] if len(pile) > 1 else None


def _made(entry: Entry) -> int | None:
    found = msgspec.json.decode(entry.evidence, type=Made | None)
    return None if found is None else found.traffic
