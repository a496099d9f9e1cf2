"""The parts list: by CycloneDX's own rules, out of the bundle alone, with all that the model's card needs."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from siklus.bundle.papers import Provenance
from siklus.bundle.write import digest_of
from siklus.contract.columns import Contract
from siklus.errors import PapersError
from siklus.papers.evidence import evidence
from siklus.papers.sbom import sbom
from siklus.stats.intervals import estimate
from siklus.train.evaluate import evaluate
from tests.bundle.sealed import LATE, MINUTES, sealed

SENSITIVE = Contract(
    columns=tuple(msgspec.structs.replace(column, sensitive=True) for column in MINUTES.columns[:1])
    + MINUTES.columns[1:],
    target=MINUTES.target,
)
CHANCE = np.random.default_rng(4)
TRUE = CHANCE.normal(100, 20, size=400)
SAID = TRUE + CHANCE.normal(0, 5, size=400)
CARRIERS = np.array(["AA", 'U"A\n|'] * 200, dtype=object)
EVALUATION = evaluate(TRUE, SAID, task="regression", classes=None, slices={"carrier": CARRIERS}, seed=0)
MADE = Provenance(
    siklus="1.2.0",
    trained="2026-01-31T09:00:00+00:00",
    model_kind="linear",
    triggered_by="siklus train",
    source="/data/flights.csv",
    data_digest="d" * 64,
    data_rows=2_000,
    trained_rows=1_600,
    parameters={"penalty": 1.5, "odd <key>": "]]>&"},
    git_commit="c" * 40,
    environment={
        "python": "3.11.7",
        "platform": "linux-x86_64",
        "numpy": version("numpy"),
        "Some_Odd.Name": "1!2.0+local.1",
        "no-such-package": "0.1",
    },
)


def document(path: Path) -> dict[str, Any]:
    text = sbom(evidence(path, version="7"))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    raw = json.loads(msgspec.json.encode(EVALUATION))
    return sealed(path, SENSITIVE, provenance=MADE, evaluation={"evaluation": raw})


def test_it_keeps_the_published_schema_and_is_the_same_each_time(bundle: Path) -> None:
    assert document(bundle) == document(bundle)
    assert sbom(evidence(bundle)).startswith('{\n  "$schema": "http://cyclonedx.org/schema/bom-1.6')


@pytest.mark.parametrize("contract", [MINUTES, LATE], ids=["regression", "classification"])
def test_a_bundle_that_knows_little_has_one_too(tmp_path: Path, contract: Contract) -> None:
    little = Provenance(siklus="0", trained="2026-01-31", model_kind="by hand", triggered_by="a test")
    for evaluation in ({}, {"mae": 9.5}):
        path = sealed(tmp_path / f"{len(evaluation)}", contract, provenance=little, evaluation=evaluation)
        found = document(path)
        assert found["metadata"]["component"]["modelCard"]["quantitativeAnalysis"] == {
            "performanceMetrics": []
        }


def test_the_serial_number_is_the_bundles(bundle: Path, tmp_path: Path) -> None:
    other = sealed(tmp_path / "other", provenance=MADE)
    serials = {document(path)["serialNumber"] for path in (bundle, other)}
    assert len(serials) == 2
    assert all(serial.startswith("urn:uuid:") for serial in serials)


def test_the_model_is_a_model_with_its_card(bundle: Path) -> None:
    model = document(bundle)["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "flights", "7")
    told = {each["name"]: each["value"] for each in model["properties"]}
    assert told["siklus:bundle.digest"] == digest_of(bundle)
    parameters = model["modelCard"]["modelParameters"]
    assert (parameters["task"], parameters["architectureFamily"]) == ("regression", "linear")
    assert parameters["datasets"] == [{"ref": "training-data"}]
    assert len(parameters["inputs"]) == len(MINUTES.columns)


def test_scores_stand_with_their_intervals_and_slices(bundle: Path) -> None:
    metrics = document(bundle)["metadata"]["component"]["modelCard"]["quantitativeAnalysis"][
        "performanceMetrics"
    ]
    whole = {each["type"]: each for each in metrics if "slice" not in each}
    mae = estimate("mae", TRUE, SAID, seed=0)
    assert float(whole["mae"]["value"]) == pytest.approx(np.abs(TRUE - SAID).mean())
    bounds = whole["mae"]["confidenceInterval"]
    assert (float(bounds["lowerBound"]), float(bounds["upperBound"])) == (mae.low, mae.high)
    assert {each["slice"] for each in metrics if "slice" in each} == {"carrier=AA", 'carrier=U"A\n|'}


def test_the_data_is_a_component_with_its_digest(bundle: Path) -> None:
    [data] = [each for each in document(bundle)["components"] if each["type"] == "data"]
    assert (data["version"], data["name"]) == ("d" * 64, "/data/flights.csv")
    assert data["data"][0]["sensitiveData"] == ["distance"]
    told = {each["name"]: each["value"] for each in data["data"][0]["contents"]["properties"]}
    assert (told["siklus:data.rows"], told["siklus:data.trained_rows"]) == ("2000", "1600")


def test_packages_have_their_address_and_where_it_is_known_their_licence(bundle: Path) -> None:
    found = document(bundle)
    parts = {each["name"]: each for each in found["components"] if each["type"] == "library"}
    assert parts["Some_Odd.Name"]["purl"] == "pkg:pypi/some-odd-name@1%212.0%2Blocal.1"
    assert "licenses" in parts["numpy"]
    assert "licenses" not in parts["no-such-package"]
    # What answers is required; what was only there when it was trained is not.
    assert (parts["numpy"]["scope"], parts["no-such-package"]["scope"]) == ("required", "excluded")
    [model] = [each for each in found["dependencies"] if each["ref"] == "model"]
    assert "training-data" in model["dependsOn"]
    assert "package:numpy" in model["dependsOn"]


def test_another_versions_licence_is_not_taken_for_this_one(tmp_path: Path) -> None:
    made = msgspec.structs.replace(MADE, environment={"numpy": "0.0.1"})
    [numpy] = [
        each
        for each in document(sealed(tmp_path / "b", provenance=made))["components"]
        if each["name"] == "numpy"
    ]
    assert "licenses" not in numpy


def test_an_evaluation_that_is_none_is_said(tmp_path: Path) -> None:
    path = sealed(tmp_path / "bundle", evaluation={"evaluation": {"metrics": "good"}})
    with pytest.raises(PapersError) as caught:
        evidence(path)
    assert caught.value.code == "PA003"
