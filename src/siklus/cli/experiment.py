"""`siklus experiment`"""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from msgspec import Struct, structs

from siklus.automation.past import Past
from siklus.automation.rollout.accounts import part
from siklus.automation.rollout.experiment import OUTCOME, ExperimentResult
from siklus.automation.rollout.experiment_rows import read_result
from siklus.automation.rollout.rollout import Rollout
from siklus.automation.rollout.table import Looked
from siklus.bundle.read import open_cached
from siklus.cli.control import author, project_control
from siklus.cli.experiment_words import verdict
from siklus.cli.going_on import asked_rollouts, begin, drafted_for, going_on, open_rollouts
from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened, refuse_options_before
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.policies import current_policy, decide
from siklus.cli.rollout_words import standing
from siklus.cli.staged import make_live
from siklus.errors import BundleError, RecordsError
from siklus.project.file import OpenProject
from siklus.records.layout import Layout
from siklus.registry.policy import everything_to
from siklus.registry.sticky import parse_sticky
from siklus.stats.scores import metric_named
from siklus.train.metric import metric_of

NO_KEY = "none"
MOST = 0.99  # of the requests: without some of the champion's nothing can be compared
LEAST = 0.001

app = command_app()

Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="Compared by this one, or by `outcome`, what came true itself; [train] metric by default.",
        show_default=False,
    ),
]


class Status(Struct, frozen=True, kw_only=True):
    """An experiment, what was seen of it last, and what it has shown; None without."""

    experiment: Rollout | None = None
    looked: Looked | None = None
    result: ExperimentResult | None = None


@app.callback(invoke_without_command=True)
def experiment(context: typer.Context, project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """Two versions that answer different requests: which one does better? Without a command: status."""
    if context.invoked_subcommand is None:
        return status(project=project, as_json=as_json)
    refuse_options_before(context, project=project, as_json=as_json)
    return 0


@app.command()
def start(
    which: Annotated[str, typer.Argument(metavar="VERSION", help="A number, a stage or `latest`.")],
    share: Annotated[
        float, typer.Option("--share", min=LEAST, max=MOST, help="Of the requests, its part.")
    ] = 0.5,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="header:NAME|column:NAME",
            help="What assigns a request for good; `none`: chance. By default what assigns them now.",
        ),
    ] = None,
    reason: ReasonOption = "",
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Give a version a part of the requests, beside the champion, until somebody stops it.

    A version that fails more often, or is too slow, is taken back by `siklus up`.
    """
    found = opened(project)
    plan = structs.replace(found.settings.rollout, steps=(share,))
    draft = drafted_for(found, which, plan=plan, reason=reason)
    sticky = draft.sticky
    if key is not None:
        sticky = None if key == NO_KEY else str(parse_sticky(key))
    begun = begin(found, structs.replace(draft, kind="experiment", sticky=sticky))
    make_live(found)
    if as_json:
        print_json(begun)
    else:
        told = f"Experiment {begun.number} has begun: version {begun.challenger.version} {part(begun)}."
        results().print(told, markup=False)
        results().print("`siklus experiment status` says what it has shown so far.", markup=False)
    return 0


@app.command()
def status(
    number: Annotated[
        int | None, typer.Argument(help="Of an earlier one; without it the latest.", show_default=False)
    ] = None,
    metric: Metric = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Show what the experiment has shown so far. To look often makes it no less certain."""
    found, now = opened(project), datetime.now(UTC)
    shown = Status()
    with asked_rollouts(found) as rollouts:
        if rollouts is not None:
            latest = rollouts.history(limit=100) if number is None else [rollouts.get(number)]
            of_kind = next((rollout for rollout in latest if rollout.kind == "experiment"), None)
            if of_kind is not None:
                shown = Status(experiment=of_kind, looked=rollouts.looked(of_kind.number))
    if shown.experiment is not None:
        result = _result(found, shown.experiment, shown.looked, metric=metric, now=now)
        shown = structs.replace(shown, result=result)
    if as_json:
        print_json(shown)
    else:
        _print(shown, now=now)
    return 0


@app.command()
def stop(
    promote: Annotated[
        bool, typer.Option("--promote", help="All requests to the new version, instead of the champion.")
    ] = False,
    reason: ReasonOption = "",
    metric: Metric = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """End the experiment; what it has shown is kept in the journal."""
    found, now = opened(project), datetime.now(UTC)
    with open_rollouts(found) as rollouts:
        seen = going_on(rollouts, "experiment")
        looked = rollouts.looked(seen.number)
        result = _known_result(found, seen, looked, metric=metric, now=now)
        said = "" if result is None else verdict(seen, result)
        why = "; ".join(word for word in (reason, said) if word)
        if not promote:
            over = rollouts.stop(seen, by=author(), now=now, reason=why)
    if promote:
        policy = current_policy(found)
        allotment = everything_to(seen.challenger, after=None if policy is None else policy.allotment)
        decide(found, allotment, seen=policy, reason=why, kind="promotion")
        with open_rollouts(found) as rollouts:
            over = rollouts.get(seen.number)
    make_live(found)
    shown = Status(experiment=over, looked=looked, result=result)
    if as_json:
        print_json(shown)
    else:
        _print(shown, now=now)
    return 0


def _known_result(
    project: OpenProject, experiment: Rollout, looked: Looked | None, *, metric: str | None, now: datetime
) -> ExperimentResult | None:
    """The same; None where it cannot be read, which is said: whoever wants to stop must be able to."""
    try:
        return _result(project, experiment, looked, metric=metric, now=now)
    except (RecordsError, BundleError) as error:
        sys.stderr.write(f"siklus: {error}; it is stopped without its result\n")
        return None


def _result(
    project: OpenProject, experiment: Rollout, looked: Looked | None, *, metric: str | None, now: datetime
) -> ExperimentResult:
    """RecordsError RC003, RC006; BundleError for a champion that cannot be opened here; PJ010."""
    if metric is None:
        metric = metric_of(project.settings)
    elif metric != OUTCOME:
        metric = metric_named(metric, task=project.settings.project.task, where="--metric").name
    arm = experiment.champion
    champion = open_cached(arm.digest, project.paths.bundles, version=str(arm.version))
    classes = champion.contract.target.classes
    if metric == OUTCOME and classes is not None and len(classes) > 2:
        told = f"an outcome of {len(classes)} classes has no mean"
        raise typer.BadParameter(told, param_hint="--metric")
    with project_control(project) as control:
        ended = Past(control, project.settings.project.name).ended(experiment)
    return read_result(
        Layout(project.paths.records),
        experiment,
        metric=metric,
        classes=classes,
        until=now if ended is None else ended,
        allocation=None if looked is None else looked.evidence.allocation,
    )


def _print(shown: Status, *, now: datetime) -> None:
    if shown.experiment is None:
        told = "There was no experiment yet: `siklus experiment start VERSION` begins one."
        results().print(told, markup=False)
        return
    lines = standing(shown.experiment, shown.looked, now=now)
    if shown.result is not None:
        said = verdict(shown.experiment, shown.result)
        if said not in shown.experiment.reason:  # in which `stop` keeps it
            lines.append(said)
    for line in lines:
        results().print(line, markup=False)
