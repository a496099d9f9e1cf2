"""The steps that prove: evaluate on rows that nothing was fitted on, export with parity, gate."""

from pathlib import Path

import msgspec
import numpy as np

from siklus.bundle.manifest import NATIVE_FILES, ONNX_FILE
from siklus.bundle.read import open_bundle
from siklus.contract.columns import Contract, slots_of
from siklus.contract.decode import decode_table
from siklus.errors import ExportError
from siklus.registry.versions import Version
from siklus.stats.paired import Difference, compare
from siklus.table import Table
from siklus.train.evaluate import evaluate, importance, slices_of
from siklus.train.export import to_onnx
from siklus.train.gates import judge
from siklus.train.native import native_bytes
from siklus.train.parity import certify
from siklus.train.pictures import pictures
from siklus.train.results import PREDICTIONS_FILE, Exported, Gated, Results, leave
from siklus.train.setting import Setting
from siklus.train.trials import predict

CHAMPION_LEVEL = 0.95


def evaluate_model(setting: Setting, results: Results, draft: Path) -> str:
    """Metrics with intervals on the test part, whole and by slice; pictures; what each column is worth."""
    parts, seed = results.parts, setting.opened.settings.train.seed
    rows, target = results.matrix[parts.test], results.target[parts.test]
    model = results.model
    predictions = predict(model, rows, classify=setting.classify)
    np.save(draft / PREDICTIONS_FILE, predictions)
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
        lambda matrix: predict(model, matrix, classify=setting.classify),
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
    interval = "" if found.low is None else f" (95 %: {found.low:.4g} to {found.high:.4g})"
    return f"{setting.metric} {found.value:.4g}{interval} on {len(target):,} rows"


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
            f"ONNX, {len(graph) / 1e6:.1f} MB; over {parity.rows:,} rows at most {parity.max_difference:.2g} off, "
            f"{parity.differing_classes} other classes"
        )
    form, data = native_bytes(results.model, task=task)
    file = draft / NATIVE_FILES[form]
    file.parent.mkdir()
    file.write_bytes(data)
    leave(draft, Exported(format=form, parity=parity, why=why))
    return f"native {form}, because {why}"


def gate_model(setting: Setting, results: Results, champion: tuple[Version, Path] | None, draft: Path) -> str:
    """All gates; the champion's on the very rows that the new model was judged on."""
    gates = setting.opened.settings.gates
    exported = results.of("export", Exported)
    difference = None
    if gates.champion and champion is not None:
        difference = against_champion(setting, results, champion[1], metric=gates.champion)
    judged = judge(
        results.evaluation,
        gates,
        parity=exported.parity.holds if exported.parity else None,
        champion=difference,
    )
    passed = all(gate.passed for gate in judged)
    leave(draft, Gated(passed=passed, gates=judged))
    if not judged:
        return "no gates are set in [gates]"
    return f"{sum(gate.passed for gate in judged)} of {len(judged)} hold"


def against_champion(setting: Setting, results: Results, bundle: Path, *, metric: str) -> Difference:
    """The new model's loss minus the champion's, row by row on the test part. Above 0 the new one is worse."""
    champion = open_bundle(bundle)
    test = results.table.take(results.parts.test)
    rows = decode_table(_known_to(champion.contract, test), champion.contract).accepted()
    theirs = np.asarray(champion.predict(rows).raw, dtype=np.float64)
    return compare(
        metric, results.target[results.parts.test], results.predictions, theirs, level=CHAMPION_LEVEL
    )


def slot_groups(contract: Contract) -> dict[str, list[int]]:
    """The positions in the matrix of each column."""
    groups: dict[str, list[int]] = {}
    at = 0
    for column in contract.columns:
        width = len(slots_of(column))
        groups[column.name] = list(range(at, at + width))
        at += width
    return groups


def _known_to(contract: Contract, table: Table) -> Table:
    """Columns that an older contract does not know are not its business."""
    known = {*contract.names, contract.target.name, *contract.ignored}
    return table.select([name for name in table if name in known])
