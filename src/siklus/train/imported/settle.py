"""What is sealed: the graph, if it answers as the model does; else the model itself, if that can be."""

from dataclasses import dataclass

import numpy as np

from siklus.bundle.golden import loaded_session
from siklus.bundle.session import Session
from siklus.contract.columns import Contract
from siklus.contract.decode import Rows
from siklus.errors import BundleError, ExportError
from siklus.stats.agreement import Parity, agreement
from siklus.train.imported.asking import Floats
from siklus.train.imported.forms import Imported
from siklus.train.imported.sealable import Sealable, unsealed

BATCH_ROWS = 4096  # at once through a session, so that a million rows need no memory of their own

# A server reads numbers as float32. Where the model cuts between two that are the same then, a row comes
# out otherwise, whatever is sealed. One row in a hundred may, by more than a hundredth (of a probability,
# or of the target's spread): beyond that it is another model.
ROUNDED_FAR = 0.01
ROUNDED_SHARE = 0.01

NO_MODEL = "an ONNX file comes without the model that it was written from"


@dataclass(frozen=True, kw_only=True)
class Settled:
    """``parity``: of the graph with the model, where there are both. ``agreement``: of what is sealed,
    whatever its format, with the model's own answers. ``why``: it is native, or what is not as it was."""

    sealable: Sealable
    session: Session
    parity: Parity | None = None
    agreement: Parity | None = None
    why: str = ""


def settle(form: Imported, contract: Contract, rows: Rows, reference: Floats) -> Settled:
    """ExportError EX010 when nothing can be sealed, EX011 when nothing that can be answers as the model."""
    question = _Question(form, contract, rows, reference)
    graphs, why = _graphs(question)
    if graphs and not form.independent:
        return Settled(sealable=graphs[0].sealable, session=graphs[0].session, why=NO_MODEL)
    if graphs and graphs[-1].agreement.holds:
        return _settled(graphs[-1], parity=graphs[-1].agreement)
    for graph in graphs:
        proven = _proven_on_rounded(graph, question)
        if proven is not None:
            return _settled(graph, parity=proven, why=_about_rounding(graph.agreement))
    native = _native(question, why)
    parity = min((graph.agreement for graph in graphs), key=lambda found: found.relative, default=None)
    if native.agreement.holds:
        return _settled(native, parity=parity, why=why)
    if _is_near(native.answers, reference, question):
        return _settled(native, parity=parity, why=f"{why}; {_about_rounding(native.agreement)}")
    found = native.agreement
    raise ExportError(
        "EX011",
        f"{form.kind}: what could be sealed differs from the model's own answers in {found.rows_beyond} of "
        f"{found.rows} rows, by up to {found.max_difference:.2g}; {why}",
        expected="the same answers within 1e-05 from decoded float32 rows",
    )


@dataclass(frozen=True)
class _Question:
    form: Imported
    contract: Contract
    rows: Rows
    reference: Floats


@dataclass(frozen=True, kw_only=True)
class _Offer:
    sealable: Sealable
    session: Session
    answers: Floats
    agreement: Parity


def served_answers(session: Session, rows: Rows) -> Floats:
    """What a server would answer: probabilities (n, classes) or values (n,), float64."""
    starts = range(0, max(len(rows), 1), BATCH_ROWS)
    parts = [session.run(rows.take(slice(at, at + BATCH_ROWS))).raw for at in starts]
    return np.concatenate(parts).astype(np.float64)


def _graphs(question: _Question) -> tuple[list[_Offer], str]:
    """The model's graphs up to the first that answers as the model; and why none does."""
    offers: list[_Offer] = []
    try:
        for graph in question.form.graphs(question.contract, question.rows):
            offers.append(_offer(Sealable(format="onnx", content=graph, takes="rows"), question))
            if offers[-1].agreement.holds:
                return offers, ""
    except ExportError as exc:
        return offers, exc.message
    nearest = min(offer.agreement.max_difference for offer in offers)
    return offers, f"ONNX differs by {nearest:.2g} (tolerance {offers[0].agreement.tolerance:g})"


def _native(question: _Question, why: str) -> _Offer:
    try:
        return _offer(question.form.native(question.contract, question.rows), question)
    except ExportError as exc:
        raise ExportError(exc.code, f"{exc.message}; and {why}", expected=exc.expected) from exc


def _offer(sealable: Sealable, question: _Question) -> _Offer:
    contract = question.contract
    manifest = unsealed(contract, sealable.format, takes=sealable.takes)
    try:
        session = loaded_session(sealable.content, manifest=manifest, contract=contract)
    except BundleError as exc:
        raise ExportError("EX005", exc.message, expected=exc.expected) from exc
    answers = served_answers(session, question.rows)
    compared = agreement(answers, question.reference, task=contract.task)
    return _Offer(sealable=sealable, session=session, answers=answers, agreement=compared)


def _proven_on_rounded(graph: _Offer, question: _Question) -> Parity | None:
    """The certificate against the model on numbers as float32 has them, if only they make the difference."""
    rounded = question.form.rounded_answers(question.contract, question.rows)
    if rounded is None or not _is_near(rounded, question.reference, question):
        return None
    found = agreement(graph.answers, rounded, task=question.contract.task)
    return found if found.holds else None


def _is_near(answers: Floats, reference: Floats, question: _Question) -> bool:
    found = agreement(answers, reference, task=question.contract.task, tolerance=ROUNDED_FAR)
    return found.rows_beyond <= ROUNDED_SHARE * found.rows


def _about_rounding(found: Parity) -> str:
    return (
        f"{found.rows_beyond} of {found.rows} rows come out otherwise, by up to {found.max_difference:.2g}, "
        "because their numbers are read as float32"
    )


def _settled(offer: _Offer, *, parity: Parity | None, why: str = "") -> Settled:
    return Settled(
        sealable=offer.sealable, session=offer.session, parity=parity, agreement=offer.agreement, why=why
    )
