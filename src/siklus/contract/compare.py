"""Compare: what a client that sends rows of the old contract experiences under the new one."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from msgspec.structs import replace

from siklus.contract.columns import (
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Tensor,
    kind_of,
)

Verdict: TypeAlias = Literal["same", "compatible", "additive", "breaking"]
ORDER: tuple[Verdict, ...] = ("same", "compatible", "additive", "breaking")  # from nothing to the worst


@dataclass(frozen=True)
class Rule:
    """What one kind of change means to a client. ``meaning`` is what docs/contract.md says."""

    verdict: Verdict
    meaning: str


RULES: Mapping[str, Rule] = {
    "classes-changed": Rule(
        "breaking", "Other classes, or in another order: probabilities mean something else."
    ),
    "column-added": Rule("breaking", "A new column that each row must have."),
    "column-added-optional": Rule(
        "additive", "A new column that may be left out; only rows sent as lists must grow."
    ),
    "column-removed": Rule("breaking", "A row that still has the column is refused."),
    "column-renamed": Rule("breaking", "One column gone, and one of the very same description there."),
    "default-changed": Rule("compatible", "What a left-out cell reads as."),
    "description-changed": Rule("compatible", "Words about the column."),
    "ignored-added": Rule("compatible", "A further column that a row may have and nobody looks at."),
    "ignored-removed": Rule("breaking", "A named row that still has the ignored column is refused."),
    "kind-changed": Rule("breaking", "Another kind of cell (but for integer to number)."),
    "kind-widened": Rule("compatible", "An integer column takes any number."),
    "no-longer-nullable": Rule("breaking", "A missing cell is refused."),
    "no-longer-optional": Rule("breaking", "The cell must be there."),
    "now-nullable": Rule("compatible", "A missing cell is taken."),
    "now-optional": Rule("compatible", "The cell may be left out."),
    "now-strict": Rule(
        "breaking", "A value outside the range or the vocabulary is refused, no longer counted."
    ),
    "no-longer-strict": Rule(
        "compatible", "A value outside the range or the vocabulary is counted, no longer refused."
    ),
    "order-changed": Rule(
        "breaking", "A row sent as a list is read into other columns, perhaps without an error."
    ),
    "parts-changed": Rule("compatible", "Other parts of a moment: clients send the same text."),
    "range-changed": Rule("compatible", "Another range, of a column that counts what is outside."),
    "range-narrowed": Rule("breaking", "A strict column refuses numbers that it took."),
    "range-widened": Rule("compatible", "A strict column takes more numbers."),
    "sensitive-changed": Rule("compatible", "Whether the cell is logged as it is."),
    "shape-changed": Rule("breaking", "A tensor of another shape."),
    "strictness-unused": Rule(
        "compatible", "`strict` changed where there is no range or vocabulary to be strict about."
    ),
    "target-renamed": Rule(
        "breaking", "The answer is about something else, as are the outcomes sent for it."
    ),
    "task-changed": Rule("breaking", "Classes instead of a number, or the other way round."),
    "vocabulary-extended": Rule("additive", "New words that a client may send."),
    "vocabulary-reordered": Rule("compatible", "The same words: clients send words, not their positions."),
    "words-removed": Rule("compatible", "Words that now count as unseen, as the column is not strict."),
    "words-refused": Rule("breaking", "Words that a strict column took are refused."),
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference. ``rule`` is a key of RULES; ``column`` is None when it concerns the whole contract."""

    rule: str
    column: str | None
    verdict: Verdict
    message: str


@dataclass(frozen=True)
class Comparison:
    """All differences, and the worst of their verdicts.

    ``same``: nothing differs. ``compatible``: every old row is still answered. ``additive``: likewise,
    and there is something new to send. ``breaking``: some old row is refused, or read as another, or
    the answer has another meaning.
    """

    verdict: Verdict
    changes: tuple[Change, ...]


def compare(old: Contract, new: Contract) -> Comparison:
    """The differences from ``old`` to ``new``, each judged by its rule in RULES."""
    changes = (*_column_changes(old, new), *_whole_changes(old, new))
    worst = max((ORDER.index(change.verdict) for change in changes), default=0)
    return Comparison(ORDER[worst], changes)


def _change(rule: str, column: str | None, message: str) -> Change:
    return Change(rule=rule, column=column, verdict=RULES[rule].verdict, message=message)


def _column_changes(old: Contract, new: Contract) -> Iterator[Change]:
    gone = [column for column in old.columns if column.name not in new.names]
    fresh = [column for column in new.columns if column.name not in old.names]
    for column in gone:
        renamed = next((other for other in fresh if replace(other, name=column.name) == column), None)
        if renamed:
            fresh.remove(renamed)
            yield _change("column-renamed", column.name, f"now {renamed.name!r}")
        else:
            yield _change("column-removed", column.name, f"{kind_of(column)} column gone")
    for column in fresh:
        rule = "column-added-optional" if column.optional else "column-added"
        yield _change(rule, column.name, f"new {kind_of(column)} column")
    for column in old.columns:
        if column.name in new.names:
            yield from _changes_of(column, new.column(column.name))


def _whole_changes(old: Contract, new: Contract) -> Iterator[Change]:
    kept = [name for name in old.names if name in new.names]
    moved = [name for name in new.names if name in old.names]
    if kept != moved:
        yield _change("order-changed", None, f"{', '.join(kept)} is now {', '.join(moved)}")
    if old.target.name != new.target.name:
        yield _change("target-renamed", old.target.name, f"now {new.target.name!r}")
    if old.task != new.task:
        yield _change("task-changed", new.target.name, f"{old.task} is now {new.task}")
    elif old.target.classes != new.target.classes:
        message = f"{list(old.target.classes or ())} is now {list(new.target.classes or ())}"
        yield _change("classes-changed", new.target.name, message)
    for name in sorted(set(new.ignored) - {*old.ignored, *old.names}):
        yield _change("ignored-added", name, "may be there, ignored")
    for name in sorted(set(old.ignored) - {*new.ignored, *new.names}):
        yield _change("ignored-removed", name, "is no longer ignored")


def _changes_of(old: Column, new: Column) -> Iterator[Change]:
    """The changes of a column that both contracts have."""
    widened = isinstance(old, Integer) and isinstance(new, Number)
    if widened:
        yield _change("kind-widened", old.name, "integer is now number")
    elif type(old) is not type(new):
        yield _change("kind-changed", old.name, f"{kind_of(old)} is now {kind_of(new)}")
        return
    yield from _switches(old, new)
    if new.optional and old.optional and new.default != old.default:
        yield _change("default-changed", old.name, f"{old.default!r} is now {new.default!r}")
    if old.sensitive != new.sensitive:
        yield _change("sensitive-changed", old.name, f"sensitive is now {new.sensitive}".lower())
    if old.description != new.description:
        yield _change("description-changed", old.name, "described in other words")
    of_kind = _OF_KIND.get(type(new))
    if of_kind:
        yield from of_kind(old, new)


def _switches(old: Column, new: Column) -> Iterator[Change]:
    switches = (
        (old.nullable, new.nullable, "now-nullable", "no-longer-nullable"),
        (old.optional, new.optional, "now-optional", "no-longer-optional"),
        (old.strict, new.strict, _strictness("now-strict", new), _strictness("no-longer-strict", old)),
    )
    for before, after, on, off in switches:
        if before != after:
            rule = on if after else off
            yield _change(rule, old.name, RULES[rule].meaning)


def _strictness(rule: str, column: Column) -> str:
    """The rule, or `strictness-unused` where nothing can be outside."""
    bounded = isinstance(column, Number | Integer) and (column.minimum, column.maximum) != (None, None)
    return rule if bounded or isinstance(column, Category) else "strictness-unused"


def _range(old: Column, new: Column) -> Iterator[Change]:
    if not isinstance(old, Number | Integer) or not isinstance(new, Number | Integer):
        return
    (low, high), (new_low, new_high) = _bounds(old), _bounds(new)
    if (low, high) == (new_low, new_high):
        return
    message = f"{low:g} to {high:g} is now {new_low:g} to {new_high:g}"
    if not new.strict:
        yield _change("range-changed", old.name, message)
    elif new_low > low or new_high < high:
        yield _change("range-narrowed", old.name, message)
    else:
        yield _change("range-widened", old.name, message)


def _bounds(column: Number | Integer) -> tuple[float, float]:
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    return low, high


def _vocabulary(old: Column, new: Column) -> Iterator[Change]:
    if not isinstance(old, Category) or not isinstance(new, Category):
        return
    before, after = type(old.vocabulary[0]).__name__, type(new.vocabulary[0]).__name__
    if before != after:
        yield _change("kind-changed", old.name, f"words of type {before} are now of type {after}")
        return
    lost = [word for word in old.vocabulary if word not in new.vocabulary]
    fresh = [word for word in new.vocabulary if word not in old.vocabulary]
    if lost:
        yield _change("words-refused" if new.strict else "words-removed", old.name, _listed(lost))
    if fresh:
        yield _change("vocabulary-extended", old.name, _listed(fresh))
    if not lost and not fresh and old.vocabulary != new.vocabulary:
        yield _change("vocabulary-reordered", old.name, "the same words in another order")


def _parts(old: Column, new: Column) -> Iterator[Change]:
    if isinstance(old, Datetime) and isinstance(new, Datetime) and old.parts != new.parts:
        yield _change("parts-changed", old.name, f"{', '.join(old.parts)} is now {', '.join(new.parts)}")


def _shape(old: Column, new: Column) -> Iterator[Change]:
    if isinstance(old, Tensor) and isinstance(new, Tensor) and old.shape != new.shape:
        yield _change("shape-changed", old.name, f"{list(old.shape)} is now {list(new.shape)}")


def _listed(words: list[str | int]) -> str:
    return ", ".join(repr(word) for word in words[:5]) + (
        f" and {len(words) - 5} more" if len(words) > 5 else ""
    )


_OF_KIND: Mapping[type, Callable[[Column, Column], Iterator[Change]]] = {
    Number: _range,
    Integer: _range,
    Category: _vocabulary,
    Datetime: _parts,
    Tensor: _shape,
}
