"""Rollouts in the control database: each decision is one transaction, of state, traffic policy and journal."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa

from siklus.automation.freezes import Freeze
from siklus.automation.rollout import Decision, Evidence, Rollout
from siklus.registry.control import METADATA, Control
from siklus.registry.journal import Entry
from siklus.registry.policy import TrafficPolicy

FORMAT = 1
AUTHOR = "siklus"  # of what the loop decides
CONFLICT = "AU013"  # somebody else has decided meanwhile: look again, at the next turn

ROLLOUTS = sa.Table(
    "rollouts",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    # Counts the writes: whoever writes says which one it saw.
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("format", sa.Integer, nullable=False),
    # True or NULL, and NULLs are all different: so one rollout of a model goes on at a time.
    sa.Column("going_on", sa.Boolean),
    sa.Column("phase", sa.String(20), nullable=False),
    sa.Column("challenger", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.UniqueConstraint("model", "going_on"),
)

# Writes in the same transaction what somebody must hear of these entries.
Also: TypeAlias = Callable[[sa.Connection, Sequence[Entry]], None]


def nothing_else(_connection: sa.Connection, _entries: Sequence[Entry]) -> None:
    """What else belongs into the transaction of a decision, where nothing does."""


class Rollouts:
    """One model's rollouts and experiments, of which at most one goes on.

    Whoever decides says what it saw: of two at once one gets AutomationError AU013, and nothing of its
    decision is written. ``also`` may write more into the transaction of each decision.
    """

    def __init__(self, control: Control, model: str, *, also: Also = nothing_else) -> None: ...

    def current(self) -> Rollout | None:
        """The one that goes on, running or paused; None without one."""

    def get(self, number: int) -> Rollout:
        """AutomationError AU010 when there is no such rollout."""

    def history(self, *, limit: int = 20) -> list[Rollout]:
        """The latest ones, the newest first."""

    def frozen(self, now: datetime) -> Freeze | None:
        """Until when nothing may be rolled out by itself; None when it may. `start` does not ask."""

    def overtaken(self, rollout: Rollout) -> TrafficPolicy | None:
        """The traffic policy that somebody else has made since the rollout's own; None while there is none."""

    def start(self, draft: Rollout) -> Rollout:
        """Begin with the first step. The draft says who is against whom, by which plan, when (``began``), by
        whom and why, and upon which revision of the traffic policy (``traffic``); its number is given here.

        AutomationError AU011 while another one goes on, AU013 when that revision is not the latest.
        """

    def carry_out(
        self, rollout: Rollout, decision: Decision, *, evidence: Evidence, now: datetime
    ) -> Rollout:
        """Do what `next_step` has decided about this very state, and journal it with its evidence.

        The rollout as it is then comes back: the same one, unwritten, where the decision changes nothing.
        AutomationError AU013 when the state or the traffic policy is another by now.
        """

    def give_way(self, rollout: Rollout, *, now: datetime) -> Rollout:
        """End it as overtaken: the traffic policy stays as somebody else has made it."""

    def pause(self, rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
        """Shares stay as they are until `resume`; AutomationError AU014 for one that does not run."""

    def resume(self, rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
        """Go on with the present step from its beginning; AutomationError AU014 for one that is not paused."""

    def stop(self, rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
        """End it by hand: all requests go back to the champion, and nothing is frozen."""
