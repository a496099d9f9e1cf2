"""MLflow's stages follow what was decided: the champion is in production, a challenger in staging while its
rollout goes on, and archived when it has lost.

`python -m siklus.automation.stages --project DIR` moves them once: MLflow is loaded in that process only.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa

from siklus.automation.rollout.rollout import Rollout
from siklus.automation.rollout.rollouts import Rollouts
from siklus.errors import SiklusError
from siklus.project.file import open_project
from siklus.registry.control import METADATA, Control, control_uri, open_control
from siklus.registry.policy import TrafficPolicy
from siklus.registry.stages import Stage
from siklus.registry.traffic import NOTHING, Traffic
from siklus.registry.versions import Registry
from siklus.tracking.mlflow import open_tracking

RECENT = 20  # rollouts that may end between two moves; those before stay where they are

MOVED = sa.Table(
    "stages_moved",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("traffic", sa.Integer, nullable=False),
    sa.Column("rollout", sa.Integer, nullable=False),
)


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What the stages go by: a revision of the traffic policy, and the latest rollout that was over."""

    traffic: int = NOTHING
    rollout: int = 0


class Stages:
    """One model's stages, beside its decisions."""

    def __init__(self, control: Control, model: str) -> None:
        self._control = control
        self._model = model
        self._traffic = Traffic(control, model)
        self._rollouts = Rollouts(control, model)
        control.ensure(MOVED)

    def behind(self) -> bool:
        """Whether something was decided since that moves one of them: shares alone do not, and to ask MLflow
        takes seconds. A few small questions."""
        before = self._moved()
        if self._traffic.revision() == before.traffic:
            return False
        policies = self._traffic.history(limit=RECENT)
        then = next((policy for policy in policies if policy.revision == before.traffic), None)
        if then is None:
            return True
        answered = {arm.version for arm in then.allotment.everybody}
        lately = self._lately(before)
        known = [rollout for rollout in lately if rollout.challenger.version in answered]
        return wanted(policies[0], lately) != wanted(then, known)

    def move(self, registry: Registry) -> None:
        """Move them, where they are not yet as was decided. Errors are those of `Registry.promote`."""
        policy, before = self._traffic.current(), self._moved()
        if policy is None or policy.revision == before.traffic:
            return
        lately = self._lately(before)
        held = {version.number: version.stage for version in registry.versions(self._model)}
        for number, stage in wanted(policy, lately).items():
            # Whoever has lost leaves staging; where people have put it since, it stays.
            if held.get(number) != stage and (stage != "archived" or held.get(number) == "staging"):
                registry.promote(self._model, str(number), stage)
        over = [rollout.number for rollout in lately if not rollout.going_on]
        self._note(Moved(traffic=policy.revision, rollout=max(over, default=before.rollout)))

    def _lately(self, before: Moved) -> list[Rollout]:
        """Rollouts that go on, or ended since."""
        recent = self._rollouts.history(limit=RECENT)
        return [rollout for rollout in recent if rollout.number > before.rollout]

    def _moved(self) -> Moved:
        wanted = sa.select(MOVED).where(MOVED.c.model == self._model)
        with self._control.transaction() as connection:
            row = connection.execute(wanted).one_or_none()
        return Moved() if row is None else Moved(traffic=row.traffic, rollout=row.rollout)

    def _note(self, moved: Moved) -> None:
        values = msgspec.structs.asdict(moved)
        of_model = MOVED.c.model == self._model
        try:
            with self._control.transaction() as connection:
                if connection.execute(MOVED.update().where(of_model).values(**values)).rowcount == 0:
                    connection.execute(MOVED.insert().values(model=self._model, **values))
        except sa.exc.IntegrityError:
            return  # another machine has moved them at this moment, and what it has noted is as good


def wanted(policy: TrafficPolicy, lately: Sequence[Rollout]) -> dict[int, Stage]:
    """The stages of the versions that a decision is about, in the order in which they are to be moved.

    ``lately``: rollouts that go on, or ended since the stages were moved last.
    """
    answering = {arm.version for arm in policy.allotment.everybody}
    champion = policy.allotment.champion.version
    stages: dict[int, Stage] = {champion: "production"}
    for rollout in lately:
        challenger = rollout.challenger.version
        if rollout.going_on and challenger in answering:
            stages.setdefault(challenger, "staging")
        elif challenger not in answering:
            stages.setdefault(challenger, "archived")
    return stages


def main(arguments: Sequence[str]) -> int:
    """Move them once: 0; 2 when that fails, with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m siklus.automation.stages", description=__doc__)
    parser.add_argument("--project", type=Path, default=Path(), help="the project's folder")
    given = parser.parse_args(arguments)
    try:
        project = open_project(given.project, environment=os.environ)
        url = control_uri(project.settings.state.control, project.paths.root)
        with open_control(url, file=project.paths.control_database) as control:
            registry = Registry(open_tracking(project.settings.state.tracking_uri, paths=project.paths))
            Stages(control, project.settings.project.name).move(registry)
    except SiklusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
