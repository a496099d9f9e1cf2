"""What `siklus retrain` says, in words and tables."""

from collections.abc import Iterator

from siklus.automation.retraining.jobs import Retraining
from siklus.automation.retraining.retrained import RowsTaken
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.verdict import ColumnSign, Verdict
from siklus.cli.output import results, table
from siklus.cli.retrain_outlook import Outlook
from siklus.monitor.amounts import percent

SHOWN_COLUMNS = 12
VERDICTS = {
    "retrain": "Retrain",
    "wait": "Wait",
    "data bug": "A bug in the data: mend it, and don't train on it",
}


def waiting_said(retrainings: Retrainings, *, loop: bool, look: str) -> str:
    """Right after an ask: what it waits for."""
    current = retrainings.current()
    if current is not None:
        return (
            f"Asked for. It begins once retraining {current.number} has ended, "
            f"which is {current.state} since {current.since:%Y-%m-%d %H:%M}."
        )
    if loop:
        return (
            f"Asked for: the loop begins it within {look}, unless a rollout goes on. `siklus history` tells."
        )
    return (
        "Asked for, but no loop runs: it waits for `siklus up`. "
        "`siklus retrain --now` trains and judges in the command itself."
    )


def ended_said(job: Retraining) -> str:
    """What came of it, and what a person may do then."""
    version = "" if job.version is None else f" Version {job.version}"
    match job.state:
        case "accepted":
            told = f"{version.strip()} is accepted: {job.reason}."
            return (
                f"{told}\n`siklus up` gives it requests step by step, and watches it; "
                f"`siklus promote {job.version}` brings it live at once."
            )
        case "undecided":
            return (
                f"{version.strip()} cannot be judged yet: {job.reason}.\n"
                "`siklus up` judges it again when labels come."
            )
        case "refused" if job.version is not None:
            return f"{version.strip()} is refused: {job.reason}.\nThe champion stays."
        case _:
            return f"Retraining {job.number} {job.state}: {job.reason}."


def print_outlook(outlook: Outlook) -> None:
    console = results()
    answers = "no version yet" if outlook.version is None else f"version {outlook.version}"
    console.print(f"What answers now: {answers}", markup=False)
    if outlook.triggers:
        rows = [(each.trigger, "yes" if each.due else "no", each.said) for each in outlook.triggers]
        console.print(table("", ["trigger", "due", "how it stands"], rows))
    else:
        console.print("[retrain] on names no trigger: only asks begin a retraining", markup=False)
    console.print()
    for line in _verdict(outlook.verdict):
        console.print(line, markup=False)
    if outlook.verdict.columns:
        console.print(table("", ["column", "drift", "shift", "worth", "what"], _columns(outlook.verdict)))
        console.print(
            "shift: of the mean, in σ; worth: of the model's loss, what shuffling the column would add",
            markup=False,
            style="dim",
        )
    console.print()
    for line in _rows(outlook):
        console.print(line, markup=False)
    console.print()
    for line in _what_would_be(outlook):
        console.print(line, markup=False)


def _verdict(verdict: Verdict) -> Iterator[str]:
    yield f"Verdict: {VERDICTS[verdict.what]}. {verdict.said}"
    if verdict.quality is not None and verdict.quality.value is not None:
        found = verdict.quality
        bounds = "" if found.low is None else f" ({found.low:.4g} to {found.high:.4g})"
        floor = "" if verdict.floor is None else f"; its floor: {verdict.floor}"
        yield f"Quality on recent outcomes: {verdict.metric} {found.value:.4g}{bounds}{floor}"
    if verdict.expected is not None:
        yield (
            f"To expect by the answers alone: {verdict.metric} {verdict.expected:.4g}, "
            "as long as the same rows mean the same; it decides nothing"
        )


def _columns(verdict: Verdict) -> Iterator[tuple[str, ...]]:
    shown = [sign for sign in verdict.columns if sign.moved or sign.broke]
    shown += [sign for sign in verdict.columns if sign not in shown]
    for sign in shown[:SHOWN_COLUMNS]:
        yield (
            sign.name,
            sign.verdict or "",
            "" if sign.sigmas is None else f"{sign.sigmas:.2f}",
            "" if sign.worth is None else percent(sign.worth),
            _said(sign),
        )
    if len(shown) > SHOWN_COLUMNS:
        yield (f"and {len(shown) - SHOWN_COLUMNS} more", "", "", "", "")


def _said(sign: ColumnSign) -> str:
    words = []
    if sign.broke:
        words.append(f"broken: {sign.broke.replace('_', ' ')}")
    if sign.moved:
        words.append("raises the alarm")
    if (sign.moved or sign.broke) and not sign.matters:
        words.append("the model hardly uses it")
    return ", ".join(words)


def _rows(outlook: Outlook) -> Iterator[str]:
    if outlook.unlearned:
        yield f"Nothing can be learnt from what is answered: {outlook.unlearned}."
    if outlook.rows_problem:
        yield f"Rows to train on: {outlook.rows_problem}"
        return
    if outlook.rows is not None:
        yield from _taken(outlook.rows)
    for finding in outlook.findings:
        yield f"{'Stops it: ' if finding.blocks else 'Seen in the labels: '}{finding.message}"


def _taken(rows: RowsTaken) -> Iterator[str]:
    span = ""
    if rows.first is not None and rows.last is not None:
        span = f", of {rows.first:%Y-%m-%d} to {rows.last:%Y-%m-%d}"
    yield (
        f"Rows to train on ([retrain] window = {rows.window!r}): {rows.total:,}{span}: "
        f"{rows.source:,} of the source, {rows.logged:,} logged with their outcome"
    )
    for why, count in rows.left_out.items():
        yield f"  left out: {count:,}, {why}"
    for column, cells in rows.unseen.items():
        yield f"  {column}: {cells:,} cells with words that the contract does not know"


def _what_would_be(outlook: Outlook) -> Iterator[str]:
    loop = "the loop" if outlook.loop else "a loop (`siklus up`; none runs now)"
    if outlook.asks:
        yield (
            f"Asked for, {outlook.asks} times, and not begun yet."
            if outlook.asks > 1
            else "Asked for, and not begun yet."
        )
    due = any(each.due for each in outlook.triggers) or outlook.asks > 0
    if outlook.begins:
        yield f"By itself {loop} would begin a retraining now."
    elif not due:
        yield f"By itself {loop} would begin nothing: no trigger is due."
    elif outlook.hold is not None:
        yield f"By itself {loop} would begin nothing now: {outlook.hold.said}"
    else:
        yield f"By itself {loop} would begin nothing, because of the verdict."
    if outlook.hold is not None and outlook.hold.why == "busy":
        # Where something is due, what it waits for has just been said.
        what = "that." if due else f"this: {outlook.hold.said}"
        yield f"`siklus retrain` asks for one, which begins after {what}"
    else:
        yield "`siklus retrain` asks for one, which begins whatever triggers, verdict and cooldown say."
