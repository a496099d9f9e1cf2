"""The model card: what a person reads before trusting a model, written from the evidence alone."""

from siklus.contract.columns import kind_of
from siklus.stats.intervals import Estimate
from siklus.train.results import Exported, Gated, Ingested, Results, Searched
from siklus.train.setting import Setting

IMPORTANT_COLUMNS = 10


def card(setting: Setting, results: Results) -> str:
    """Markdown."""
    ingested, searched = results.of("ingest", Ingested), results.of("search", Searched)
    exported, gated = results.of("export", Exported), results.of("gate", Gated)
    parts = results.parts
    classes = setting.contract.target.classes
    answers = "a number" if classes is None else "one of " + ", ".join(map(str, classes))
    lines = [
        f"# {setting.name}",
        "",
        f"Predicts `{setting.contract.target.name}` ({setting.contract.task}: {answers}) "
        f"from {len(setting.contract.columns)} columns. Model: {searched.candidate}. Trained {setting.now:%Y-%m-%d %H:%M} UTC.",
        "",
        "## Data",
        f"- Source: {ingested.source}",
        f"- {ingested.rows:,} rows (snapshot `{ingested.digest}`), split by {parts.by}: "
        f"{len(parts.train):,} train, {len(parts.valid):,} valid, {len(parts.test):,} test.",
        "- Columns: "
        + ", ".join(f"`{column.name}` ({kind_of(column)})" for column in setting.contract.columns),
        "",
        f"## Choice\n{searched.why}",
        "",
        f"## Evaluation on the {len(parts.test):,} test rows, which nothing was fitted on",
        "| metric | value | 95 % interval |",
        "| --- | --- | --- |",
        *(_metric_line(name, found) for name, found in results.evaluation.metrics.items()),
        "",
        "## What the columns are worth",
        *_importance_lines(results),
        "",
        "## Gates",
        *(
            [f"- {'holds' if g.passed else 'FAILS'}: {g.name} {g.bound}: {g.why}" for g in gated.gates]
            or ["None were set."]
        ),
        "",
        "## What is served",
        _served(exported),
        "",
    ]
    return "\n".join(lines)


def _metric_line(name: str, found: Estimate) -> str:
    if found.value is None:
        return f"| {name} | undefined on these rows | |"
    interval = "" if found.low is None else f"{found.low:.4g} to {found.high:.4g}"
    return f"| {name} | {found.value:.4g} | {interval} |"


def _importance_lines(results: Results) -> list[str]:
    worth = sorted(results.evaluation.importance.items(), key=lambda item: -item[1].mean)
    return [f"- `{name}`: {found.mean:.4g} ± {found.std:.2g}" for name, found in worth[:IMPORTANT_COLUMNS]]


def _served(exported: Exported) -> str:
    if exported.format == "onnx" and exported.parity is not None:
        return (
            f"ONNX, certified against the trained model on {exported.parity.rows:,} rows: "
            f"at most {exported.parity.max_difference:.2g} off, {exported.parity.differing_classes} rows of another class."
        )
    return f"The native model ({exported.format}), because {exported.why}."
