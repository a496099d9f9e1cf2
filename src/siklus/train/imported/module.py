"""PyTorch modules: what goes in is one float32 batch, of the rows or of one tensor column."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from siklus.bundle.session import ROWS_INPUT
from siklus.contract.columns import Contract, Label, Task
from siklus.contract.decode import Rows
from siklus.errors import ExportError
from siklus.extras import need
from siklus.train.imported.asking import Floats, asked, both_of_two
from siklus.train.imported.given import Given
from siklus.train.imported.sealable import Sealable
from siklus.train.imported.words import NOTHING_KNOWN, Known
from siklus.train.torch_modules import evaluating, torch_module_to_onnx

SUM_OFF = 1e-4  # as far as float32 probabilities of a thousand classes may miss 1
BATCH_ROWS = 4096  # at once, so that many images need no memory of their own


@dataclass(frozen=True, kw_only=True)
class Module:
    """What a classifier gives is taken for probabilities when each row lies within 0 and 1 and (with several
    numbers a row) adds up to 1; for logits otherwise."""

    model: Any
    task: Task
    given: Given
    independent: bool = True
    classes: tuple[Label, ...] | None = None

    @property
    def kind(self) -> str:
        return f"torch.nn.{type(self.model).__name__}"

    @property
    def known(self) -> Known:
        return NOTHING_KNOWN

    def answers(self, _contract: Contract, rows: Rows) -> Floats:
        found = self._outputs(rows)
        if self.task == "regression":
            return found.reshape(len(found))
        if not _are_probabilities(found):
            found = softmax(found, axis=1) if found.shape[1] > 1 else expit(found)
        return both_of_two(found)

    def rounded_answers(self, _contract: Contract, _rows: Rows) -> Floats | None:
        return None  # it has seen the rounded numbers already

    def graphs(self, _: Contract, rows: Rows) -> Iterator[bytes]:
        entry, batch = _entry(rows)
        logits = not _are_probabilities(self._outputs(rows)) if self.task == "classification" else True
        yield torch_module_to_onnx(self.model, batch[:8], task=self.task, logits=logits, entry=entry)

    def other_classes(self, _: Floats) -> int:
        return 0  # it names no classes, only probabilities

    def native(self, _contract: Contract, _rows: Rows) -> Sealable:
        raise ExportError(
            "EX010", f"{self.kind} has no safe format but ONNX", expected="a module that torch.onnx exports"
        )

    def _outputs(self, rows: Rows) -> Floats:
        """Float64, shape (n, outputs)."""
        torch = need("torch", extra="torch")
        _, batch = _entry(rows)
        with evaluating(self.model), torch.no_grad():
            parts = [
                asked(self.model, "__call__", torch.from_numpy(batch[at : at + BATCH_ROWS]))
                for at in range(0, len(batch), BATCH_ROWS)
            ]
        shapes = {tuple(getattr(part, "shape", ()))[1:] for part in parts}
        if len(shapes) != 1 or len(next(iter(shapes))) > 1:
            found = ", ".join(map(str, shapes))
            raise ExportError(
                "EX006", f"answers of shape {found} to a row", expected="one row of numbers for each"
            )
        answers = np.concatenate([part.numpy() for part in parts]).astype(np.float64)
        return answers.reshape(len(answers), -1)


def _entry(rows: Rows) -> tuple[str, NDArray[np.float32]]:
    """The one thing that a module takes: the rows, or the only tensor column."""
    if rows.texts or len(rows.tensors) + bool(rows.matrix.shape[1]) != 1:
        raise ExportError(
            "EX012",
            f"a module for {rows.matrix.shape[1]} numbers, {len(rows.tensors)} tensors and "
            f"{len(rows.texts)} texts a row",
            expected="numbers only, or one tensor column",
        )
    for name, tensor in rows.tensors.items():
        return name, tensor
    return ROWS_INPUT, rows.matrix


def _are_probabilities(found: Floats) -> bool:
    within = bool(np.all((found >= 0) & (found <= 1)))
    return within and (found.shape[1] == 1 or bool(np.all(np.abs(found.sum(axis=1) - 1) <= SUM_OFF)))
