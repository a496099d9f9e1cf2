"""`siklus.package`: a sealed bundle of a model that someone already has."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from siklus import __version__
from siklus.bundle.manifest import FILE_NAME
from siklus.bundle.papers import Golden, Provenance
from siklus.bundle.read import Bundle, open_bundle
from siklus.bundle.session import Session
from siklus.bundle.write import Contents, seal
from siklus.contract.columns import Contract, Label, Target, Task
from siklus.contract.decode import Rows, decode_table, decode_target
from siklus.contract.exact import contract_of
from siklus.errors import ExportError
from siklus.table import Cells, Table, is_missing
from siklus.tracking.provenance import environment_lock, source_state
from siklus.train.card import packaged_card
from siklus.train.evaluate import Evaluation, evaluate, slices_of
from siklus.train.imported.asking import Floats
from siklus.train.imported.forms import Imported, imported
from siklus.train.imported.given import given_labels, labels_of, table_with
from siklus.train.imported.settle import served_answers, settle
from siklus.train.results import Exported
from siklus.train.sealing import reference_profile, seal_among, with_golden

HELD_OUT = "rows that were given to judge it by"
PERHAPS_SEEN = "rows that the model may have been fitted on, so the truth is likely worse"
GUESSED_CLASSES = 20  # whole numbers with more different values are amounts, when nobody says otherwise


def package(
    model: Any,
    X: Any,
    y: Any,
    *,
    name: str,
    task: Task | None = None,
    X_test: Any = None,
    y_test: Any = None,
    directory: Path | str | None = None,
) -> Bundle:
    """Seal a fitted model as a bundle, which `siklus.serve` answers with.

    ``model``: of scikit-learn (pipelines with their own preparation too), XGBoost, LightGBM or PyTorch, or
    an ONNX model or the path of one. ``X``, ``y``: rows as it takes them and their outcomes, in pandas,
    polars, Arrow or numpy; the contract is read off them, and the model must answer them as it did before.
    A model that knows no labels (a booster, a network) has the outcomes' classes in their sorted order.
    ``X_test``, ``y_test``: rows to judge it by; without them it is judged on X and y, and the bundle says
    so. ``task``: where neither the model nor ``y`` tell. ``directory``: where the bundle goes; without it,
    under its digest into `.siklus/bundles` of the working directory.

    ExportError EX010 to EX015 says why a model cannot be packaged, EX020 that the directory holds
    something else; DataError, RowsRefused and FileError are about X, y and the disk.
    """
    if (X_test is None) != (y_test is None):
        raise ExportError("EX012", "one of X_test and y_test alone", expected="both of them, or neither")
    here = Path.cwd()
    errand = Errand(name=name, now=datetime.now(UTC), root=here, trigger="siklus.package")
    test = None if X_test is None else Sample(X_test, y_test)
    contents = contents_of(model, Sample(X, y), errand, task=task, test=test)
    if directory is None:
        return open_bundle(seal_among(contents, here / ".siklus" / "bundles", now=errand.now))
    return open_bundle(seal_at(contents, Path(directory), now=errand.now))


@dataclass(frozen=True)
class Sample:
    """Rows and their outcomes, as whoever packages has them."""

    X: Any
    y: Any


@dataclass(frozen=True, kw_only=True)
class Errand:
    """``root``: the directory whose repository is meant. ``source``: where the rows are from."""

    name: str
    now: datetime
    root: Path
    trigger: str
    source: str | None = None


def contents_of(
    model: Any, sample: Sample, errand: Errand, *, task: Task | None, test: Sample | None
) -> Contents:
    """What is sealed of the model: itself, proven, and its papers."""
    target, outcomes = given_labels(sample.y, getattr(sample.X, "columns", ()))
    form = imported(model, sample.X, task=task, guessed=task_of_outcomes(outcomes))
    contract, rows, reference = _asked(form, target, outcomes)
    settled = settle(form, contract, rows, reference)
    answers = served_answers(settled.session, rows)
    judged = _labelled(test, form, target) if test else form.given.table.with_column(target, outcomes)
    evaluation = _judged(judged, settled.session, contract)
    exported = Exported(format=settled.sealable.format, parity=settled.parity, why=settled.why)
    judged_on = HELD_OUT if test else PERHAPS_SEEN
    contents = Contents(
        name=errand.name,
        contract=contract,
        model=settled.sealable.content,
        model_format=settled.sealable.format,
        takes=settled.sealable.takes,
        golden=Golden(instances=[], outputs=[]),
        provenance=_provenance(form, errand),
        profile=reference_profile(contract, rows.matrix, answers),
        evaluation={
            "evaluation": evaluation,
            "judged_on": judged_on,
            "export": exported,
            "agreement": settled.agreement,
            "other_classes": form.other_classes(reference),
        },
    )
    contents = replace(contents, card=packaged_card(contents, exported, evaluation, judged_on=judged_on))
    return with_golden(contents, judged, now=errand.now)


def seal_at(contents: Contents, directory: Path, *, now: datetime) -> Path:
    """Seal the bundle there. EX020 when the directory holds anything but a bundle."""
    if directory.exists() and not (directory / FILE_NAME).is_file() and any(directory.iterdir()):
        wanted = "a directory that is new, empty, or a bundle to be replaced"
        raise ExportError("EX020", f"{directory}: something else is there", expected=wanted)
    seal(contents, directory, now=now)
    return directory


def task_of_outcomes(outcomes: Cells) -> Task:
    """What a target looks like: words, truths and a few whole numbers are classes, anything else amounts."""
    present = outcomes[~is_missing(outcomes)]
    if present.dtype.kind not in "iuf":
        return "classification"
    whole = bool(np.all(present == np.floor(present)))
    return "classification" if whole and len(np.unique(present)) <= GUESSED_CLASSES else "regression"


def _asked(form: Imported, target: str, outcomes: Cells) -> tuple[Contract, Rows, Floats]:
    """The contract, the decoded rows and the model's own answers for them."""
    classes = form.classes or (False, True)  # which there are, its answers may have to say
    goal = Target(name=target, classes=classes if form.task == "classification" else None)
    known, table = form.known, form.given.table
    contract = contract_of(table, target=goal, known=known.words, texts=known.texts)
    rows = decode_table(table, contract).accepted()
    reference = form.answers(contract, rows)
    if form.task == "classification":
        goal = Target(name=target, classes=_classes(form, outcomes, reference.shape[1]))
        contract = msgspec.structs.replace(contract, target=goal)
    return contract, rows, reference


def _classes(form: Imported, outcomes: Cells, count: int) -> tuple[Label, ...]:
    """The model's own classes, or else those of the outcomes: one for each of its probabilities."""
    if form.classes is not None and len(form.classes) == count:
        return form.classes
    found = set(labels_of(outcomes[~is_missing(outcomes)].tolist()))
    if all(type(label) is int and 0 <= label < count for label in found):
        return tuple(range(count))
    if len(found) == count and len({type(label) for label in found}) == 1:
        return tuple(sorted(found))
    raise ExportError(
        "EX012",
        f"{form.kind} gives {count} probabilities a row, the outcomes have {len(found)} classes",
        expected="outcomes of each class, or whole numbers from 0",
    )


def _labelled(test: Sample, form: Imported, target: str) -> Table:
    table = table_with(test.X, form.given.table.names)
    _, outcomes = given_labels(test.y, ())
    return table.with_column(target, outcomes)


def _judged(table: Table, session: Session, contract: Contract) -> Evaluation:
    rows = decode_table(table, contract).accepted()
    return evaluate(
        decode_target(table, contract),
        served_answers(session, rows),
        task=contract.task,
        classes=contract.target.classes,
        slices=slices_of(contract, table),
        seed=0,
    )


def _provenance(form: Imported, errand: Errand) -> Provenance:
    state = source_state(errand.root)
    return Provenance(
        siklus=__version__,
        trained=errand.now.isoformat(),
        model_kind=form.kind,
        triggered_by=errand.trigger,
        git_commit=state.commit if state else None,
        git_dirty=state.dirty if state else None,
        source=errand.source,
        data_rows=len(form.given.table),
        environment=environment_lock(),
    )
