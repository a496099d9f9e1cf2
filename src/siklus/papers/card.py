"""The model card as it stands today: what was sealed with the model, and what has become of it since."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from siklus.errors import PapersError
from siklus.papers.evidence import Evidence, Measured

CARD = "card.md"
PICTURES = "pictures"
MAX_CARD_BYTES = 1_000_000


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry says of the version; ``annotations`` are paragraphs that people wrote."""

    number: int
    stage: str | None
    annotations: tuple[str, ...] = ()


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """The version's answers that the log has, made until then, and how good those were whose outcomes came:
    ``found`` of ``metric``, at 95 %."""

    until: datetime
    predictions: int
    labelled: int
    metric: str
    found: Measured | None


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the bundle. ``signature``: a sentence; ``lived``: None where no log is at hand."""

    registered: Registered | None = None
    signature: str = ""
    lived: Lived | None = None


def living_card(evidence: Evidence, since: Since) -> str:
    """Markdown: the sealed card, then the release and its life. PapersError PA004 where there is none."""
    file = evidence.path / CARD
    if not file.is_file() or file.stat().st_size > MAX_CARD_BYTES:
        told = f"{file}: no card of at most {MAX_CARD_BYTES} bytes"
        raise PapersError("PA004", told, expected="a bundle with a model card")
    sealed = file.read_text("utf-8", errors="replace").rstrip()
    lines = [sealed, "", *_release(evidence, since), "", *_lived(evidence, since), ""]
    return "\n".join(lines)


def pictures(bundle: Path) -> dict[str, bytes]:
    """The sealed PNG files by their names, without the ending."""
    files = sorted((bundle / PICTURES).glob("*.png"))
    return {file.stem.replace("_", " "): file.read_bytes() for file in files}


def _release(evidence: Evidence, since: Since) -> Iterator[str]:
    yield "## This release"
    if since.registered is not None:
        stage = since.registered.stage or "in no stage"
        yield f"- Version {since.registered.number} of {evidence.manifest.name}, {stage}."
    yield f"- Sealed {evidence.manifest.created:%Y-%m-%d %H:%M} UTC, digest `{evidence.digest}`."
    if since.signature:
        yield f"- Signature: {since.signature}."
    for paragraph in since.registered.annotations if since.registered is not None else ():
        yield f"- A note: {' '.join(paragraph.split())}"


def _lived(evidence: Evidence, since: Since) -> Iterator[str]:
    yield "## What production has shown"
    lived = since.lived
    if lived is None:
        yield "Nothing that could be read here: no log of this version's answers is at hand."
        return
    yield (
        f"- {lived.predictions:,} answers in the log here, until {lived.until:%Y-%m-%d %H:%M} UTC; "
        f"{lived.labelled:,} of them with their outcome."
    )
    if lived.found is None or lived.found.value is None:
        yield f"- How good they were ({lived.metric}) is not known yet."
        return
    then = evidence.evaluation.metrics.get(lived.metric)
    before = f"; in the evaluation {_shown(then)}" if then is not None and then.value is not None else ""
    yield f"- {lived.metric} of these: {_shown(lived.found)}{before}."


def _shown(found: Measured) -> str:
    bounds = "" if found.low is None or found.high is None else f" ({found.low:.4g} to {found.high:.4g})"
    return f"{found.value:.4g}{bounds}"
