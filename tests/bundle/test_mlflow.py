"""MLflow loads a bundle as it stands, and predicts from a pandas frame with raw columns."""

import json
import logging
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from siklus.bundle.papers import Golden
from siklus.bundle.read import open_bundle
from siklus.contract.columns import Category, Contract, Datetime, Integer, Number, Target, Tensor, Text
from siklus.contract.decode import decode_records
from siklus.errors import RowsRefused
from tests.bundle.frames import FRAME
from tests.bundle.sealed import INSTANCES, LATE, MINUTES, SUMS, contents, logistic, regressor, sealed

# How MLflow and what it imports treat their own deprecations is not ours to hold.
with warnings.catch_warnings(action="ignore"):
    import mlflow.models
    import mlflow.onnx
    import mlflow.pyfunc

pytestmark = pytest.mark.filterwarnings("ignore")


def loaded(path: Path) -> Any:
    return mlflow.pyfunc.load_model(str(path))


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return loaded(sealed(tmp_path_factory.mktemp("minutes") / "b"))


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return loaded(sealed(tmp_path_factory.mktemp("late") / "b", LATE))


def test_a_regression_answers_float64_a_row(minutes: Any) -> None:
    answers = minutes.predict(FRAME)
    np.testing.assert_allclose(answers, SUMS, rtol=1e-6)
    assert (answers.dtype, answers.shape) == (np.float64, (3,))


def test_a_classifier_answers_its_words(late: Any) -> None:
    answers = late.predict(FRAME)
    assert answers.tolist() == ["yes", "yes", "yes"]
    assert answers.dtype.kind == "U"


def test_probabilities_are_asked_for_by_a_parameter(late: Any) -> None:
    answers = late.predict(FRAME, params={"probabilities": True})
    np.testing.assert_allclose(answers, logistic(SUMS), rtol=1e-5)
    assert late.predict(FRAME, params={"probabilities": False}).tolist() == ["yes", "yes", "yes"]


def test_mlflow_refuses_a_parameter_of_another_type(late: Any) -> None:
    with pytest.raises(mlflow.exceptions.MlflowException):
        late.predict(FRAME, params={"probabilities": "please"})


@pytest.mark.parametrize(
    ("classes", "kind"),
    [((10, 20), "i"), ((False, True), "b"), (("no", 1), "O")],
    ids=["int", "bool", "mixed"],
)
def test_answers_have_the_type_of_the_classes(tmp_path: Path, classes: tuple[Any, ...], kind: str) -> None:
    contract = Contract(columns=LATE.columns, target=Target(name="late", classes=classes))
    answers = loaded(sealed(tmp_path / "b", contract)).predict(FRAME)
    assert answers.dtype.kind == kind
    assert answers.tolist() == [classes[1]] * 3


def moments(*values: Any) -> pd.Series:
    return pd.Series(list(values))


WEDNESDAY = datetime(2013, 1, 2, 5)

VARIETIES: dict[str, tuple[str, Any]] = {
    "float32": ("distance", pd.Series([100.5, 7.0], dtype="float32")),
    "whole numbers": ("distance", pd.Series([100, 7])),
    "unsigned": ("distance", pd.Series([100, 7], dtype="uint64")),
    "objects with a gap": ("distance", pd.Series([100.5, None], dtype=object)),
    "all missing": ("distance", pd.Series([None, None])),
    "integers": ("seats", pd.Series([3, 4])),
    "int8": ("seats", pd.Series([3, 4], dtype="int8")),
    "floats with a gap": ("seats", pd.Series([3.0, np.nan])),
    "Int64": ("seats", pd.Series([3, 4], dtype="Int64")),
    "Int64 with a gap": ("seats", pd.Series([3, None], dtype="Int64")),
    "words": ("carrier", pd.Series(["UA", "DL"])),
    "object words with a gap": ("carrier", pd.Series(["UA", None], dtype=object)),
    "words with a gap": ("carrier", pd.Series(["UA", None], dtype="string")),
    "categories": ("carrier", pd.Series(["UA", "DL"], dtype="category")),
    "categories with a gap": ("carrier", pd.Series(["UA", None], dtype="category")),
    "booleans": ("is late", pd.Series([True, False])),
    "booleans with a gap": ("is late", pd.Series([True, None], dtype=object)),
    "nullable booleans": ("is late", pd.Series([True, None], dtype="boolean")),
    "timestamps": ("time_hour", moments(pd.Timestamp(WEDNESDAY), pd.Timestamp("2013-01-07T23:00:00"))),
    "nanoseconds": ("time_hour", moments(WEDNESDAY, WEDNESDAY).astype("datetime64[ns]")),
    "with a time zone": ("time_hour", moments(*[pd.Timestamp(WEDNESDAY, tz="Asia/Jakarta")] * 2)),
    "Python's own": ("time_hour", pd.Series([WEDNESDAY, WEDNESDAY.replace(tzinfo=UTC)], dtype=object)),
    "dates": ("time_hour", pd.Series([date(2013, 1, 2)] * 2, dtype=object)),
    "offsets": ("time_hour", moments("2013-01-02T05:00:00+07:00", "2013-01-02")),
}


@pytest.mark.parametrize("variety", VARIETIES)
def test_every_way_that_pandas_holds_a_column_is_read(minutes: Any, variety: str) -> None:
    name, cells = VARIETIES[variety]
    frame = FRAME.iloc[:2].assign(**{name: cells.array})
    instances = [
        {**INSTANCES[row], name: None if pd.isna(cell) else plain(cell)} for row, cell in enumerate(cells)
    ]
    decoded = decode_records(instances, MINUTES).accepted().matrix
    sums = np.nan_to_num(decoded) @ np.array([1, 2, 4, 8, 16, 32, 64])
    np.testing.assert_allclose(minutes.predict(frame), sums, rtol=1e-6)


def plain(cell: Any) -> Any:
    """The cell as JSON would carry it."""
    if isinstance(cell, date | pd.Timestamp):
        return cell.isoformat()
    return cell.item() if isinstance(cell, np.generic) else cell


def test_an_optional_column_may_be_left_out(minutes: Any) -> None:
    # The first row's wind of 1 becomes the default of 5, which weighs 64.
    answers = minutes.predict(FRAME.drop(columns="wind"))
    assert answers[0] == pytest.approx(SUMS[0] + 4 * 64)


def test_a_missing_column_is_refused(minutes: Any) -> None:
    with pytest.raises(mlflow.exceptions.MlflowException, match="seats"):
        minutes.predict(FRAME.drop(columns="seats"))


def test_a_wrong_cell_is_refused_with_row_and_column(minutes: Any) -> None:
    with pytest.raises(RowsRefused) as caught:
        minutes.predict(FRAME.assign(distance=["far", "near", "here"]))
    assert (caught.value.problems[0].row, caught.value.problems[0].column) == (0, "distance")


def test_a_target_column_and_what_the_contract_ignores_may_be_there(minutes: Any) -> None:
    np.testing.assert_allclose(
        minutes.predict(FRAME.assign(minutes=1.0, id=["a", "b", "c"])), SUMS, rtol=1e-6
    )


def test_tensors_and_texts_go_through(tmp_path: Path) -> None:
    contract = Contract(
        columns=(
            Tensor(name="image", shape=(2, 2)),
            *(Number(name=f"x{i}") for i in range(7)),
            Text(name="note"),
        ),
        target=Target(name="minutes"),
    )
    model = loaded(
        sealed(tmp_path / "b", contract, model=regressor(), golden=Golden(instances=[], outputs=[]))
    )
    frame = pd.DataFrame({f"x{i}": [1.0, 0.0] for i in range(7)})
    frame["note"] = ["a", "b"]
    frame["image"] = [[[1, 2], [3, 4]], np.zeros((2, 2))]
    assert model.predict(frame).tolist() == [127.0, 0.0]


def test_categories_of_integers_go_through(tmp_path: Path) -> None:
    contract = Contract(
        columns=(
            Category(name="month", vocabulary=(10, 11, 12), nullable=True),
            Integer(name="day"),
            Datetime(name="t", nullable=True, parts=("year", "month", "day", "hour", "minute")),
        ),
        target=Target(name="minutes"),
    )
    model = loaded(
        sealed(tmp_path / "b", contract, model=regressor(), golden=Golden(instances=[], outputs=[]))
    )
    frame = pd.DataFrame({"month": [11, 12], "day": [1.0, 2.0], "t": [None, pd.NaT]})
    assert model.predict(frame).tolist() == [1 + 2, 2 + 2 * 2]
    assert model.predict(frame.assign(month=[10, None])).tolist() == [0 + 2, 0 + 2 * 2]


def test_the_signature_names_the_columns_the_answer_and_the_parameter(tmp_path: Path) -> None:
    signature = mlflow.models.get_model_info(str(sealed(tmp_path / "b", LATE))).signature
    assert signature.inputs.input_names() == list(LATE.names)
    assert signature.inputs.required_input_names() == list(LATE.names[:-1])
    assert signature.params.params[0].name == "probabilities"
    assert signature.outputs.numpy_types()[0].kind == "U"


def test_the_input_example_is_the_golden_rows_and_predicts(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b")
    example = mlflow.models.Model.load(str(path)).load_input_example(str(path))
    np.testing.assert_allclose(loaded(path).predict(example), SUMS, rtol=1e-6)


def test_the_serving_example_is_what_mlflow_s_own_server_reads(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b")
    text = mlflow.models.model.Model.load(str(path)).get_serving_input(str(path))
    assert [row[0] for row in json.loads(text)["dataframe_split"]["data"]] == [100.5, None, -2]


def test_a_bundle_without_golden_rows_has_no_example(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b", golden=Golden(instances=[], outputs=[]))
    assert mlflow.models.Model.load(str(path)).load_input_example(str(path)) is None


def test_mlflow_s_onnx_loader_gives_the_graph(tmp_path: Path) -> None:
    model = mlflow.onnx.load_model(str(sealed(tmp_path / "b")))
    assert [put.name for put in model.graph.input] == ["rows"]


def test_the_requirements_are_the_versions_that_trained_it(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b", model_format="skops", model=b"-", golden=Golden(instances=[], outputs=[]))
    lines = (path / "requirements.txt").read_text().splitlines()
    # scikit-learn's name is spelled with an underscore in its own metadata.
    assert {"numpy==2.0.0", "scikit-learn==1.6.0", "onnxruntime", "skops"} <= set(lines)
    assert lines[0].startswith("siklus==")
    assert json.loads((path / "python_env.yaml").read_text())["python"] == "3.11.7"


def test_only_versions_that_differ_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from importlib.metadata import version
    from platform import python_version

    names = ("numpy", "onnxruntime", "pandas", "msgspec", "mlflow-skinny")
    environment = {"python": python_version(), **{name: version(name) for name in names}, "numpy": "1.0"}
    made = contents()
    provenance = type(made.provenance)(
        siklus="0", trained="", model_kind="", triggered_by="", environment=environment
    )
    logger = logging.getLogger("mlflow")
    logger.addHandler(caplog.handler)
    try:
        loaded(sealed(tmp_path / "b", provenance=provenance))
    finally:
        logger.removeHandler(caplog.handler)
    warned = [line for record in caplog.records for line in record.getMessage().splitlines() if " - " in line]
    assert [line.split()[1] for line in warned if "siklus" not in line] == ["numpy"]


def test_a_damaged_bundle_is_not_loaded(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b")
    (path / "card.md").write_text("# forged\n")
    with pytest.raises(Exception, match="BN005"):
        loaded(path)


def test_mlflow_and_the_bundle_itself_answer_alike(tmp_path: Path, late: Any) -> None:
    bundle = open_bundle(sealed(tmp_path / "b", LATE))
    raw = bundle.predict(decode_records(INSTANCES, LATE).accepted()).raw
    assert late.predict(FRAME, params={"probabilities": True}).tolist() == raw.tolist()
