"""`siklus alerts`"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec
import typer

from siklus.cli.alert_tables import print_history, print_listing
from siklus.cli.control import author, has_control, project_control
from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened, refuse_options_before, seconds_given
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.errors import AlertError, SiklusError
from siklus.monitor.alerts.listing import listing
from siklus.monitor.alerts.outbox import KIND as NOTIFICATION
from siklus.monitor.alerts.rules import Rule, project_rules
from siklus.monitor.alerts.silences import KIND as SILENCE
from siklus.monitor.alerts.states import Silence
from siklus.monitor.alerts.store import KIND as ALERT
from siklus.monitor.alerts.store import Alerts
from siklus.monitor.alerts.trial import trial
from siklus.monitor.notify.opening import Reached, open_receivers
from siklus.project.file import OpenProject
from siklus.project.tables import near

KINDS = (ALERT, SILENCE, NOTIFICATION)

app = command_app()

Rules = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The rule; '*' stands for any letters, alone for all rules.", show_default=False
    ),
]
Feature = Annotated[
    str | None,
    typer.Option("--feature", metavar="COLUMN", help="Only of this column.", show_default=False),
]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One test notification. ``problem``: why it was not delivered; None when it was."""

    rule: str
    receiver: str
    problem: str | None


@app.callback(invoke_without_command=True)
def alerts(context: typer.Context, project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """Of which signals somebody must hear, and when. Without a command: list."""
    if context.invoked_subcommand is None:
        return list_alerts(project, as_json)
    refuse_options_before(context, project=project, as_json=as_json)
    return 0


@app.command(name="list")
def list_alerts(project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """Show all rules and how they stand.

    As of the last look; with who was told, and what is silenced.
    """
    found, now = opened(project), datetime.now(UTC)
    rules = project_rules(found.settings)
    with _kept(found) as kept:
        shown = listing(rules, kept, now=now)
    if as_json:
        print_json(shown)
    else:
        print_listing(shown, found.settings.monitor, now=now)
    return 0


@app.command(name="test")
def send_test(
    name: Annotated[
        str | None,
        typer.Argument(help="The rule; the first one without a name.", show_default=False),
    ] = None,
    receiver: Annotated[
        str | None,
        typer.Option("--receiver", metavar="NAME", help="Only this one, whoever else the rule names."),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Send what a rule would, marked as a test.

    Ends with 1 when it does not arrive.
    """
    found, now = opened(project), datetime.now(UTC)
    rule = _named(project_rules(found.settings), name)
    receivers = open_receivers(
        found.settings, root=found.paths.root, environment=os.environ, now=lambda: datetime.now(UTC)
    )
    wanted = rule.receivers if receiver is None else (receiver,)
    if not wanted:
        raise AlertError("AL005", f"rule {rule.name} notifies nobody", expected="--receiver NAME")
    tried = [_try(found, rule, each, receivers, now=now) for each in wanted]
    if as_json:
        print_json(tried)
    for each in () if as_json else tried:
        said = "sent, as a test" if each.problem is None else f"not sent: {each.problem}"
        results().print(f"{each.receiver}: {said}", markup=False)
    return int(any(each.problem for each in tried))


@app.command()
def silence(
    name: Rules,
    hold: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long: 30m, 2h, 7d …")] = "2h",
    feature: Feature = None,
    reason: ReasonOption = "",
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Tell nobody of an alert for a while. What still fires at the end is told then."""
    found, now = opened(project), datetime.now(UTC)
    _refuse_unknown(project_rules(found.settings), name)
    until = now + timedelta(seconds=seconds_given(hold, option="--for"))
    made = Silence(rule=name, feature=feature, created=now, until=until, author=author(), reason=reason)
    with project_control(found) as control:
        Alerts(control, found.settings.project.name).silences.add(made)
    if as_json:
        print_json(made)
    else:
        results().print(f"Silenced until {until:%Y-%m-%d %H:%M} UTC: {_whole(name, feature)}", markup=False)
        _warn_of_alertmanager(found)
    return 0


@app.command()
def unsilence(
    name: Rules, feature: Feature = None, project: ProjectOption = HERE, as_json: JsonFlag = False
) -> int:
    """End a silence.

    One that was made in these very words; ends with 1 where there is none.
    """
    found, now = opened(project), datetime.now(UTC)
    with _kept(found) as kept:
        lifted = 0 if kept is None else kept.silences.lift(name, feature=feature, author=author(), now=now)
    if as_json:
        print_json({"rule": name, "feature": feature, "lifted": lifted})
    else:
        said = "Silenced no more" if lifted else "No silence"
        results().print(f"{said}: {_whole(name, feature)}", markup=False)
    return 0 if lifted else 1


@app.command()
def history(
    count: Annotated[int, typer.Option("-n", min=1, help="How many of the newest.")] = 20,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Show what has happened, the newest first.

    Which alerts began and ended, who was told, and who silenced what.
    """
    with _kept(opened(project)) as kept:
        entries = [] if kept is None else kept.journal.history(limit=count, kinds=KINDS)
    if as_json:
        print_json(entries)
    else:
        print_history(entries)
    return 0


@contextmanager
def _kept(project: OpenProject) -> Iterator[Alerts | None]:
    """The project's alerts; None where nothing was ever kept, since a question makes no database."""
    if not has_control(project):
        yield None
        return
    with project_control(project) as control:
        yield Alerts(control, project.settings.project.name)


def _named(rules: Sequence[Rule], name: str | None) -> Rule:
    if not rules:
        raise AlertError("AL004", "there is no alert rule", expected="an [[alerts]], or the default rules")
    if name is None:
        return rules[0]
    _refuse_unknown(rules, name)
    return next(rule for rule in rules if fnmatchcase(rule.name, name))


def _refuse_unknown(rules: Sequence[Rule], pattern: str) -> None:
    names = [rule.name for rule in rules]
    if not any(fnmatchcase(name, pattern) for name in names):
        raise AlertError("AL004", f"no alert rule {pattern!r}", expected=near(pattern, names))


def _try(
    project: OpenProject, rule: Rule, name: str, receivers: dict[str, Reached], *, now: datetime
) -> Tried:
    if name not in receivers:
        told = f"no receiver {name!r}"
        raise AlertError("AL005", told, expected=f"one of {', '.join(sorted(receivers))}")
    notification = trial(rule, project=project.settings.project.name, receiver=name, now=now)
    try:
        receivers[name].receiver.send(notification)
    except SiklusError as error:
        return Tried(rule=rule.name, receiver=name, problem=str(error))
    return Tried(rule=rule.name, receiver=name, problem=None)


def _whole(name: str, feature: str | None) -> str:
    return name if feature is None else f"{name} of {feature}"


def _warn_of_alertmanager(project: OpenProject) -> None:
    if project.settings.monitor.evaluator == "prometheus":
        sys.stderr.write("siklus: Alertmanager sends here, and knows nothing of it: silence it there too\n")
