"""The contract of a model that was there before: every column, by the type of its cells."""

import numpy as np
import pytest

from siklus.contract.columns import Boolean, Category, Datetime, Integer, Number, Target, Tensor, Text
from siklus.contract.decode import decode_records, decode_table
from siklus.contract.exact import Words, contract_of
from siklus.errors import DataError
from siklus.table import Cells, Table, objects

TARGET = Target(name="y")
SENTENCES = objects([f"the {i} th sentence of its own" for i in range(30)])


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (np.array([1.0, 2.0]), Number(name="c", minimum=1.0, maximum=2.0)),
        (np.array([1.5, np.nan]), Number(name="c", nullable=True, minimum=1.5, maximum=1.5)),
        (np.array([np.nan, np.nan]), Number(name="c", nullable=True)),
        (objects([None, None]), Number(name="c", nullable=True)),
        (np.array([3, 3]), Integer(name="c", minimum=3, maximum=3)),
        (np.array([True, False]), Boolean(name="c")),
        (objects([True, None]), Boolean(name="c", nullable=True)),
        (objects(["b", "a", "b"]), Category(name="c", vocabulary=("a", "b"))),
        (objects(["2024-01-31", None]), Category(name="c", nullable=True, vocabulary=("2024-01-31",))),
        (SENTENCES, Text(name="c")),
        (np.array(["2024-01-31T08", "NaT"], dtype="datetime64[us]"), Datetime(name="c", nullable=True)),
        (objects([[[1.0, 2.0]], [[3.0, 4.0]]]), Tensor(name="c", shape=(1, 2))),
    ],
    ids=str,
)
def test_a_column_is_what_its_cells_are(cells: Cells, column: object) -> None:
    assert contract_of(Table({"c": cells}), target=TARGET).columns == (column,)


def test_columns_that_nothing_could_be_learned_from_stay() -> None:
    table = Table({"constant": np.zeros(50), "row number": np.arange(50), "empty": np.full(50, np.nan)})
    contract = contract_of(table, target=TARGET)
    assert contract.names == ("constant", "row number", "empty")
    assert decode_table(table, contract).accepted().matrix.shape == (50, 3)


def test_every_word_of_a_column_is_in_its_vocabulary() -> None:
    words = objects([f"w{i:04}" for i in range(1000)] * 2)
    column = contract_of(Table({"c": words}), target=TARGET).column("c")
    assert isinstance(column, Category)
    assert len(column.vocabulary) == 1000


def test_the_model_s_words_come_first_and_keep_their_order() -> None:
    table = Table({"c": objects(["b", "x", "a"])})
    contract = contract_of(table, target=TARGET, known={"c": Words(("z", "b"))})
    assert contract.columns == (Category(name="c", vocabulary=("z", "b", "a", "x")),)


def test_words_may_be_whole_numbers_also_in_a_column_with_gaps() -> None:
    table = Table({"c": np.array([3.0, np.nan, 7.0])})
    contract = contract_of(table, target=TARGET, known={"c": Words((7, 3))})
    assert contract.columns == (Category(name="c", nullable=True, vocabulary=(7, 3)),)
    assert decode_table(table, contract).accepted().matrix[[0, 2], 0].tolist() == [1, 0]


def test_a_model_that_refuses_other_words_has_a_contract_that_does() -> None:
    contract = contract_of(
        Table({"c": objects(["a"])}), target=TARGET, known={"c": Words(("a", "b"), strict=True)}
    )
    codes = [problem.code for problem in decode_records([["a"], ["b"], ["c"]], contract).problems]
    assert codes == ["RW008"]


def test_a_column_that_is_read_as_text_is_text_however_short() -> None:
    contract = contract_of(Table({"c": objects(["a", "a"])}), target=TARGET, texts={"c"})
    assert contract.columns == (Text(name="c"),)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"": np.zeros(2)}, "DA030"),
        ({"y": np.zeros(2)}, "DA031"),
        ({"c": np.zeros(0)}, "DA032"),
        ({"c": objects([{"a": 1}, {"a": 2}])}, "DA016"),
        ({"c": objects([[1.0], [1.0, 2.0]])}, "DA016"),
        ({"c": objects([1, "x"])}, "DA016"),
    ],
)
def test_what_no_column_holds_is_refused(columns: dict[str, Cells], code: str) -> None:
    with pytest.raises(DataError) as refused:
        contract_of(Table(columns), target=TARGET)
    assert refused.value.code == code
