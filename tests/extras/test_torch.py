"""PyTorch: a perceptron that learns, and a user's own modules as graphs."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from siklus.errors import ExportError
from siklus.train.parity import certify
from siklus.train.perceptron import TorchClassifier, TorchRegressor
from siklus.train.torch_modules import torch_module_to_onnx
from tests.train.decoded import WIDTH, class_target, decoded_rows, number_target, proof

pytestmark = pytest.mark.torch

ROWS = decoded_rows(400, seed=1, missing=0.0)


@pytest.fixture
def torch() -> Any:
    found = import_module("torch")
    found.manual_seed(0)
    return found


def probabilities(torch: Any, module: Any, rows: Any) -> Any:
    with torch.no_grad():
        return torch.softmax(module.eval()(torch.from_numpy(rows)).double(), dim=1).numpy()


def test_the_perceptron_learns_what_a_line_cannot() -> None:
    random = np.random.default_rng(0)
    rows = random.uniform(-1, 1, size=(2000, 2))
    product = rows[:, 0] * rows[:, 1]
    assert TorchRegressor(learning_rate=5e-3).fit(rows, product).score(rows, product) > 0.95
    sign = (product > 0).astype(int)
    assert TorchClassifier(learning_rate=5e-3).fit(rows, sign).score(rows, sign) > 0.95


@pytest.mark.parametrize("kind", [TorchRegressor, TorchClassifier])
def test_the_same_seed_gives_the_same_weights(kind: Any, torch: Any) -> None:
    target = class_target(ROWS, classes=3)
    first = kind(epochs=3, seed=7).fit(ROWS, target)
    torch.rand(5)  # what others draw from torch's own generator in between does not matter
    second = clone(first).fit(ROWS, target)
    other = kind(epochs=3, seed=8).fit(ROWS, target)
    assert all(np.array_equal(a, b) for a, b in zip(first.coefs_, second.coefs_, strict=True))
    assert not np.array_equal(first.coefs_[0], other.coefs_[0])


def test_learning_ends_when_held_out_rows_gain_nothing() -> None:
    noise = np.random.default_rng(0).normal(size=len(ROWS))
    assert TorchRegressor(epochs=500, learning_rate=1e-2).fit(ROWS, noise).n_iter_ < 100


def test_few_rows_all_learn() -> None:
    model = TorchRegressor(epochs=30).fit(ROWS[:20], number_target(ROWS[:20]))
    assert model.n_iter_ == 30


@pytest.mark.parametrize("classes", [2, 3])
def test_a_perceptron_of_classes_is_written_exactly(classes: int) -> None:
    model = TorchClassifier(hidden=(16,), epochs=10).fit(ROWS, class_target(ROWS, classes=classes))
    assert proof(model, decoded_rows(400, seed=2, missing=0.0), "classification").holds


def test_a_perceptron_of_numbers_is_written_exactly() -> None:
    model = make_pipeline(TorchRegressor(hidden=(16, 8), epochs=10)).fit(ROWS, number_target(ROWS) * 1e4)
    assert proof(model, decoded_rows(400, seed=2, missing=0.0), "regression").holds


def test_a_fitted_perceptron_answers_without_torch(tmp_path: Any) -> None:
    joblib = import_module("joblib")
    model = TorchRegressor(epochs=2).fit(ROWS, number_target(ROWS))
    joblib.dump(model, tmp_path / "model")
    code = (
        "import sys, joblib, numpy as np\n"
        f"joblib.load({str(tmp_path / 'model')!r}).predict(np.zeros((1, {WIDTH})))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_value_is_refused_as_by_other_networks() -> None:
    with pytest.raises(ValueError, match="NaN"):
        TorchRegressor().fit(decoded_rows(50, seed=1), np.zeros(50))


def test_a_module_that_gives_logits_gets_its_softmax(torch: Any) -> None:
    nn = torch.nn
    module = nn.Sequential(
        nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)
    )
    written = torch_module_to_onnx(module, ROWS[:1], task="classification")
    assert module.training  # it is left as it was found
    wanted = probabilities(torch, module, ROWS)
    assert certify(written, ROWS, wanted, task="classification").holds


def test_a_module_that_gives_probabilities_is_left_alone(torch: Any) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(WIDTH, 3), torch.nn.Softmax(dim=1))
    written = torch_module_to_onnx(module, ROWS, task="classification", logits=False)
    with torch.no_grad():
        wanted = module(torch.from_numpy(ROWS)).numpy()
    assert certify(written, ROWS, wanted, task="classification").holds


@pytest.mark.parametrize("logits", [True, False])
def test_one_sum_tells_two_classes_apart(torch: Any, logits: bool) -> None:
    linear = torch.nn.Linear(WIDTH, 1)
    module = linear if logits else torch.nn.Sequential(linear, torch.nn.Sigmoid())
    written = torch_module_to_onnx(module, ROWS, task="classification", logits=logits)
    with torch.no_grad():
        second = torch.sigmoid(linear(torch.from_numpy(ROWS)).double()).numpy()
    assert certify(written, ROWS, np.hstack([1 - second, second]), task="classification").holds


def image_network(torch: Any) -> Any:
    nn = torch.nn

    class Network(nn.Module):  # type: ignore[misc, name-defined] # torch is no name at checking time
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(1, 4, 3)
            self.last = nn.Linear(4 * 6 * 6, 1)

        def forward(self, images: Any) -> Any:
            found = torch.relu(self.convolution(images.unsqueeze(1)))
            return self.last(found.flatten(1)).squeeze(1)

    return Network()


def test_a_tensor_column_is_the_input_by_its_name(torch: Any) -> None:
    module = image_network(torch)
    images = np.random.default_rng(0).normal(size=(50, 8, 8)).astype(np.float32)
    written = torch_module_to_onnx(module, images[:2], task="regression", entry="image")
    onnx = import_module("onnx")
    assert [put.name for put in onnx.load_from_string(written).graph.input] == ["image"]
    with torch.no_grad():
        wanted = module(torch.from_numpy(images)).numpy()
    assert certify(written, images, wanted, task="regression").holds


def test_a_graph_says_nothing_of_the_machine_that_wrote_it(torch: Any) -> None:
    module, images = image_network(torch), np.zeros((2, 8, 8), dtype=np.float32)
    written = torch_module_to_onnx(module, images, task="regression", entry="image")
    assert b".py" not in written


def test_a_module_that_answers_in_another_shape_is_refused(torch: Any) -> None:
    with pytest.raises(ExportError, match=r"EX006 answers of shape \(N, 3\)"):
        torch_module_to_onnx(torch.nn.Linear(WIDTH, 3), ROWS, task="regression")
    with pytest.raises(ExportError, match=r"EX006 answers of shape \(400, 6, 1\)"):
        torch_module_to_onnx(torch.nn.Unflatten(1, (6, 1)), ROWS, task="classification")


def test_a_module_that_cannot_be_exported_is_named(torch: Any) -> None:
    class Branches(torch.nn.Module):  # type: ignore[misc, name-defined] # as above
        def forward(self, rows: Any) -> Any:
            return rows[:, :1] if float(rows.sum()) > 0 else rows[:, 1:2]

    with pytest.raises(ExportError, match="EX001 Branches"):
        torch_module_to_onnx(Branches(), ROWS, task="regression")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [TorchRegressor, TorchClassifier])
def test_the_perceptrons_keep_scikit_learns_rules_for_estimators(kind: Any) -> None:
    checked = check_estimator(kind(epochs=30), on_skip=None)
    assert not [check["check_name"] for check in checked if check["status"] == "failed"]
