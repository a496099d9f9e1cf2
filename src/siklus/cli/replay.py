"""`siklus replay`"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from siklus.automation.replay.replay import SAMPLE_ROWS, ReplayQuestion, replay
from siklus.automation.replay.replayed import Cost, Part, Replay, replay_refusal
from siklus.cli.options import HERE, ProjectOption, listed, moment_option, opened, seconds_given
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.registered import champion_of, opened_version
from siklus.monitor.amounts import amount, counted, length_of_time
from siklus.monitor.quality.words import told
from siklus.records.layout import Layout

app = command_app()

SPEAKS_AGAINST = 1
LAST = "7d"
SHOWN_CELLS = 200  # characters of a row


@app.command(name="replay")
def replay_command(
    which: Annotated[str, typer.Argument(metavar="VERSION", help="A number, a stage or `latest`.")],
    last: Annotated[
        str | None, typer.Option(help="How far back: 90m, 24h, 7d …; 7d by default.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Rows answered from this moment on (ISO 8601, UTC).", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="And before this one; now by default.", show_default=False)
    ] = None,
    by: Annotated[str, typer.Option(help="version, arm or columns (by commas), told apart.")] = "",
    sample: Annotated[int, typer.Option(min=0, help="At most so many rows, drawn at random; 0: all.")] = (
        SAMPLE_ROWS
    ),
    fail: Annotated[
        bool, typer.Option("--fail", help="Exit with 1 when something speaks against it.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Ask a version what was asked of the servers, before any user meets it.

    Says what it would answer otherwise, what it would refuse or fail at, how long it takes beside the
    champion, and, where outcomes have come, which of the two is better. Nobody is answered by it.
    """
    project_file = opened(project)
    end = datetime.now(UTC) if until is None else moment_option(until, "--until")
    question = ReplayQuestion(
        since=_since(since, last, until=end), until=end, sample=sample or None, by=listed(by)
    )
    _, candidate = opened_version(project_file, which)
    champion = champion_of(project_file)
    found = replay(
        Layout(project_file.paths.records),
        question,
        project_file.settings,
        candidate=candidate,
        champion=champion,
    )
    against = replay_refusal(found, latency_factor=project_file.settings.rollout.latency_factor)
    if as_json:
        print_json(found)
    else:
        show(found)
        results().print(f"\n{verdict(found, against)}", markup=False)
    worse = found.quality is not None and found.quality.worse
    return SPEAKS_AGAINST if fail and (against or worse) else 0


def verdict(found: Replay, against: str) -> str:
    """What a reader should take away, in a sentence or two."""
    if against:
        return f"Version {found.version} should meet no user yet: {against}."
    return f"Nothing speaks against showing version {found.version} to users. {who_is_better(found)}"


def who_is_better(found: Replay) -> str:
    """By the labelled rows."""
    evidence = found.quality
    if evidence is None:
        return "No outcome is known of these rows, so nobody can say who is better."
    if evidence.low is None or evidence.high is None:
        return f"Too few outcomes are known to say who is better: {evidence.rows:,}."
    rows = f"on {counted(evidence.rows, 'row')} with an outcome"
    if not found.unseen:
        rows += ", some of which a model may have been trained on"
    numbers = (
        f"its mean loss ({evidence.loss}) is {evidence.mean:+.4g} beside that of version {found.champion} "
        f"({evidence.low:+.4g} to {evidence.high:+.4g}) {rows}."
    )
    if evidence.better:
        return f"It is better than the champion: {numbers}"
    if evidence.worse:
        return f"But it is worse than the champion: {numbers}"
    return f"It is not shown to be better or worse: {numbers}"


def show(found: Replay) -> None:
    console = results()
    title = f"Version {found.version} asked again, {told(found.since)} to {told(found.until)} UTC"
    console.print(table(title, ["", ""], _summary(found)))
    if found.reasons:
        rows = [
            (f"{reason.rows:,}", reason.code, reason.column, reason.message, reason.first)
            for reason in found.reasons
        ]
        headings = ["rows", "code", "column", "why", "first prediction"]
        console.print(table("\nNot answered", headings, rows))
    if found.switches:
        switches = [(each.answered, each.candidate, f"{each.rows:,}") for each in found.switches]
        console.print(table("\nOther classes", ["was answered", "it says", "rows"], switches))
    for name, parts in found.groups.items():
        console.print(_parts(name, parts))
    if found.farthest:
        far = [
            (
                each.prediction_id,
                each.answered if isinstance(each.answered, str) else f"{each.answered:.4g}",
                each.candidate if isinstance(each.candidate, str) else f"{each.candidate:.4g}",
                each.outcome,
                _cells(each.features),
            )
            for each in found.farthest
        ]
        headings = ["prediction", "was answered", "it says", "came true", "row"]
        console.print(table("\nFarthest from what was answered", headings, far))


def _summary(found: Replay) -> Iterator[tuple[str, str]]:
    drawn = f", drawn from {found.logged:,}" if found.logged > found.rows else ""
    speed = f"; {found.rows / found.seconds:,.0f} a second" if found.seconds > 0 else ""
    yield "rows", f"{found.rows:,}{drawn}{speed}"
    yield "answered", f"{found.answered:,}{_unanswered(found)}"
    if found.answered:
        yield "the same answer", f"{found.same:,} ({amount(found.same / found.answered, 'share')})"
    distances = found.distances
    if distances is not None:
        of = "difference" if found.task == "regression" else "probability of the answer"
        yield (
            of,
            f"{distances.mean:+.4g} on average; without the sign {distances.median:.4g} (half), "
            f"{distances.p90:.4g} (nine tenths), {distances.p99:.4g} (99 %), {distances.largest:.4g} (most)",
        )
    if found.latency is not None:
        ours, theirs = _cost(found.latency.candidate), _cost(found.latency.champion)
        yield "a row alone", f"{ours}; version {found.champion}: {theirs}"
    yield "with an outcome", counted(found.labelled, "row")


def _unanswered(found: Replay) -> str:
    kinds = {"refused": found.refused, "failed": found.failed, "no finite number": found.invalid}
    said = ", ".join(f"{rows:,} {kind}" for kind, rows in kinds.items() if rows)
    return f"; {said}; of these version {found.champion} answers {found.lost:,}" if said else ""


def _cost(cost: Cost) -> str:
    return f"{length_of_time(cost.median)} (half), {length_of_time(cost.p99)} (99 %)"


def _parts(name: str, parts: Sequence[Part]) -> object:
    headings = [name, "rows", "not answered", "the same", "mean difference", "labelled", "loss lower by"]
    rows = [
        (
            part.name,
            f"{part.rows:,}",
            f"{part.unanswered:,}",
            "" if part.same is None else amount(part.same, "share"),
            "" if part.distance is None else f"{part.distance:.4g}",
            f"{part.labelled:,}",
            "" if part.gain is None else f"{part.gain:+.4g}",
        )
        for part in parts
    ]
    return table(f"\nBy {name}", headings, rows)


def _cells(features: dict[str, object]) -> str:
    text = ", ".join(f"{name} {cell}" for name, cell in features.items())
    return text if len(text) <= SHOWN_CELLS else f"{text[:SHOWN_CELLS]}…"


def _since(since: str | None, last: str | None, *, until: datetime) -> datetime:
    if since is not None and last is not None:
        raise typer.BadParameter("takes one of --since and --last")
    if since is not None:
        return moment_option(since, "--since")
    return until - timedelta(seconds=seconds_given(last or LAST, option="--last"))
