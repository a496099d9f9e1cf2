"""A user's own estimator as `module:function`, and what cannot be one."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from siklus.contract.columns import Category, Contract, Number, Target, Tensor, Text
from siklus.errors import TrainError
from siklus.train.candidates import Question
from siklus.train.own import find_candidate, own_source, refuse_unusable_columns


def question(*, classify: bool = False) -> Question:
    columns = (Number(name="a"), Category(name="w", vocabulary=("x", "y")))
    target = Target(name="y", classes=("no", "yes") if classify else None)
    return Question(contract=Contract(columns=columns, target=target), metric="mae", seed=0)


def build(folder: Path, name: str, text: str, *, classify: bool = False) -> object:
    (folder / f"{name}.py").write_text(text)
    return find_candidate(f"{name}:make", root=folder).build(question(classify=classify), {})


def test_a_bare_estimator_is_prepared_for(tmp_path: Path) -> None:
    text = "from sklearn.linear_model import LinearRegression as make\n"
    model = build(tmp_path, "own_bare", text)
    rows = np.array([[1, 0], [2, 1], [np.nan, -1]], dtype=np.float32)
    assert isinstance(model, Pipeline)
    # a number, and a column for each word: gaps are filled, an unseen word is in none of its columns
    assert model.fit(rows, [1, 2, 3])[:-1].transform(rows).shape == (3, 3)


def test_a_pipeline_prepares_for_itself(tmp_path: Path) -> None:
    text = """
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
def make(): return make_pipeline(LinearRegression())
"""
    model = build(tmp_path, "own_pipeline", text)
    assert [type(step) for _, step in model.steps] == [LinearRegression]


def test_a_module_may_lie_in_a_package(tmp_path: Path) -> None:
    (tmp_path / "own_package" / "inner").mkdir(parents=True)
    (tmp_path / "own_package" / "__init__.py").touch()
    (tmp_path / "own_package" / "inner" / "__init__.py").write_text(
        "from sklearn.linear_model import Ridge as make\n"
    )
    name = "own_package.inner:make"
    assert find_candidate(name, root=tmp_path).build(question(), {}).steps
    assert own_source(name, root=tmp_path).startswith(b"from sklearn")
    assert own_source("own_package:make", root=tmp_path) == b""
    assert own_source("linear", root=tmp_path) == b""


@pytest.mark.parametrize(
    ("name", "text", "message", "expected"),
    [
        ("own_other", "def build(): ...\n", "no function 'make'", "`def make():` in own_other"),
        ("own_none", "def make(): ...\n", "gave NoneType, without fit", "an estimator with it"),
        ("own_class", "class make: fit = 1\n", "gave make, without predict", "an estimator with it"),
        (
            "own_raises",
            "def make(): raise ValueError('no moon')\n",
            "ValueError: no moon",
            "takes no arguments",
        ),
        ("own_wants", "def make(depth): ...\n", "TypeError: make() missing", "takes no arguments"),
        ("own_syntax", "def make(:\n", "SyntaxError", "takes no arguments"),
        (
            "own_import",
            "import a_package_that_nobody_has\n",
            "a_package_that_nobody_has",
            "takes no arguments",
        ),
        ("own_number", "make = 5\n", "TypeError: 'int' object is not callable", "takes no arguments"),
    ],
)
def test_what_cannot_be_made_is_told(
    tmp_path: Path, name: str, text: str, message: str, expected: str
) -> None:
    with pytest.raises(TrainError) as caught:
        build(tmp_path, name, text)
    assert caught.value.code == "TN002"
    assert caught.value.message.startswith(f"{name}:make: ")
    assert message in caught.value.message
    assert expected in (caught.value.expected or "")


def test_classes_need_probabilities(tmp_path: Path) -> None:
    text = "from sklearn.linear_model import RidgeClassifier as make\n"
    with pytest.raises(TrainError, match="gave RidgeClassifier, without predict_proba"):
        build(tmp_path, "own_without_proba", text, classify=True)


def test_a_module_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no module 'own_nowhere'") as caught:
        find_candidate("own_nowhere:make", root=tmp_path).build(question(), {})
    assert (caught.value.code, caught.value.expected) == ("TN002", f"own_nowhere.py in {tmp_path}")


def test_a_name_that_is_no_candidate_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no candidate 'random-forrest'") as caught:
        find_candidate("random-forrest", root=tmp_path)
    assert caught.value.code == "TN001"
    assert "random-forest" in (caught.value.expected or "")


@pytest.mark.parametrize("column", [Text(name="letter"), Tensor(name="scan", shape=(2, 2))])
def test_columns_with_inputs_of_their_own_are_no_candidates(column: Text | Tensor) -> None:
    contract = Contract(columns=(Number(name="a"), column), target=Target(name="y"))
    with pytest.raises(TrainError, match=f"column '{column.name}' is a") as caught:
        refuse_unusable_columns(contract)
    assert caught.value.code == "TN003"
