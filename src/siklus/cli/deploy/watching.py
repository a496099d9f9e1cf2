"""`siklus deploy prometheus|alertmanager|grafana`"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from siklus.cli.deploy.drafted import ForceFlag, ToOption, put, usual
from siklus.cli.deploy.waiting import EveryOption, GroupIntervalOption, GroupWaitOption
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app
from siklus.deploy.watching.alertmanager import GROUP_INTERVAL, GROUP_WAIT, Sending, alertmanager_files
from siklus.deploy.watching.grafana import Viewing, grafana_drafts
from siklus.deploy.watching.prometheus import SCRAPE, Scraping, prometheus_drafts
from siklus.monitor.alerts.rules import project_rules
from siklus.project.file import OpenProject

app = command_app()

LOCAL_PROMETHEUS = "http://localhost:9090"


@app.command()
def prometheus(
    to: ToOption = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--target", metavar="HOST:PORT", help="A server to scrape; repeatable. By default [serve]'s."
        ),
    ] = None,
    alertmanagers: Annotated[
        list[str] | None,
        typer.Option(
            "--alertmanager", metavar="HOST:PORT", help="Who sends; repeatable. localhost:9093 by default."
        ),
    ] = None,
    key_file: Annotated[
        str | None,
        typer.Option(
            "--key-file", metavar="FILE", help="An API key alone in its file, where servers ask for one."
        ),
    ] = None,
    every: EveryOption = SCRAPE,
    force: ForceFlag = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Where it scrapes, drift and signals as recording rules, and the project's alert rules."""
    found = opened(project)
    scraping = Scraping(
        targets=tuple(targets or ()),
        alertmanagers=tuple(alertmanagers or ("localhost:9093",)),
        every=every,
        key_file=key_file,
    )
    drafts = prometheus_drafts(found.settings, project_rules(found.settings), scraping)
    remarks = list(_remarks_on_keys(found, key_file))
    return put(drafts, to or usual(found, "prometheus"), force=force, remarks=remarks, as_json=as_json)


@app.command()
def alertmanager(
    to: ToOption = None,
    secrets: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where passwords and URLs lie that siklus.toml takes from the environment."
        ),
    ] = None,
    group_wait: GroupWaitOption = GROUP_WAIT,
    group_interval: GroupIntervalOption = GROUP_INTERVAL,
    force: ForceFlag = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Who hears of which alert: mail and webhooks of [notify.*]."""
    found = opened(project)
    directory = to or usual(found, "alertmanager")
    sending = Sending(
        project=found.paths.root,
        secrets=secrets or directory.resolve() / "secrets",
        group_wait=group_wait,
        group_interval=group_interval,
    )
    files = alertmanager_files(found.settings, project_rules(found.settings), sending)
    return put(files.drafts, directory, force=force, remarks=files.remarks, as_json=as_json)


@app.command()
def grafana(
    to: ToOption = None,
    prometheus_url: Annotated[
        str | None,
        typer.Option(
            "--prometheus", metavar="URL", help=f"As Grafana sees it; [monitor]'s, or {LOCAL_PROMETHEUS}."
        ),
    ] = None,
    dashboards: Annotated[
        str | None,
        typer.Option(
            "--dashboards-at",
            metavar="DIR",
            help="Where the dashboards lie, as Grafana sees it; DIR/dashboards.",
        ),
    ] = None,
    force: ForceFlag = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Its provisioning, and three dashboards: service, model and drift."""
    found = opened(project)
    directory = to or usual(found, "grafana")
    viewing = Viewing(
        prometheus=prometheus_url or found.settings.monitor.prometheus or LOCAL_PROMETHEUS,
        dashboards=dashboards or str(directory.resolve() / "dashboards"),
    )
    return put(grafana_drafts(viewing), directory, force=force, remarks=(), as_json=as_json)


def _remarks_on_keys(project: OpenProject, key_file: str | None) -> Iterator[str]:
    if key_file is None and project.paths.keys.exists():
        yield "The server asks for keys: `siklus keys add prometheus` shows one for --key-file FILE."
