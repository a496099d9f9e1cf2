"""Promises of the comparison: what a client of the old contract experiences under the new one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Target,
    Tensor,
    Text,
)
from siklus.contract.compare import ORDER, RULES, Comparison, compare
from siklus.contract.decode import decode_records
from tests.contract.strategies import columns, contracts, kept_rows

X, Y = Number(name="x"), Number(name="y")
YES_NO = Target(name="late", classes=("no", "yes"))


def one(column: Column) -> Contract:
    return Contract(columns=(column,), target=YES_NO)


def of(*kept: Column, target: Target = YES_NO, ignored: tuple[str, ...] = ()) -> Contract:
    return Contract(columns=kept, target=target, ignored=ignored)


AGE = Integer(name="age", minimum=0, maximum=120)
AGE_STRICT = replace(AGE, strict=True)
SIZE = Category(name="size", vocabulary=("L", "M"))
SIZE_STRICT = replace(SIZE, strict=True)
DAY = Datetime(name="day", parts=("month",))

# rule → (old, new, a row by name that the old contract keeps and the new one refuses, if there is one)
CASES: dict[str, tuple[Contract, Contract, dict[str, Any] | None]] = {
    "classes-changed": (of(X), of(X, target=Target(name="late", classes=("yes", "no"))), None),
    "column-added": (of(X), of(X, Y), {"x": 1.0}),
    "column-added-optional": (of(X), of(X, Number(name="y", optional=True, default=0.0)), None),
    "column-removed": (of(X, AGE), of(X), {"x": 1.0, "age": 3}),
    "column-renamed": (of(X), of(Y), {"x": 1.0}),
    "default-changed": (
        one(replace(AGE, optional=True, default=1)),
        one(replace(AGE, optional=True, default=2)),
        None,
    ),
    "description-changed": (one(AGE), one(replace(AGE, description="in years")), None),
    "ignored-added": (of(X), of(X, ignored=("id",)), None),
    "ignored-removed": (of(X, ignored=("id",)), of(X), {"x": 1.0, "id": "a"}),
    "kind-changed": (one(Text(name="a")), one(Boolean(name="a")), {"a": "word"}),
    "kind-widened": (one(Integer(name="a")), one(Number(name="a")), None),
    "no-longer-nullable": (one(replace(AGE, nullable=True)), one(AGE), {"age": None}),
    "no-longer-optional": (one(replace(AGE, optional=True, default=1)), one(AGE), {}),
    "no-longer-strict": (one(AGE_STRICT), one(AGE), None),
    "now-nullable": (one(AGE), one(replace(AGE, nullable=True)), None),
    "now-optional": (one(AGE), one(replace(AGE, optional=True, default=1)), None),
    "now-strict": (one(AGE), one(AGE_STRICT), {"age": 121}),
    "order-changed": (of(X, Y), of(Y, X), None),
    "parts-changed": (one(DAY), one(replace(DAY, parts=("hour",))), None),
    "range-changed": (one(AGE), one(replace(AGE, maximum=3)), None),
    "range-narrowed": (one(AGE_STRICT), one(replace(AGE_STRICT, maximum=99)), {"age": 100}),
    "range-widened": (one(AGE_STRICT), one(replace(AGE_STRICT, minimum=None)), None),
    "sensitive-changed": (one(AGE), one(replace(AGE, sensitive=True)), None),
    "shape-changed": (
        one(Tensor(name="t", shape=(2,))),
        one(Tensor(name="t", shape=(1,))),
        {"t": [1.0, 2.0]},
    ),
    "strictness-unused": (one(DAY), one(replace(DAY, strict=True)), None),
    "target-renamed": (of(X), of(X, target=replace(YES_NO, name="delayed")), None),
    "task-changed": (of(X), of(X, target=Target(name="late")), None),
    "vocabulary-extended": (one(SIZE_STRICT), one(replace(SIZE_STRICT, vocabulary=("L", "M", "S"))), None),
    "vocabulary-reordered": (one(SIZE), one(replace(SIZE, vocabulary=("M", "L"))), None),
    "words-refused": (one(SIZE_STRICT), one(replace(SIZE_STRICT, vocabulary=("L",))), {"size": "M"}),
    "words-removed": (one(SIZE), one(replace(SIZE, vocabulary=("L",))), None),
}


def keeps(row: object, contract: Contract) -> bool:
    return decode_records([row], contract).problem_count == 0


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_a_case_and_that_case_has_its_verdict(rule: str) -> None:
    old, new, witness = CASES[rule]
    found = compare(old, new)
    assert [change.rule for change in found.changes] == [rule]
    assert found.verdict == found.changes[0].verdict == RULES[rule].verdict
    if witness is not None:
        assert (keeps(witness, old), keeps(witness, new), found.verdict) == (True, False, "breaking")


def test_a_contract_is_the_same_as_itself() -> None:
    for old, _, _ in CASES.values():
        assert compare(old, old) == Comparison("same", ())


def test_the_worst_change_is_the_verdict() -> None:
    wider = replace(SIZE, vocabulary=("L", "M", "S"), nullable=True)
    assert compare(of(X, SIZE), of(X, wider)).verdict == "additive"
    assert compare(of(X, SIZE), of(wider)).verdict == "breaking"
    assert [change.rule for change in compare(of(X, SIZE), of(wider)).changes] == [
        "column-removed",
        "now-nullable",
        "vocabulary-extended",
    ]


def test_a_change_names_its_column_and_both_sides() -> None:
    [change] = compare(one(AGE_STRICT), one(replace(AGE_STRICT, maximum=99))).changes
    assert change.column == "age"
    assert change.message == "0 to 120 is now 0 to 99"


@st.composite
def of_other_values(draw: st.DrawFn, column: Column) -> Column:
    """The column with another range, vocabulary or default, no longer strict about its default."""
    match column:
        case Category(vocabulary=words):
            fresh = "new" if isinstance(words[0], str) else 10**16
            found = draw(st.lists(st.sampled_from([*words, fresh]), min_size=1, unique=True))
            return replace(column, vocabulary=tuple(found), strict=column.strict and not column.optional)
        case Number() | Integer():
            low, high = sorted(draw(st.tuples(st.integers(-100, 100), st.integers(-100, 100))))
            bounds = draw(st.sampled_from([(low, high), (None, None), (None, high), (low, None)]))
            strict = column.strict and not column.optional
            return replace(column, minimum=bounds[0], maximum=bounds[1], strict=strict)
    return column


@st.composite
def later(draw: st.DrawFn, old: Contract) -> Contract:
    """The contract some time later: columns changed, gone, new, moved."""
    kept: list[Column] = []
    for column in old.columns:
        fate = draw(st.sampled_from(["stays", "stays", "switched", "other values", "anew", "gone"]))
        if fate == "stays":
            kept.append(column)
        elif fate == "switched":
            optional = column.optional and draw(st.booleans())
            nullable = draw(st.booleans()) or (optional and column.default is None)
            switches = {name: draw(st.booleans()) for name in ("strict", "sensitive")}
            kept.append(replace(column, nullable=nullable, optional=optional, **switches))
        elif fate == "other values":
            kept.append(draw(of_other_values(column)))
        elif fate == "anew":
            kept.append(draw(columns(name=column.name)))
    if draw(st.booleans()) or not kept:
        kept.append(draw(columns(name="a later column")))
    return replace(old, columns=tuple(draw(st.permutations(kept))))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_is_not_breaking_refuses_no_row_that_was_kept(data: st.DataObject) -> None:
    old = data.draw(contracts(most=2))
    new = data.draw(later(old))
    if compare(old, new).verdict != "breaking":
        row = data.draw(kept_rows(old))
        assert keeps(row, old)
        assert keeps(row, new)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_is_at_most_compatible_keeps_rows_sent_as_lists_too(data: st.DataObject) -> None:
    old = data.draw(contracts())
    new = data.draw(later(old))
    if compare(old, new).verdict in ORDER[:2]:
        row = data.draw(
            kept_rows(replace(old, columns=tuple(replace(c, optional=False) for c in old.columns)))
        )
        by_place = [row[name] for name in old.names]
        assert not keeps(by_place, old) or keeps(by_place, new)
        assert old.names == new.names
