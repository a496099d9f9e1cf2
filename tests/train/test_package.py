"""A model that was there before answers as it did: opened, through MLflow, over HTTP."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder
from sklearn.svm import SVC

import siklus
from siklus.bundle.read import Bundle
from siklus.bundle.session import Predictions
from siklus.contract.decode import decode_records, decode_table
from siklus.data.frames import table_of
from siklus.errors import ExportError
from siklus.table import Table
from tests.serve.servers import serving, serving_bundle
from tests.train.existing import AS_GRAPH, EXISTING, Existing

NEAR = 1e-5

with warnings.catch_warnings(action="ignore"):
    import mlflow.pyfunc  # MLflow warns about its own type hints


# Of each sort of model one is packaged in every run; its relatives every night.
NIGHTLY = {
    "search",
    "forest of truths",
    "forest of amounts",
    "gradient boosting",
    "histogram trees of amounts",
    "neighbours",
    "support vectors",
    "voting",
    "XGBoost of amounts",
    "LightGBM of amounts",
    "words, forest",
    "words, LightGBM",
    "columns by type",
}
KINDS = [pytest.param(kind, marks=[pytest.mark.slow] * (kind in NIGHTLY)) for kind in EXISTING]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def existing(kind: str) -> Existing:
    return EXISTING[kind]()


@pytest.fixture(scope="module")
def bundle(existing: Existing, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    directory = tmp_path_factory.mktemp("packaged") / "bundle"
    return siklus.package(existing.model, existing.X, existing.y, name="existing", directory=directory)


def predicted(bundle: Bundle, rows: Any) -> Predictions:
    table = table_of(rows)
    named = Table(dict(zip(bundle.contract.names, table.columns.values(), strict=True)))
    return bundle.predict(decode_table(named, bundle.contract).accepted())


def answers(bundle: Bundle, rows: Any) -> np.ndarray:
    return predicted(bundle, rows).raw


def far(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference: of probabilities, or in standard deviations of the right values."""
    unit = 1.0 if wanted.ndim == 2 else float(np.std(wanted))
    return float(np.abs(found - wanted).max()) / unit


def test_unseen_rows_get_the_model_s_own_answers(existing: Existing, bundle: Bundle) -> None:
    assert far(answers(bundle, existing.unseen), existing.answers) <= NEAR


def test_unseen_rows_get_the_model_s_own_class(existing: Existing, bundle: Bundle) -> None:
    found = bundle.labels(predicted(bundle, existing.unseen))
    if bundle.contract.target.classes is None:
        assert far(np.array(found), np.array(existing.predictions)) <= NEAR
    else:
        assert found == existing.predictions


def test_what_can_be_a_graph_is_one(kind: str, bundle: Bundle) -> None:
    assert bundle.manifest.model == ("onnx" if kind in AS_GRAPH else "skops")


def test_the_certificate_holds_for_the_rows_that_were_given(kind: str, bundle: Bundle) -> None:
    evidence = bundle.document("evaluation.json")
    assert evidence["agreement"]["holds"]
    assert evidence["agreement"]["rows"] == bundle.provenance().data_rows
    assert evidence["export"]["why"] == "" or kind not in AS_GRAPH


def test_the_contract_has_every_column_in_its_order(existing: Existing, bundle: Bundle) -> None:
    named = [str(name) for name in getattr(existing.X, "columns", [])]
    assert list(bundle.contract.names) == (named or [f"x{i}" for i in range(existing.X.shape[1])])


@pytest.mark.filterwarnings("ignore")  # as above, and about what it infers from ours
@pytest.mark.parametrize(
    "kind", ["forest", "words, ridge", "categories, LightGBM", "words said by the target"]
)
def test_mlflow_answers_the_same_from_raw_columns(kind: str, tmp_path: Path) -> None:
    existing = EXISTING[kind]()
    bundle = siklus.package(existing.model, existing.X, existing.y, name="m", directory=tmp_path / "b")
    model = mlflow.pyfunc.load_model(str(bundle.path))
    frame = pd.DataFrame(existing.unseen).set_axis(list(bundle.contract.names), axis=1)
    ask = {"probabilities": bundle.contract.task == "classification"}
    assert far(np.asarray(model.predict(frame, params=ask)), existing.answers) <= NEAR


def test_the_tutorial_s_forest_answers_over_http_as_scikit_learn_does(tmp_path: Path) -> None:
    X, y = make_classification(n_samples=1000, n_features=20, n_informative=15, random_state=42)
    model = RandomForestClassifier(100, random_state=42).fit(X[:800], y[:800])
    siklus.package(
        model, X[:800], y[:800], name="tutorial", X_test=X[800:], y_test=y[800:], directory=tmp_path / "b"
    )
    probabilities, classes = model.predict_proba(X[800:]), model.predict(X[800:])
    with serving_bundle(tmp_path / "b") as server:
        whole = server.batch(X[800:].tolist())
        single = [server.predict(row) for row in X[800:].tolist()]
    assert whole["predictions"] == classes.tolist()
    assert np.abs(whole["probabilities"] - probabilities.max(axis=1)).max() <= NEAR
    assert [answer["prediction"] for answer in single] == classes.tolist()
    assert np.abs([a["probability"] for a in single] - probabilities.max(axis=1)).max() <= NEAR


def test_a_pipeline_over_words_is_served_from_python_by_column_name(tmp_path: Path) -> None:
    existing = EXISTING["words, logistic"]()
    siklus.package(existing.model, existing.X, existing.y, name="churn", directory=tmp_path / "b")
    script = tmp_path / "notebook.py"
    script.write_text(f"import siklus\nsiklus.serve({str(tmp_path / 'b')!r}, port=0)\n")
    rows = [{k: None if v != v else v for k, v in row.items()} for row in existing.unseen.to_dict("records")]
    with serving(str(script)) as server:
        found = server.batch(rows)
    assert found["predictions"] == existing.predictions
    assert np.abs(found["probabilities"] - existing.answers.max(axis=1)).max() <= NEAR


def numbers() -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"a": random.normal(size=200), "b": random.normal(size=200)})
    return frame, (frame["a"] + frame["b"] + random.normal(size=200) > 0).rename("won")


def test_rows_held_out_judge_it_and_otherwise_the_bundle_says_that_none_were(tmp_path: Path) -> None:
    X, y = numbers()
    model = LogisticRegression().fit(X[:100], y[:100])
    inside = siklus.package(model, X[:100], y[:100], name="in", directory=tmp_path / "in")
    outside = siklus.package(
        model, X[:100], y[:100], name="out", X_test=X[100:], y_test=y[100:], directory=tmp_path / "out"
    )
    found = {
        bundle.manifest.name: bundle.document("evaluation.json")["evaluation"]["metrics"]["accuracy"]["value"]
        for bundle in (inside, outside)
    }
    assert found == {
        "in": pytest.approx(model.score(X[:100], y[:100])),
        "out": pytest.approx(model.score(X[100:], y[100:])),
    }
    assert "may have been fitted on" in inside.document("evaluation.json")["judged_on"]
    assert "may have been fitted on" in (inside.path / "card.md").read_text()
    assert "may have been fitted on" not in (outside.path / "card.md").read_text()


def test_the_papers_say_what_it_is_and_where_it_was_made(tmp_path: Path) -> None:
    X, y = numbers()
    model = LogisticRegression().fit(X, y)
    bundle = siklus.package(model, X, y, name="papers", directory=tmp_path / "b")
    made_from = bundle.provenance()
    assert (made_from.model_kind, made_from.data_rows) == ("LogisticRegression", 200)
    assert "scikit-learn" in {name.lower() for name in made_from.environment}
    profile = bundle.document("profile.json")
    assert profile["rows"] == 200
    assert sorted(profile["columns"]) == ["a", "b"]
    assert len(bundle.document("golden.json")["instances"]) == 16
    assert bundle.contract.target.name == "won"


def test_it_goes_under_its_digest_into_the_working_directory_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    X, y = numbers()
    bundle = siklus.package(LinearRegression().fit(X, y), X, y.astype(float), name="quiet", task="regression")
    assert bundle.path.parent == tmp_path / ".siklus" / "bundles"
    assert [entry.name for entry in bundle.path.parent.iterdir()] == [bundle.path.name]
    assert capfd.readouterr() == ("", "")


def test_what_a_strict_encoder_would_fail_on_the_contract_refuses(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"plan": random.choice(["a", "b"], 100), "level": random.integers(1, 4, 100)})
    y = (X["level"] == 2).to_numpy()
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X, y)
    bundle = siklus.package(model, X, y, name="strict", directory=tmp_path / "b")
    rows = decode_records([{"plan": "z", "level": 1}, {"plan": "a", "level": 9}], bundle.contract)
    assert [(problem.code, problem.row) for problem in rows.problems] == [("RW008", 0), ("RW008", 1)]


def test_rounding_to_float32_moves_no_value_over_a_cut_that_lies_on_it(tmp_path: Path) -> None:
    # Histogram trees cut at the values themselves, and 0.1 as float32 is above 0.1.
    X = np.repeat(np.arange(1, 301) / 10, 5)[:, None]
    y = X[:, 0] > 12.3
    model = HistGradientBoostingClassifier(max_iter=5).fit(X, y)
    bundle = siklus.package(model, X, y, name="cuts", directory=tmp_path / "b")
    assert far(answers(bundle, X), model.predict_proba(X)) <= NEAR


def test_values_on_the_edge_of_a_bin_stay_in_it(tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(0, 500, (400, 2)) / 10
    y = X[:, 0] * 2 - X[:, 1]
    bins = KBinsDiscretizer(6, encode="onehot-dense", strategy="uniform")
    model = make_pipeline(bins, LinearRegression()).fit(X, y)
    bundle = siklus.package(model, X, y, name="bins", directory=tmp_path / "b")
    assert far(answers(bundle, X), model.predict(X)) <= NEAR


@pytest.mark.parametrize(
    "kind", ["words, XGBoost", "histogram trees", "categories, histogram trees", "voting"]
)
def test_packaging_leaves_the_model_as_it_was(kind: str, tmp_path: Path) -> None:
    existing = EXISTING[kind]()
    before = existing.answers
    siklus.package(existing.model, existing.X, existing.y, name="m", directory=tmp_path / "b")
    assert np.array_equal(existing.answers, before)


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_rows_where_a_model_does_not_follow_its_own_probabilities_are_counted(tmp_path: Path) -> None:
    X, y = make_classification(200, 4, flip_y=0.4, random_state=3)
    model = SVC(probability=True, random_state=0).fit(X, y)
    likeliest = model.predict_proba(X).argmax(axis=1)
    apart = int((model.predict(X) != likeliest).sum())
    bundle = siklus.package(model, X, y, name="vectors", directory=tmp_path / "b")
    assert apart > 0
    assert bundle.document("evaluation.json")["other_classes"] == apart
    assert f"in {apart} rows the model's own `predict` names another" in (bundle.path / "card.md").read_text()
    assert bundle.labels(predicted(bundle, X)) == likeliest.tolist()


def test_where_float32_cannot_tell_values_apart_the_bundle_says_so(tmp_path: Path) -> None:
    # Seconds since 1970: neighbours that float32 rounds to the same number have different answers.
    X = 1.7e9 + np.arange(2000.0)[:, None] * 64
    y = X[:, 0] >= X[1000, 0] + 1
    model = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=1).fit(X, y)
    bundle = siklus.package(model, X, y, name="seconds", directory=tmp_path / "b")
    why = bundle.document("evaluation.json")["export"]["why"]
    assert "read as float32" in why
    assert "read as float32" in (bundle.path / "card.md").read_text()


def test_a_model_of_which_float32_leaves_nothing_is_refused(tmp_path: Path) -> None:
    seconds = 1.7e9 + np.arange(200.0)[:, None]  # float32 knows every 128th of them
    model = LinearRegression().fit(seconds, seconds[:, 0] - 1.7e9)
    with pytest.raises(ExportError) as refused:
        siklus.package(model, seconds, np.arange(200.0), name="lost", directory=tmp_path / "b")
    assert refused.value.code == "EX011"
    assert list(tmp_path.iterdir()) == []
