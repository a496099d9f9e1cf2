"""`siklus pause`"""

from datetime import UTC, datetime

from siklus.cli.control import author
from siklus.cli.going_on import going_on, open_rollouts
from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results

app = command_app()


@app.command()
def pause(
    reason: ReasonOption = "",
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Leave the rollout, or the experiment, on its present step until `siklus resume`.

    A challenger that proves worse is rolled back all the same.
    """
    with open_rollouts(opened(project)) as rollouts:
        seen = going_on(rollouts, "rollout", "experiment")
        paused = rollouts.pause(seen, by=author(), now=datetime.now(UTC), reason=reason)
    if as_json:
        print_json(paused)
    else:
        named = f"{paused.kind.capitalize()} {paused.number}"
        told = f"{named} is paused: version {paused.challenger.version} keeps its part until `siklus resume`."
        results().print(told, markup=False)
    return 0
