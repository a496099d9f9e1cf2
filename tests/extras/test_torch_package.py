"""PyTorch modules packaged, and networks written as PyTorch's own files."""

import io
import pickle
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

import siklus
from siklus.bundle.read import Bundle
from siklus.contract.decode import decode_records
from siklus.errors import ExportError
from siklus.train.estimator_files import FORMATS
from siklus.train.imported.model_file import open_model
from siklus.train.perceptron import TorchClassifier, TorchRegressor
from tests.serve.servers import serving_bundle

pytestmark = pytest.mark.torch

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(120, 6)).astype(np.float32)
THREE = RANDOM.integers(0, 3, 120)
IMAGES = RANDOM.random((60, 1, 6, 6)).astype(np.float32)

Answers = NDArray[np.floating[Any]]


@pytest.fixture(scope="module")
def torch() -> Any:
    found = import_module("torch")
    found.manual_seed(0)
    return found


def network(torch: Any, outputs: int, *last: Any) -> Any:
    return torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, outputs), *last
    )


def asked(torch: Any, module: Any, rows: Answers) -> Answers:
    """The module's own answers, without dropout."""
    with torch.no_grad():
        found = module.eval()(torch.from_numpy(rows)).numpy()
    module.train()
    return np.asarray(found)


def both(second: Answers) -> Answers:
    return np.stack([1 - second, second], axis=1)


def answers(bundle: Bundle, instances: Any) -> Answers:
    return bundle.predict(decode_records(instances, bundle.contract).accepted()).raw


def sigmoid(sums: Answers) -> Answers:
    return 1 / (1 + np.exp(-sums))


# What a module ends with → what it answers as a classifier.
ENDS: dict[str, tuple[int, Callable[[Any], tuple[Any, ...]], Callable[[Answers], Answers]]] = {
    "logits": (3, lambda torch: (), lambda found: softmax(found, axis=1)),
    "probabilities": (3, lambda torch: (torch.nn.Softmax(dim=1),), lambda found: found),
    "one logit": (1, lambda torch: (), lambda found: both(sigmoid(found[:, 0]))),
    "one probability": (1, lambda torch: (torch.nn.Sigmoid(),), lambda found: both(found[:, 0])),
    "one number without an axis": (
        1,
        lambda torch: (torch.nn.Flatten(0),),
        lambda found: both(sigmoid(found)),
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_classifier_s_answers_are_probabilities_however_it_ends(
    end: str, torch: Any, tmp_path: Path
) -> None:
    outputs, last, wanted = ENDS[end]
    module = network(torch, outputs, *last(torch))
    classes = THREE if outputs == 3 else THREE > 0
    bundle = siklus.package(module, ROWS, classes, name="net", directory=tmp_path / "b")
    assert module.training  # it was found so, and is left so
    assert np.abs(answers(bundle, ROWS.tolist()) - wanted(asked(torch, module, ROWS))).max() <= 1e-5
    assert bundle.document("evaluation.json")["agreement"]["holds"]


def test_a_regression_answers_with_its_values(torch: Any, tmp_path: Path) -> None:
    module = network(torch, 1)
    frame = pd.DataFrame(ROWS, columns=list("abcdef"))
    bundle = siklus.package(module, frame, ROWS[:, 0], name="net", directory=tmp_path / "b")
    wanted = asked(torch, module, ROWS)[:, 0]
    assert np.abs(answers(bundle, ROWS.tolist()) - wanted).max() <= 1e-5


def test_images_are_served_as_nested_lists(torch: Any, tmp_path: Path) -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 3)
    )
    outcomes = np.array(["cat", "dog", "owl"])[THREE[:60]]
    siklus.package(module, IMAGES, torch.from_numpy(THREE[:60]), name="net", directory=tmp_path / "numbers")
    bundle = siklus.package(module, torch.from_numpy(IMAGES), outcomes, name="net", directory=tmp_path / "b")
    wanted = softmax(asked(torch, module, IMAGES), axis=1)
    assert bundle.contract.names == ("x",)
    with serving_bundle(tmp_path / "b") as server:
        found = server.batch([{"x": image.tolist()} for image in IMAGES])
    assert found["predictions"] == [["cat", "dog", "owl"][i] for i in wanted.argmax(axis=1)]
    assert np.abs(found["probabilities"] - wanted.max(axis=1)).max() <= 1e-5


def test_a_module_that_cannot_be_traced_is_refused(torch: Any, tmp_path: Path) -> None:
    class Counting(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is a fixture here
        def forward(self, rows: Any) -> Any:
            return rows * len(rows.numpy().tolist())

    with pytest.raises(ExportError) as refused:
        siklus.package(Counting(), ROWS[:, :3], THREE, name="net", directory=tmp_path / "b")
    assert refused.value.code == "EX010"
    assert list(tmp_path.iterdir()) == []


def saved(torch: Any, content: Any, file: Path) -> Path:
    torch.save(content, file)
    return file


def test_a_whole_module_is_opened_only_on_request(torch: Any, tmp_path: Path) -> None:
    file = saved(torch, network(torch, 3), tmp_path / "net.pt")
    with pytest.raises(ExportError, match="EX016"):
        open_model(file, trust_pickle=False)
    assert isinstance(open_model(file, trust_pickle=True), torch.nn.Module)


def test_nothing_of_a_hostile_file_runs_while_it_is_looked_at(torch: Any, tmp_path: Path) -> None:
    trace = tmp_path / "was here"

    class Burglar:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (trace,)

    plain = tmp_path / "plain.pt"
    plain.write_bytes(pickle.dumps(Burglar()))
    for file in (saved(torch, Burglar(), tmp_path / "net.pt"), plain):
        with pytest.raises(ExportError, match="EX016"):
            open_model(file, trust_pickle=False)
    assert not trace.exists()


@pytest.mark.parametrize("trusted", [True, False])
def test_weights_alone_are_no_model(trusted: bool, torch: Any, tmp_path: Path) -> None:
    file = saved(torch, network(torch, 3).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ExportError, match="EX017") as refused:
        open_model(file, trust_pickle=trusted)
    assert "torch.save(module, path)" in str(refused.value)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_torchscript_file_is_packaged_as_well(torch: Any, tmp_path: Path) -> None:
    module = network(torch, 3).eval()
    torch.jit.script(module).save(tmp_path / "net.pt")
    bundle = siklus.package(
        open_model(tmp_path / "net.pt", trust_pickle=True), ROWS, THREE, name="net", directory=tmp_path / "b"
    )
    wanted = softmax(asked(torch, module, ROWS), axis=1)
    assert np.abs(answers(bundle, ROWS.tolist()) - wanted).max() <= 1e-5


YEARS = np.column_stack([ROWS[:, :2], 2012 + ROWS[:, 2] / 2])


def test_our_perceptron_is_written_as_a_network_of_pytorch_s_own_layers(torch: Any) -> None:
    model = make_pipeline(SimpleImputer(), TorchClassifier(epochs=3, hidden=(8, 4))).fit(YEARS, THREE)
    whole = torch.load(io.BytesIO(FORMATS["torch-model"](model)), weights_only=False)
    found = softmax(asked(torch, whole.eval(), YEARS.astype(np.float32)), axis=1)
    assert {type(layer).__module__.partition(".")[0] for layer in whole} == {"torch"}
    assert np.abs(found - model.predict_proba(YEARS)).max() <= 1e-3  # of years, float32 loses three digits


def test_its_weights_fill_a_network_of_the_same_shape(torch: Any) -> None:
    model = TorchRegressor(epochs=3, hidden=(8,)).fit(ROWS, 100 + 7 * ROWS[:, 0])
    weights = torch.load(io.BytesIO(FORMATS["torch"](model)), weights_only=True)
    same = torch.nn.Sequential(
        torch.nn.BatchNorm1d(6, eps=0.0, affine=False),
        torch.nn.Linear(6, 8),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 1),
    )
    same.load_state_dict(weights)
    assert asked(torch, same, ROWS)[:, 0] == pytest.approx(model.predict(ROWS), rel=1e-5)


def test_a_module_of_one_s_own_is_written_as_it_is(torch: Any) -> None:
    module = network(torch, 3)
    whole = torch.load(io.BytesIO(FORMATS["torch-model"](module)), weights_only=False)
    assert np.array_equal(asked(torch, whole, ROWS), asked(torch, module, ROWS))
