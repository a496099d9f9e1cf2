"""Gates: what must hold before a model may be registered. They only judge: whoever asks acts on it."""

from collections.abc import Collection, Iterator, Sequence

import msgspec

from siklus.errors import ProjectError
from siklus.project.sections import Gates, SliceGate
from siklus.stats.bounds import Bound, parse_bound
from siklus.stats.intervals import Estimate
from siklus.stats.paired import Difference
from siklus.stats.scores import Task, metric_named
from siklus.train.evaluate import FEWEST_SLICE_ROWS, Evaluation, Slice

GATES = "[gates]"

# Below it a comparison lets too much through: of the promotions by a paired test at 5 %, 44 % are harmful
# at 500 labels, 14 % at 4,000 and 1 % at 20,000 (simulated).
ENOUGH_LABELS = 4_000
NAMED_SLICES = 5  # in one sentence


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """One gate: what was asked, what was found (None: no number that is defined), and why it ended so."""

    name: str
    bound: str
    value: float | None
    passed: bool
    why: str


def judge(
    evaluation: Evaluation, gates: Gates, *, parity: bool | None, champion: Difference | None
) -> tuple[GateResult, ...]:
    """Every gate with its result, in the order of the file.

    ``parity``: did the export agree with the trained model (None: there is no certificate). ``champion``: the
    new model's loss minus the champion's on the same rows (None: there is no champion). A gate whose metric
    is undefined fails. A slice with too few rows, or in which the metric is undefined, is not judged, which
    is said; a slice gate that could judge no slice at all fails.
    """
    return tuple(_results(evaluation, gates, parity, champion))


def refuse_wrong_gates(gates: Gates, *, task: Task, columns: Collection[str]) -> None:
    """PJ010, PJ012 or PJ013 for a gate that could never be judged; slices may name ``columns``."""
    for bounds in (gates.bounds, *(item.bounds for item in gates.slices)):
        for name, text in bounds.items():
            parse_bound(name, text, task=task, where=GATES)
    if gates.champion is not None:
        metric_named(gates.champion, task=task, where=f"{GATES} champion")
    for item in gates.slices:
        if item.column not in columns:
            raise ProjectError(
                "PJ013", f"[gates] slices: no column {item.column!r}", expected=f"one of {', '.join(columns)}"
            )


def _results(
    evaluation: Evaluation, gates: Gates, parity: bool | None, champion: Difference | None
) -> Iterator[GateResult]:
    for name, text in gates.bounds.items():
        bound = parse_bound(name, text, task=evaluation.task, where=GATES)
        yield _of_metric(name, text, bound, evaluation)
    if gates.parity:
        yield _of_parity(parity)
    if gates.champion is not None:
        yield _of_champion(gates.champion, champion)
    for item in gates.slices:
        yield from _of_slices(item, evaluation)


def _of_metric(name: str, text: str, bound: Bound, evaluation: Evaluation) -> GateResult:
    found = evaluation.metrics[name]
    if found.value is None:
        why = f"{name} is undefined on the {evaluation.rows:,} rows"
        return GateResult(name=name, bound=text, value=None, passed=False, why=why)
    why = f"over {evaluation.rows:,} rows{_interval(found, evaluation.level)}"
    if found.low is not None and found.high is not None and bound.holds(found.low) != bound.holds(found.high):
        why += ", which crosses the bound"
    return GateResult(name=name, bound=text, value=found.value, passed=bound.holds(found.value), why=why)


def _interval(found: Estimate, level: float) -> str:
    if found.low is None or found.high is None:
        return ", too few for an interval"
    return f"; {100 * level:g} % interval {found.low:.4g} to {found.high:.4g}"


def _of_parity(parity: bool | None) -> GateResult:
    why = {
        True: "the exported model answers as the trained one",
        False: "the exported model differs from the trained one",
        None: "there is no certificate: the model could not be exported to ONNX",
    }[parity]
    return GateResult(name="parity", bound="true", value=None, passed=parity is True, why=why)


def _of_champion(metric: str, difference: Difference | None) -> GateResult:
    name, bound = "champion", f"not worse in {metric}"
    if difference is None:
        return GateResult(name=name, bound=bound, value=None, passed=True, why="there is no champion yet")
    way = "higher" if difference.mean > 0 else "lower"
    why = (
        f"mean loss {abs(difference.mean):.4g} {way} than the champion's on the same {difference.rows:,} rows"
    )
    low, high = difference.low, difference.high
    if low is not None and high is not None:
        why += f"; {100 * difference.level:g} % interval of the difference {low:.4g} to {high:.4g}"
    if difference.loss not in ("", metric):
        why += f"; row by row {difference.loss} stands in for {metric}"
    if difference.rows < ENOUGH_LABELS:
        why += f"; below {ENOUGH_LABELS:,} rows this is weak evidence"
    return GateResult(name=name, bound=bound, value=difference.mean, passed=not difference.worse, why=why)


def _of_slices(item: SliceGate, evaluation: Evaluation) -> Iterator[GateResult]:
    slices = evaluation.slices.get(item.column, ())
    for metric, text in item.bounds.items():
        bound = parse_bound(metric, text, task=evaluation.task, where=GATES)
        found = [(part, _value(part, metric)) for part in slices]
        judged = [(part, value) for part, value in found if value is not None]
        not_judged = [part for part, value in found if value is None]
        name = f"{metric} by {item.column}"
        if not judged:
            why = f"no value of {item.column!r} could be judged{_passed_over(not_judged)}"
            yield GateResult(name=name, bound=text, value=None, passed=False, why=why)
            continue
        worst = bound.worst([value for _, value in judged])
        why = _of_judged(judged, bound, worst) + _passed_over(not_judged)
        yield GateResult(name=name, bound=text, value=worst, passed=bound.holds(worst), why=why)


def _value(part: Slice, metric: str) -> float | None:
    return part.metrics[metric].value if metric in part.metrics else None


def _of_judged(judged: Sequence[tuple[Slice, float]], bound: Bound, worst: float) -> str:
    broken = [f"{part.label} {value:.4g}" for part, value in judged if not bound.holds(value)]
    if broken:
        return f"broken in {len(broken)} of {len(judged)}: {_few(broken)}"
    [part, *_] = [part for part, value in judged if value == worst]
    return f"holds in all {len(judged)}; the worst is {part.label}, {part.rows:,} rows"


def _passed_over(slices: Sequence[Slice]) -> str:
    """What was not judged, and why."""
    few = [f"{part.label} ({part.rows})" for part in slices if part.too_few_rows]
    undefined = [str(part.label) for part in slices if not part.too_few_rows]
    said = f"; not judged below {FEWEST_SLICE_ROWS} rows: {_few(few)}" if few else ""
    return said + (f"; undefined for {_few(undefined)}" if undefined else "")


def _few(names: Sequence[str]) -> str:
    more = len(names) - NAMED_SLICES
    return ", ".join(names[:NAMED_SLICES]) + (f" and {more} more" if more > 0 else "")
