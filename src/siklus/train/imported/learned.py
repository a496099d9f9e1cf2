"""Models of scikit-learn, XGBoost and LightGBM, as estimators or as bare boosters."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from siklus.bundle.frame import can_rebuild
from siklus.contract.columns import Boolean, Contract, Integer, Label, Number, Task, slots_of
from siklus.contract.decode import Rows
from siklus.errors import ExportError
from siklus.train.export import to_onnx
from siklus.train.graphs.graph import Arithmetic
from siklus.train.imported.asking import Ask, Floats
from siklus.train.imported.given import Given
from siklus.train.imported.sealable import Sealable
from siklus.train.imported.steady import steady
from siklus.train.imported.translation import translated
from siklus.train.imported.words import Known, known_to, of_categories
from siklus.train.native import native_bytes

PLAIN = (Number, Integer, Boolean)  # what stands in the rows as it came


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A fitted model with the rows that it was given, and how it is asked about them.

    ``names``: the columns that it was fitted with, in its own order. ``predict``: where the model has a
    word of its own on classes.
    """

    model: Any
    kind: str
    task: Task
    classes: tuple[Label, ...] | None
    ask: Ask
    given: Given
    names: tuple[str, ...]
    predict: Callable[[Any], Any] | None = None
    independent: bool = True

    @cached_property
    def known(self) -> Known:
        columns = {i: name for i, name in enumerate(self.names) if name in self.given.table}
        return known_to(self.model, columns, self.given.table, categories=of_categories(self.given.raw))

    def answers(self, _contract: Contract, _rows: Rows) -> Floats:
        """The model's own, of the rows as they were given: probabilities or values."""
        return self.ask(self.given.raw)

    def other_classes(self, reference: Floats) -> int:
        """For how many rows the model's own predict names another class than its first most probable one."""
        if self.predict is None or self.classes is None:
            return 0
        said = np.asarray(self.predict(self.given.raw), dtype=object)
        likeliest = np.array(self.classes, dtype=object)[reference.argmax(axis=1)]
        return int(np.sum(said != likeliest))

    def rounded_answers(self, contract: Contract, rows: Rows) -> Floats | None:
        """The model's own, once the numbers are what float32 makes of them."""
        rounded = self.given.rounded(contract, rows)
        return None if rounded is None else self.ask(rounded)

    def graphs(self, contract: Contract, rows: Rows) -> Iterator[bytes]:
        """Its graph with steadied cuts, then as it is, for either precision that it may be fitted in."""
        steadied = self._steadied(contract, rows)
        if steadied is not self.model:
            yield self._graph(steadied, contract, np.float64)
        for arithmetic in (np.float64, np.float32):
            yield self._graph(self.model, contract, arithmetic)

    def _graph(self, model: Any, contract: Contract, arithmetic: Arithmetic) -> bytes:
        kinds = {column.name: column for column in contract.columns}
        raw = {i: name for i, name in enumerate(self.names) if not isinstance(kinds.get(name), PLAIN)}
        slots = {slot: i for i, slot in enumerate(contract.slots)}
        return to_onnx(
            translated(model, raw, contract),
            width=contract.width,
            task=self.task,
            classes=contract.target.classes,
            # What has no slot of its own is raw, and a raw column that a step takes is refused above.
            places=[slots.get(name, 0) for name in self.names],
            arithmetic=arithmetic,
        )

    def _steadied(self, contract: Contract, rows: Rows) -> Any:
        rounded = self.given.rounded(contract, rows)
        if rounded is None:
            return self.model
        return steady(self.model, self.given.raw, rounded, self.given.table)

    def native(self, contract: Contract, rows: Rows) -> Sealable:
        """ExportError EX010 when nothing can be sealed that answers without code of its own."""
        form, content = native_bytes(self._steadied(contract, rows), task=self.task)
        plain = all(slots_of(column) == (column.name,) for column in contract.columns)
        if plain and (form != "skops" or isinstance(self.given.raw, np.ndarray)):
            return Sealable(format=form, content=content, takes="rows")
        if form != "skops" or not can_rebuild(contract):
            raise ExportError(
                "EX010",
                f"{self.kind} takes columns that cannot be given back to it from decoded rows",
                expected="numbers, categories, booleans and texts, but no moments",
            )
        return Sealable(format=form, content=content, takes="frame")
