"""`siklus resume`"""

from datetime import UTC, datetime

from msgspec import Struct

from siklus.automation.rollout.freezes import Freeze
from siklus.automation.rollout.rollout import Rollout
from siklus.cli.control import author
from siklus.cli.going_on import going_on, open_rollouts
from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results

app = command_app()


class Resumed(Struct, frozen=True, kw_only=True):
    """What goes on again, or the freeze that has ended early: one of them."""

    rollout: Rollout | None = None
    thawed: Freeze | None = None


@app.command()
def resume(
    reason: ReasonOption = "",
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Let a paused rollout go on. Where none goes on, end the freeze that a rollback has brought."""
    by, now = author(), datetime.now(UTC)
    with open_rollouts(opened(project)) as rollouts:
        thawed = rollouts.thaw(by=by, now=now, reason=reason) if rollouts.current() is None else None
        done = Resumed(thawed=thawed)
        if thawed is None:
            paused = going_on(rollouts, "rollout", "experiment")
            done = Resumed(rollout=rollouts.resume(paused, by=by, now=now, reason=reason))
    if as_json:
        print_json(done)
    elif done.rollout is None:
        results().print("Rollouts may begin by themselves again.", markup=False)
    else:
        resumed = done.rollout
        results().print(f"{resumed.kind.capitalize()} {resumed.number} goes on.", markup=False)
    return 0
