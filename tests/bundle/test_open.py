"""Opening: the same answers as when it was sealed, or a refusal before anything in it runs."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from siklus.bundle.papers import Golden
from siklus.bundle.read import open_bundle
from siklus.contract.decode import decode_records
from siklus.errors import BundleError
from siklus.files import sha256
from tests.bundle.sealed import (
    INSTANCES,
    LATE,
    MINUTES,
    SUMS,
    contents,
    files_of,
    logistic,
    regressor,
    sealed,
)

GOLDEN_BUNDLE = Path(__file__).parent / "golden" / "format-1"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed(tmp_path_factory.mktemp("whole") / "b")


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "b")
    return tmp_path / "b"


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        open_bundle(path)
    return caught.value.code


def test_an_opened_regression_answers_as_the_formula_says(path: Path) -> None:
    bundle = open_bundle(path)
    predictions = bundle.predict(decode_records(INSTANCES, MINUTES).accepted())
    np.testing.assert_allclose(predictions.values, SUMS, rtol=1e-6)
    np.testing.assert_allclose(bundle.labels(predictions), SUMS, rtol=1e-6)
    assert predictions.probabilities is None


def test_an_opened_classifier_answers_as_the_formula_says(tmp_path: Path) -> None:
    bundle = open_bundle(sealed(tmp_path / "b", LATE))
    predictions = bundle.predict(decode_records(INSTANCES, LATE).accepted())
    np.testing.assert_allclose(predictions.raw, logistic(SUMS), rtol=1e-5)
    assert bundle.labels(predictions) == ["yes", "yes", "yes"]
    np.testing.assert_allclose(predictions.probabilities, logistic(SUMS).max(axis=1), rtol=1e-5)


def test_a_tie_goes_to_the_first_class_as_in_scikit_learn(tmp_path: Path) -> None:
    bundle = open_bundle(sealed(tmp_path / "b", LATE))
    zeros = {"distance": 0, "seats": 0, "carrier": "AA", "is late": False, "wind": 0}
    monday_midnight = {**zeros, "time_hour": "2013-01-07T00:00:00"}
    predictions = bundle.predict(decode_records([monday_midnight], LATE).accepted())
    assert predictions.raw.tolist() == [[0.5, 0.5]]
    assert bundle.labels(predictions) == ["no"]


def test_a_bundle_is_called_by_its_digest_until_it_has_a_number(path: Path) -> None:
    assert open_bundle(path).version == sha256(path / "manifest.json")[:12]
    assert open_bundle(path, version="7").version == "7"


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n")


SEALED = [
    "MLmodel",
    "card.md",
    "contract.json",
    "evaluation.json",
    "golden.json",
    "input_example.json",
    "model.onnx",
    "pictures/residuals.png",
    "profile.json",
    "provenance.json",
    "python_env.yaml",
    "requirements.txt",
    "serving_input_example.json",
]


def test_the_damage_tests_cover_every_file(path: Path) -> None:
    assert files_of(path) == sorted([*SEALED, "manifest.json"])


@pytest.mark.parametrize("name", SEALED)
@pytest.mark.parametrize("damage", [flip, truncate, lengthen], ids=lambda damage: damage.__name__)
def test_a_changed_file_is_refused(path: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(path / name)
    assert refusal(path) == "BN005"


@pytest.mark.parametrize("name", SEALED)
def test_a_missing_file_is_refused(path: Path, name: str) -> None:
    (path / name).unlink()
    assert refusal(path) == "BN004"


@pytest.mark.parametrize("name", SEALED)
def test_a_link_in_a_file_s_place_is_refused_though_its_content_is_the_same(path: Path, name: str) -> None:
    copy = path.parent / "copy"
    shutil.move(path / name, copy)
    (path / name).symlink_to(copy)
    assert refusal(path) == "BN004"


def test_an_added_file_is_refused(path: Path) -> None:
    (path / "pictures" / "extra.py").write_text("raise SystemExit")
    assert refusal(path) == "BN004"


def test_a_linked_directory_is_refused(path: Path) -> None:
    (path / "more").symlink_to(path.parent)
    assert refusal(path) == "BN004"


def test_a_pipe_is_refused_rather_than_waited_for(path: Path) -> None:
    os.mkfifo(path / "pipe")
    assert refusal(path) == "BN004"


@pytest.mark.parametrize(
    "damage", [truncate, lambda file: file.write_bytes(b"\x80\x04."), lambda file: file.write_bytes(b"[]")]
)
def test_a_manifest_that_is_none_is_refused(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path / "manifest.json")
    assert refusal(path) == "BN003"


def test_a_directory_without_a_manifest_is_no_bundle(path: Path) -> None:
    (path / "manifest.json").unlink()
    assert refusal(path) == "BN001"
    assert refusal(path / "card.md") == "BN001"
    assert refusal(path / "nowhere") == "BN001"


def rewrite(path: Path, **changes: Any) -> None:
    manifest = json.loads((path / "manifest.json").read_bytes())
    (path / "manifest.json").write_text(json.dumps({**manifest, **changes}))


@pytest.mark.parametrize("number", [0, 2, 99])
def test_another_format_number_is_refused_whatever_else_it_says(path: Path, number: int) -> None:
    rewrite(path, format=number, something="new")
    assert refusal(path) == "BN002"


@pytest.mark.parametrize(
    "changes", [{"extra": 1}, {"model": "pickle"}, {"files": {"a": {"sha256": "x", "size": 1}}}]
)
def test_a_manifest_with_other_fields_is_refused(path: Path, changes: dict[str, Any]) -> None:
    rewrite(path, **changes)
    assert refusal(path) == "BN003"


@pytest.mark.parametrize("name", ["model.onnx", "contract.json", "golden.json", "provenance.json"])
def test_a_bundle_that_was_sealed_without_an_indispensable_file_is_refused(path: Path, name: str) -> None:
    files = json.loads((path / "manifest.json").read_bytes())["files"]
    rewrite(path, files={key: value for key, value in files.items() if key != name})
    (path / name).unlink()
    assert refusal(path) == "BN004"


def test_an_endless_manifest_is_refused_before_it_is_read(path: Path) -> None:
    os.truncate(path / "manifest.json", 1_000_000_000)
    assert refusal(path) == "BN009"


def reseal(path: Path, name: str, data: bytes) -> None:
    """What someone who can write all files could do: the digests are right, the content is not."""
    (path / name).write_bytes(data)
    files = json.loads((path / "manifest.json").read_bytes())["files"]
    rewrite(path, files={**files, name: {"sha256": sha256(path / name), "size": len(data)}})


def test_an_endless_document_is_refused_before_it_is_read(path: Path) -> None:
    reseal(path, "golden.json", b" " * 64_000_001)
    assert refusal(path) == "BN009"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"instances": [], "outputs": [[1]]}',
        '{"instances": [{}, {}], "outputs": [[1], [1, 2]]}',
        '{"instances": [], "outputs": [], "tolerance": "none"}',
    ],
)
def test_golden_rows_that_are_none_are_refused(path: Path, text: str) -> None:
    reseal(path, "golden.json", text.encode())
    assert refusal(path) == "BN011"


def test_a_model_that_answers_its_golden_rows_otherwise_is_refused(tmp_path: Path) -> None:
    golden = contents().golden
    wrong = Golden(instances=golden.instances, outputs=[[output + 1] for (output,) in golden.outputs])
    assert refusal(sealed(tmp_path / "b", golden=wrong)) == "BN006"


def test_golden_answers_of_another_shape_are_refused(tmp_path: Path) -> None:
    golden = contents().golden
    wrong = Golden(instances=golden.instances, outputs=[[*output, 0.0] for output in golden.outputs])
    assert refusal(sealed(tmp_path / "b", golden=wrong)) == "BN006"


def test_golden_rows_that_break_the_contract_are_refused(tmp_path: Path) -> None:
    assert refusal(sealed(tmp_path / "b", golden=Golden(instances=[{"x": 1}], outputs=[[1.0]]))) == "BN006"


class Marker:
    """Unpickling it makes a file: what a hostile model would do, and worse."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (self.file,))


@pytest.mark.parametrize(
    ("model_format", "code"),
    [("onnx", "BN007"), ("skops", "BN007"), ("xgboost", "BN007"), ("lightgbm", "BN007")],
)
def test_a_pickle_under_an_allowed_name_is_refused_and_not_run(
    tmp_path: Path, model_format: str, code: str
) -> None:
    data = pickle.dumps(Marker(tmp_path / "it ran"))
    path = sealed(tmp_path / "b", model=data, model_format=model_format)
    assert refusal(path) == code
    assert not (tmp_path / "it ran").exists()


def test_the_committed_bundle_of_format_1_stays_readable() -> None:
    bundle = open_bundle(GOLDEN_BUNDLE)
    assert bundle.manifest.format == 1
    predictions = bundle.predict(decode_records(INSTANCES, bundle.contract).accepted())
    np.testing.assert_allclose(predictions.values, SUMS, rtol=1e-6)
    assert sum(file.stat().st_size for file in GOLDEN_BUNDLE.rglob("*")) <= 20_000


def test_a_model_of_other_weights_has_other_answers(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b", model=regressor(np.zeros(7, dtype=np.float32)))
    predictions = open_bundle(path).predict(decode_records(INSTANCES, MINUTES).accepted())
    assert predictions.values.tolist() == [0, 0, 0]
