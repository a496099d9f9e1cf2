"""The model card: what a person reads before trusting a model, written from the evidence alone."""

from siklus.bundle.papers import Provenance
from siklus.bundle.write import Contents
from siklus.contract.columns import Contract
from siklus.stats.scores import DEFAULT_METRIC
from siklus.train.card_parts import code, columns, limits, metric_table, moment, origin, slices, use
from siklus.train.evaluate import Evaluation
from siklus.train.results import Exported, Gated, Ingested, Results, Searched
from siklus.train.setting import Setting

IMPORTANT_COLUMNS = 10


def card(setting: Setting, results: Results, provenance: Provenance) -> str:
    """Markdown: the card of a trained model."""
    ingested, searched = results.of("ingest", Ingested), results.of("search", Searched)
    exported, gated = results.of("export", Exported), results.of("gate", Gated)
    parts = results.parts
    gates = [f"- {'holds' if g.passed else 'FAILS'}: {g.name} {g.bound}: {g.why}" for g in gated.gates]
    lines = [
        *_heading(
            setting.name, setting.contract, f"{searched.candidate}. Trained {moment(provenance.trained)}"
        ),
        *use(setting.contract),
        "## Data",
        *_source(setting, ingested),
        f"- {ingested.rows:,} rows (snapshot `{ingested.digest}`), split by {parts.by}: "
        f"{len(parts.train):,} train, {len(parts.valid):,} valid, {len(parts.test):,} test.",
        "",
        *columns(setting.contract),
        "",
        f"## Choice\n{searched.why}.",
        "",
        f"## Evaluation on the {len(parts.test):,} test rows, which nothing was fitted on",
        *metric_table(results.evaluation),
        *slices(results.evaluation, metric=setting.metric),
        "",
        "## What the columns are worth",
        *_importance_lines(results, metric=setting.metric),
        "",
        "## Gates",
        *(gates or ["None were set."]),
        "",
        "## What is served",
        _served(exported),
        "",
        *limits(setting.contract, results.evaluation, metric=setting.metric, by=parts.by),
        *origin(provenance),
    ]
    return "\n".join(lines)


def packaged_card(contents: Contents, exported: Exported, evaluation: Evaluation, *, judged_on: str) -> str:
    """Markdown: the card of a model that was there before. ``judged_on``: what rows judged it."""
    made_from = contents.provenance
    source = f" of {made_from.source}" if made_from.source else ""
    lines = [
        *_heading(
            contents.name, contents.contract, f"{made_from.model_kind}. Packaged {moment(made_from.trained)}"
        ),
        *use(contents.contract),
        "## Data",
        f"- {made_from.data_rows:,} rows{source} came with the model; where it learned is not known here.",
        "",
        *columns(contents.contract),
        "",
        f"## Evaluation on {evaluation.rows:,} {judged_on}",
        *metric_table(evaluation),
        *slices(evaluation, metric=DEFAULT_METRIC[evaluation.task]),
        "",
        "## What is served",
        _served(exported),
        *_other_classes(contents),
        "",
        *limits(contents.contract, evaluation, metric=DEFAULT_METRIC[evaluation.task], by=""),
        *origin(made_from),
    ]
    return "\n".join(lines)


def _other_classes(contents: Contents) -> list[str]:
    """Some models, support vectors above all, decide by another rule than their own probabilities."""
    count = contents.evaluation["other_classes"]
    if not count:
        return []
    return [f"The class is the most probable one; in {count} rows the model's own `predict` names another."]


def _heading(name: str, contract: Contract, model: str) -> list[str]:
    classes = contract.target.classes
    answers = "a number" if classes is None else "one of " + ", ".join(map(str, classes))
    return [
        f"# {name}",
        "",
        f"Predicts {code(contract.target.name)} ({contract.task}: {answers}) from {len(contract.columns)} "
        f"columns. Model: {model}.",
        "",
    ]


def _source(setting: Setting, ingested: Ingested) -> list[str]:
    origin = setting.origin
    if origin is None:
        return [f"- Source: {ingested.source}"]
    return [
        f"- Source: {origin.source_rows:,} rows of {origin.source or 'no source'}, and "
        f"{origin.logged_rows:,} logged predictions with their outcomes, as known at {moment(origin.cut)}.",
        f"- Window: {origin.window}. Trigger: {setting.trigger}. Retraining {origin.job}.",
    ]


def _importance_lines(results: Results, *, metric: str) -> list[str]:
    worth = sorted(results.evaluation.importance.items(), key=lambda item: -item[1].mean)
    lines = [
        f"- {code(name)}: {found.mean:.4g} ± {found.std:.2g}" for name, found in worth[:IMPORTANT_COLUMNS]
    ]
    return [
        f"How much worse {metric} gets when the column is shuffled; columns that tell the same share it.",
        *lines,
    ]


def _served(exported: Exported) -> str:
    parity = exported.parity
    if exported.format != "onnx":
        return f"The native model ({exported.format}), because {exported.why}."
    if parity is None:
        return f"ONNX as it came: {exported.why}."
    certified = (
        f"ONNX, certified against the trained model on {parity.rows:,} rows: at most "
        f"{parity.max_difference:.2g} off, {parity.differing_classes} rows of another class."
    )
    return f"{certified} But {exported.why}." if exported.why else certified
