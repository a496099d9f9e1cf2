"""What every model card has, however the model came about: use, columns, slices, limits, origin."""

from collections.abc import Iterator
from datetime import UTC, datetime

from siklus.bundle.papers import Provenance
from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Tensor,
    Text,
    kind_of,
    label_text,
)
from siklus.stats.intervals import Estimate
from siklus.stats.scores import DEFAULT_METRIC, METRICS
from siklus.train.evaluate import FEWEST_SLICE_ROWS, Evaluation, Slice

SHOWN_WORDS = 6  # of a vocabulary
SHOWN_SLICES = 8  # of a column, the largest
FEW_TEST_ROWS = 1_000  # below it an accuracy is known to about ± 2 points at best
WORSE_NAMED = 5


def code(text: object) -> str:
    """A name of the data's as Markdown shows it, whatever it holds, in one line.

    >>> code("a\\n`b")
    "`a 'b`"
    """
    plain = " ".join(str(text).split()).replace("`", "'")
    return f"`{plain}`"


def row(*cells: object) -> str:
    """A line of a table, whatever the cells hold.

    >>> row("a|b", 1)
    '| a\\\\|b | 1 |'
    """
    return f"| {' | '.join(' '.join(str(cell).split()).replace('|', chr(92) + '|') for cell in cells)} |"


def use(contract: Contract) -> list[str]:
    """What it is for, which the contract says, and what it is not for."""
    classes = contract.target.classes
    answer = (
        f"a number for {code(contract.target.name)}"
        if classes is None
        else f"the most probable class of {code(contract.target.name)} and how probable it is"
    )
    return [
        "## Use",
        f"- For rows like those it learned from: the {len(contract.columns)} columns below, one answer a "
        f"row, {answer}.",
        "- A row that breaks the contract is refused, and not answered with a guess.",
        "- Not for telling what would happen if a cell were changed: it has learned what goes along with the "
        "outcome, not what causes it.",
        "",
    ]


def columns(contract: Contract) -> list[str]:
    """A line a column: what a cell may be."""
    lines = [row(code(column.name), kind_of(column), _cells(column)) for column in contract.columns]
    return ["| column | kind | cells |", "| --- | --- | --- |", *lines]


def metric_table(evaluation: Evaluation) -> list[str]:
    lines = [row(name, score(found), interval(found)) for name, found in evaluation.metrics.items()]
    return [f"| metric | value | {100 * evaluation.level:g} % interval |", "| --- | --- | --- |", *lines]


def slices(evaluation: Evaluation, *, metric: str) -> list[str]:
    """The metric in each value of a column; nothing where no column has few values."""
    if metric not in evaluation.metrics:
        metric = DEFAULT_METRIC[evaluation.task]
    lines = [
        row(
            code(column),
            code(_label(part)),
            f"{part.rows:,}",
            score(part.metrics[metric]),
            interval(part.metrics[metric]),
        )
        for column, parts in evaluation.slices.items()
        for part in _largest(parts)
        if metric in part.metrics
    ]
    if not lines:
        return []
    heading = ["| column | value | rows | " + metric + " | interval |", "| --- | --- | --- | --- | --- |"]
    left = sum(max(len(parts) - SHOWN_SLICES, 0) for parts in evaluation.slices.values())
    more = [f"Of each column the {SHOWN_SLICES} largest; evaluation.json has {left} more."] if left else []
    return ["", "### By column", *heading, *lines, *more]


def limits(contract: Contract, evaluation: Evaluation, *, metric: str, by: str) -> list[str]:
    """What the evaluation does not show, or shows to be worse. ``by``: how rows were split, "" if unknown."""
    return ["## Limits", *(f"- {told}" for told in _limits(contract, evaluation, metric=metric, by=by)), ""]


def moment(text: str) -> str:
    """An ISO moment in UTC as people read it.

    >>> moment("2026-01-31T12:00:59.123456+00:00")
    '2026-01-31 12:00 UTC'
    """
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def origin(provenance: Provenance) -> list[str]:
    """By whom, with what, out of what."""
    made = provenance
    commit = "no commit is known" if made.git_commit is None else f"commit `{made.git_commit}`"
    dirty = ", with changes that were not committed" if made.git_dirty else ""
    told = [
        f"Made {moment(made.trained)} by {code(made.triggered_by)}, Siklus {made.siklus}, {commit}{dirty}.",
        f"Python {made.environment.get('python', '?')}, {max(len(made.environment) - 2, 0)} packages "
        "(`provenance.json` has them all).",
    ]
    if made.seed is not None:
        told.append(f"Seed {made.seed}.")
    if made.parameters:
        words = ", ".join(f"{key} = {_short(value)}" for key, value in sorted(made.parameters.items()))
        told.append(f"Parameters: {words}.")
    if made.parent_version is not None:
        told.append(f"In production when it was made: version {made.parent_version}.")
    return ["## Where it comes from", *(f"- {line}" for line in told), ""]


def score(found: Estimate) -> str:
    return "undefined on these rows" if found.value is None else f"{found.value:.4g}"


def interval(found: Estimate) -> str:
    return "" if found.low is None or found.high is None else f"{found.low:.4g} to {found.high:.4g}"


def _limits(contract: Contract, evaluation: Evaluation, *, metric: str, by: str) -> Iterator[str]:
    if by == "time":
        yield (
            "It was judged on rows that are later than those it learned from. The world goes on after that: "
            "`siklus drift` and `siklus quality` tell how it does in production."
        )
    else:
        yield (
            "The rows that judged it are of the same time as those it learned from. How it holds up later, "
            "only production shows: `siklus drift`, `siklus quality`."
        )
    if evaluation.rows < FEW_TEST_ROWS:
        yield f"Only {evaluation.rows:,} rows judged it: the intervals are wide."
    worse = list(_worse(evaluation, metric))
    if worse:
        yield f"Worse than overall by their whole interval ({metric}): {'; '.join(worse[:WORSE_NAMED])}."
    silent = sum(part.too_few_rows for parts in evaluation.slices.values() for part in parts)
    if silent:
        few = f"fewer than {FEWEST_SLICE_ROWS} rows"
        yield f"{silent:,} of the columns' values had {few}: nothing is known of these."
    loose = [column.name for column in contract.columns if _bounded(column) and not column.strict]
    if loose:
        yield (
            f"Values outside of range or vocabulary are answered and counted, not refused: "
            f"{', '.join(map(code, loose[:SHOWN_WORDS]))}{' …' if len(loose) > SHOWN_WORDS else ''}."
        )
    sensitive = [column.name for column in contract.columns if column.sensitive]
    if sensitive:
        yield f"It reads columns that the contract calls sensitive: {', '.join(map(code, sensitive))}."


def _worse(evaluation: Evaluation, metric: str) -> Iterator[str]:
    """Slices whose whole interval lies on the bad side of the overall score."""
    overall = evaluation.metrics.get(metric)
    if overall is None or overall.value is None or metric not in METRICS:
        return
    for column, parts in evaluation.slices.items():
        for part in parts:
            found = part.metrics.get(metric)
            if found is None or found.low is None or found.high is None:
                continue
            bad = (
                found.high < overall.value if METRICS[metric].greater_is_better else found.low > overall.value
            )
            if bad:
                yield f"{code(column)} = {code(_label(part))}, {score(found)} ({interval(found)})"


def _largest(parts: tuple[Slice, ...]) -> tuple[Slice, ...]:
    return parts[:SHOWN_SLICES]


def _label(part: Slice) -> str:
    return "missing" if part.label is None else label_text(part.label)


def _bounded(column: Column) -> bool:
    match column:
        case Number() | Integer():
            return column.minimum is not None or column.maximum is not None
        case Category():
            return True
        case _:
            return False


def _cells(column: Column) -> str:
    told = [words for words in (_values(column), column.description) if words]
    if column.strict:
        told.append("anything else is refused")
    if column.nullable:
        told.append("may be missing")
    if column.optional:
        told.append(f"may be left out, then {code(column.default)}")
    if column.sensitive:
        told.append("sensitive")
    return "; ".join(told)


def _values(column: Column) -> str:
    match column:
        case Number() | Integer():
            low, high = column.minimum, column.maximum
            if low is None and high is None:
                return ""
            if high is None:
                return f"from {low:g}"
            return f"up to {high:g}" if low is None else f"{low:g} to {high:g}"
        case Category():
            words = ", ".join(code(word)[1:-1] for word in column.vocabulary[:SHOWN_WORDS])
            more = len(column.vocabulary) - SHOWN_WORDS
            return words + (f" and {more:,} more" if more > 0 else "")
        case Boolean():
            return "true, false"
        case Datetime():
            return "read as " + ", ".join(column.parts)
        case Tensor():
            return " × ".join(map(str, column.shape))
        case Text():
            return ""


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else code(value)[1:-1]
