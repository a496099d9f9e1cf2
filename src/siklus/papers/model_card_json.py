"""The model's part of a CycloneDX document: its card, and the data that it was trained on.

https://cyclonedx.org/docs/1.6/json/ (`modelCard` and `data` of a component): the library has no classes.
"""

from typing import Any

from siklus.contract.columns import kind_of
from siklus.papers.evidence import Evidence, Measured

DATA_REF = "training-data"


def model_card(evidence: Evidence) -> dict[str, Any]:
    """Parameters, inputs and output, and each score with its interval."""
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": evidence.contract.task,
            "architectureFamily": evidence.provenance.model_kind,
            "modelArchitecture": evidence.manifest.model,
            "datasets": [{"ref": DATA_REF}],
            "inputs": [
                {"format": f"{column.name}: {kind_of(column)}"} for column in evidence.contract.columns
            ],
            "outputs": [{"format": _output(evidence)}],
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [_performance(name, part, found) for name, part, found in evidence.scores()]
        },
        "properties": _properties(
            {
                "siklus:evaluation.rows": str(evidence.evaluation.rows),
                "siklus:evaluation.level": str(evidence.evaluation.level),
                **{f"siklus:parameter.{key}": str(value) for key, value in _parameters(evidence)},
            }
        ),
    }


def training_data(evidence: Evidence) -> list[dict[str, Any]]:
    """The `data` of the component that stands for the rows."""
    made = evidence.provenance
    contents: dict[str, Any] = {
        "properties": _properties(
            {
                "siklus:data.digest": made.data_digest,
                "siklus:data.rows": made.data_rows,
                "siklus:data.trained_rows": made.trained_rows,
                "siklus:data.logged_rows": None if made.origin is None else made.origin.logged_rows,
            }
        )
    }
    sensitive = [column.name for column in evidence.contract.columns if column.sensitive]
    told = {"sensitiveData": sensitive} if sensitive else {}
    return [{"type": "dataset", "name": made.source or "rows", "contents": contents, **told}]


def _performance(name: str, part: str, found: Measured) -> dict[str, Any]:
    made: dict[str, Any] = {"type": name, "value": repr(found.value)}
    if part:
        made["slice"] = part
    if found.low is not None and found.high is not None:
        made["confidenceInterval"] = {"lowerBound": repr(found.low), "upperBound": repr(found.high)}
    return made


def _output(evidence: Evidence) -> str:
    target = evidence.contract.target
    if target.classes is None:
        return f"{target.name}: number"
    return f"{target.name}: one of {', '.join(map(str, target.classes))}, with probabilities"


def _parameters(evidence: Evidence) -> list[tuple[str, Any]]:
    return sorted(evidence.provenance.parameters.items())


def _properties(found: dict[str, Any]) -> list[dict[str, str]]:
    return [{"name": name, "value": str(value)} for name, value in found.items() if value is not None]
