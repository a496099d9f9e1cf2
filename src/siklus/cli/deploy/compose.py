"""`siklus deploy compose`"""

import typer

from siklus.cli.deploy.drafted import ForceFlag, ToOption, put, usual
from siklus.cli.deploy.waiting import EveryOption, GroupIntervalOption, GroupWaitOption
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app
from siklus.deploy.stack.compose import Stack, compose_files
from siklus.deploy.stack.secrets import FOLDER, make_secrets
from siklus.deploy.watching.alertmanager import GROUP_INTERVAL, GROUP_WAIT
from siklus.deploy.watching.prometheus import SCRAPE
from siklus.files import write_once
from siklus.monitor.alerts.rules import project_rules

app = command_app()


@app.command()
def compose(
    to: ToOption = None,
    every: EveryOption = SCRAPE,
    group_wait: GroupWaitOption = GROUP_WAIT,
    group_interval: GroupIntervalOption = GROUP_INTERVAL,
    force: ForceFlag = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """The whole stack on one machine: replicas behind a proxy, the loop, stores, and who watches them."""
    found = opened(project)
    directory = to or usual(found, "compose")
    stack = Stack(directory=directory, every=every, group_wait=group_wait, group_interval=group_interval)
    files = compose_files(found, project_rules(found.settings), stack)
    code = put(files.drafts, directory, force=force, remarks=files.remarks, as_json=as_json)
    write_once(directory / ".env", files.environment)
    made = make_secrets(directory)
    if made and not as_json:
        typer.echo(
            f"Passwords are in {directory / FOLDER}: keep a copy of that folder with your backups.", err=True
        )
    return code
