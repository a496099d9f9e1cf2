"""Restored: a control database that was put back from a backup knows less than the servers go by.

They take no revision of the traffic policy that is not newer than theirs: what is decided from then on would
not reach them, and a share that they give a challenger would be watched by nobody. So what the database knows
is dealt anew, under a number above theirs; a rollout that goes on by it goes on.
"""

from datetime import datetime

import msgspec

from siklus.automation.by_hand import Changed, shares
from siklus.automation.rollout.table import RolloutRows
from siklus.errors import AutomationError
from siklus.registry.control import Control
from siklus.registry.journal import AUTHOR, Also, Entry, Journal, evidence_of, nobody
from siklus.registry.policy import TrafficPolicy
from siklus.registry.traffic import Traffic


class Restored:
    """One model's database beside what servers here go by. ``also`` is that of `Journal`."""

    def __init__(self, control: Control, model: str, *, also: Also = nobody) -> None:
        self._control = control
        self._traffic = Traffic(control, model)
        self._rows = RolloutRows(control, model)
        self._journal = Journal(control, model, also=also)

    def deal_anew(self, *, published: int, now: datetime) -> TrafficPolicy | None:
        """The policy as a new revision, above the ``published`` one; None where the database knows of that.

        RegistryError RG014 and AutomationError AU013 where somebody decides at this moment.
        """
        policy = self._traffic.current()
        if policy is None or published <= policy.revision:
            return None
        reason = f"servers went by revision {published}, and revision {policy.revision} is the last one known"
        made = self._traffic.next(
            policy.allotment,
            follows=policy.revision,
            by=AUTHOR,
            now=now,
            reason=reason,
            published=published,
        )
        evidence = Changed(traffic=made.revision, follows=policy.revision, allotment=made.allotment)
        entry = Entry(
            time=now,
            kind="traffic",
            subject="traffic",
            author=AUTHOR,
            text=f"{shares(made.allotment)}: {reason}",
            evidence=evidence_of(evidence),
        )
        with self._control.transaction() as connection:
            rollout = self._rows.current(connection)
            if rollout is not None and rollout.traffic == policy.revision:
                after = msgspec.structs.replace(rollout, traffic=made.revision, revision=rollout.revision + 1)
                if not self._rows.follow(connection, after, seen=rollout):
                    told = f"{rollout.kind} {rollout.number} has taken a turn at this very moment"
                    raise AutomationError("AU013", told, expected="a turn on what is known then")
            self._traffic.write(connection, made, follows=policy.revision)
            self._journal.write(connection, entry)
        return made
