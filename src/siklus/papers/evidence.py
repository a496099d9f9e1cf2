"""What a sealed bundle says of itself, read for its papers: of any age, also one that was packaged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from siklus.bundle.manifest import Manifest, read_manifest
from siklus.bundle.papers import Provenance
from siklus.bundle.read import read_provenance, verify
from siklus.bundle.write import digest_of
from siklus.contract.columns import Contract, parse_contract
from siklus.errors import PapersError

EVALUATION = "evaluation.json"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A score with its interval; None where it, or that, is undefined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class MeasuredSlice(msgspec.Struct, frozen=True, kw_only=True):
    """The rows in which a column has the value ``label`` (None: missing)."""

    label: Any = None
    rows: int = 0
    metrics: dict[str, Measured] = {}


class MeasuredOn(msgspec.Struct, frozen=True, kw_only=True):
    """The evaluation: ``level`` is that of the intervals, ``slices`` are by column."""

    rows: int = 0
    level: float = 0.95
    metrics: dict[str, Measured] = {}
    slices: dict[str, tuple[MeasuredSlice, ...]] = {}


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    evaluation: MeasuredOn = MeasuredOn()


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A verified bundle's documents. ``version``: as it is registered, or the beginning of its digest."""

    path: Path
    digest: str
    version: str
    manifest: Manifest
    contract: Contract
    provenance: Provenance
    evaluation: MeasuredOn

    def scores(self) -> Iterator[tuple[str, str, Measured]]:
        """Each defined score: the metric, the slice as `column=value` ("" for all rows), what was found."""
        for name, found in self.evaluation.metrics.items():
            if found.value is not None:
                yield name, "", found
        for column, slices in self.evaluation.slices.items():
            for part in slices:
                for name, found in part.metrics.items():
                    if found.value is not None:
                        yield name, f"{column}={part.label}", found


def evidence(path: Path, *, version: str | None = None) -> Evidence:
    """Verify the bundle and read its documents; its model is not opened. BundleError BN001 to BN011 for a
    damaged one, PapersError PA003 where its evaluation cannot be read as one."""
    manifest = read_manifest(path)
    verify(path, manifest)
    digest, file = digest_of(path), path / "contract.json"
    return Evidence(
        path=path,
        digest=digest,
        version=version or digest[:12],
        manifest=manifest,
        contract=parse_contract(file.read_bytes(), where=str(file)),
        provenance=read_provenance(path),
        evaluation=_evaluation(path),
    )


def _evaluation(path: Path) -> MeasuredOn:
    file = path / EVALUATION
    if not file.is_file():
        return MeasuredOn()
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Document).evaluation
    except msgspec.MsgspecError as exc:
        raise PapersError("PA003", f"{file}: {exc}", expected="the evaluation of a training") from exc
