"""The steps that prove: evaluate on rows that nothing was fitted on, export with parity, gate."""

from pathlib import Path

import msgspec
import numpy as np

from siklus.bundle.manifest import NATIVE_FILES, ONNX_FILE
from siklus.bundle.read import Bundle
from siklus.bundle.write import digest_of
from siklus.contract.columns import Contract, slots_of
from siklus.errors import ExportError
from siklus.train.champion import Comparison, Judges, against_champion
from siklus.train.evaluate import evaluate, importance, slices_of
from siklus.train.export import to_onnx
from siklus.train.gates import GateResult, judge
from siklus.train.native import native_bytes
from siklus.train.parity import certify
from siklus.train.pictures import pictures
from siklus.train.results import PREDICTIONS_FILE, Exported, Gated, Results, leave, save_array
from siklus.train.setting import Setting
from siklus.train.trials import predict


def evaluate_model(setting: Setting, results: Results, draft: Path) -> str:
    """Metrics with intervals on the test part, whole and by slice; pictures; what each column is worth."""
    parts, seed = results.parts, setting.opened.settings.train.seed
    rows, target = results.matrix[parts.test], results.target[parts.test]
    model = results.model
    predictions = predict(model, rows, setting.question)
    save_array(draft / PREDICTIONS_FILE, predictions)
    evaluation = evaluate(
        target,
        predictions,
        task=setting.contract.task,
        classes=setting.contract.target.classes,
        slices=slices_of(
            setting.contract,
            results.table.take(parts.test),
            asked={gate.column for gate in setting.opened.settings.gates.slices},
        ),
        seed=seed,
    )
    worth = importance(
        lambda matrix: predict(model, matrix, setting.question),
        rows,
        target,
        slot_groups(setting.contract),
        metric=setting.metric,
        seed=seed,
    )
    evaluation = msgspec.structs.replace(evaluation, importance=worth)
    leave(draft, evaluation)
    for name, data in pictures(evaluation, target, predictions).items():
        (draft / name).write_bytes(data)
    found = evaluation.metrics[setting.metric]
    value = "is undefined" if found.value is None else f"{found.value:.4g}"
    interval = "" if found.low is None else f" (95 %: {found.low:.4g} to {found.high:.4g})"
    return f"{setting.metric} {value}{interval} on {len(target):,} rows"


def export_model(setting: Setting, results: Results, draft: Path) -> str:
    """ONNX with a parity certificate on the test rows; where that does not hold, the native model."""
    task, rows = setting.contract.task, np.asarray(results.matrix[results.parts.test])
    parity, why = None, ""
    try:
        graph = to_onnx(results.model, width=setting.contract.width, task=task)
        parity = certify(graph, rows, results.predictions, task=task)
        if not parity.holds:
            why = f"ONNX differs by {parity.max_difference:.2g} (tolerance {parity.tolerance:g})"
    except ExportError as exc:
        why = exc.message
    if parity is not None and parity.holds:
        (draft / ONNX_FILE).write_bytes(graph)
        leave(draft, Exported(format="onnx", parity=parity))
        return (
            f"ONNX, {len(graph) / 1e6:.1f} MB; over {parity.rows:,} rows at most "
            f"{parity.max_difference:.2g} off, {parity.differing_classes} other classes"
        )
    form, data = native_bytes(results.model, task=task)
    file = draft / NATIVE_FILES[form]
    file.parent.mkdir()
    file.write_bytes(data)
    leave(draft, Exported(format=form, parity=parity, why=why))
    return f"native {form}, because {why}"


def gate_model(setting: Setting, results: Results, champion: Bundle | None, draft: Path) -> str:
    """All gates. ``champion``: the bundle in production, where a gate asks about it and there is one."""
    gates = setting.opened.settings.gates
    exported = results.of("export", Exported)
    compared = None if champion is None else compared_with(champion, setting, results)
    judged = judge(
        results.evaluation,
        gates,
        parity=exported.parity.holds if exported.parity else None,
        champion=compared.difference if compared else None,
    )
    if compared is not None:
        judged = tuple(_told(gate, compared) if gate.name == "champion" else gate for gate in judged)
    passed = all(gate.passed for gate in judged)
    against = None if champion is None else digest_of(champion.path)
    leave(draft, Gated(passed=passed, champion=against, gates=judged))
    if not judged:
        return "no gates are set in [gates]"
    return f"{sum(gate.passed for gate in judged)} of {len(judged)} hold"


def compared_with(champion: Bundle, setting: Setting, results: Results) -> Comparison:
    """The new model beside the champion, on the test part."""
    opened, test = setting.opened, results.parts.test
    judges = Judges(
        table=results.table.take(test),
        target=results.target[test],
        answers=results.predictions,
        classes=setting.contract.target.classes,
    )
    return against_champion(
        judges,
        champion,
        metric=opened.settings.gates.champion or setting.metric,
        key=opened.settings.data.key,
        snapshots=opened.paths.snapshots,
    )


def _told(gate: GateResult, compared: Comparison) -> GateResult:
    """What is compared with has been found; what could not be compared has not been shown to be no worse."""
    if compared.difference is None:
        return msgspec.structs.replace(gate, passed=False, why=compared.about)
    return msgspec.structs.replace(gate, why=f"{gate.why}; {compared.about}")


def slot_groups(contract: Contract) -> dict[str, list[int]]:
    """The positions in the matrix of each column."""
    groups: dict[str, list[int]] = {}
    at = 0
    for column in contract.columns:
        width = len(slots_of(column))
        groups[column.name] = list(range(at, at + width))
        at += width
    return groups
