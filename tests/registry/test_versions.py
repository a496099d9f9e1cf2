"""Versions: numbered bundles with stages, which MLflow itself loads, and which come back as sealed."""

import itertools
import multiprocessing
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from siklus.bundle.read import open_bundle
from siklus.bundle.write import digest_of
from siklus.errors import BundleError, SiklusError
from siklus.registry.stages import STAGES, Stage
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import Tracking, open_tracking
from tests.bundle.frames import FRAME
from tests.bundle.sealed import LATE, SUMS, sealed
from tests.registry.racing import TIMES, register_several
from tests.tracking.stores import new_name, project, store

Register = Callable[..., Version]


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return store(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed(tmp_path_factory.mktemp("sealed") / "b")


@pytest.fixture
def registry(tracking: Tracking) -> Registry:
    return Registry(tracking)


@pytest.fixture
def name() -> str:
    return new_name()


@pytest.fixture
def register(tracking: Tracking, registry: Registry, bundle: Path, name: str) -> Register:
    def registered(
        *, stage: Stage | None = None, of: Path = bundle, annotations: tuple[str, ...] = ()
    ) -> Version:
        with tracking.run(experiment=name, name="train") as run:
            return registry.register(
                of, name=name, run_id=run.id, metrics={"mae": 9.5}, stage=stage, annotations=annotations
            )

    return registered


def refusal(code: str, call: Callable[[], object]) -> SiklusError:
    with pytest.raises(SiklusError) as caught:
        call()
    assert caught.value.code == code
    return caught.value


def test_a_version_says_where_it_comes_from(register: Register, bundle: Path, name: str) -> None:
    before = datetime.now(UTC)
    version = register(annotations=("Trained on January.",))
    assert (version.name, version.number, version.stage) == (name, 1, None)
    assert version.digest == digest_of(bundle)
    assert version.data_digest == "d" * 64
    assert (version.task, version.metrics) == ("regression", {"mae": 9.5})
    assert version.annotations == ("Trained on January.",)
    assert version.run_id
    assert abs((version.created - before).total_seconds()) < 60


def test_numbers_count_up_and_the_newest_comes_first(
    registry: Registry, register: Register, name: str
) -> None:
    assert [register().number for _ in range(3)] == [1, 2, 3]
    assert [version.number for version in registry.versions(name)] == [3, 2, 1]
    assert name in registry.names()


def test_nothing_is_registered_under_an_unknown_name(registry: Registry, name: str) -> None:
    assert registry.versions(name) == ()
    assert registry.holder(name, "production") is None


def test_a_version_is_found_by_number_stage_or_latest(
    registry: Registry, register: Register, name: str
) -> None:
    register(stage="production")
    register(stage="staging")
    register()
    found = {
        which: registry.resolve(name, which).number for which in ("2", "production", "staging", "latest")
    }
    assert found == {"2": 2, "production": 1, "staging": 2, "latest": 3}


def test_an_unknown_name_lists_the_near_ones(registry: Registry, register: Register, name: str) -> None:
    register()
    error = refusal("RG001", lambda: registry.resolve(f"{name}x", "latest"))
    assert name in (error.expected or "")


@pytest.mark.parametrize("which", ["7", "0", "01", "-1", "prodution", "v1", ""])
def test_an_unknown_version_lists_those_that_exist(
    registry: Registry, register: Register, name: str, which: str
) -> None:
    register(stage="production")
    error = refusal("RG002", lambda: registry.resolve(name, which))
    assert ("production" if which == "prodution" else "1 (production)") in (error.expected or "")


def test_an_empty_stage_is_said(registry: Registry, register: Register, name: str) -> None:
    register()
    assert refusal("RG003", lambda: registry.resolve(name, "production")).expected == "one of 1"


def stages(registry: Registry, name: str) -> dict[int, Stage | None]:
    return {version.number: version.stage for version in registry.versions(name)}


def test_promoting_archives_the_former_production_version(
    registry: Registry, register: Register, name: str
) -> None:
    register(stage="production")
    register(stage="staging")
    assert registry.promote(name, "staging", "production").stage == "production"
    assert stages(registry, name) == {1: "archived", 2: "production"}
    assert registry.promote(name, "1", "production").number == 1
    assert stages(registry, name) == {1: "production", 2: "archived"}


def test_a_version_goes_from_any_stage_to_any(registry: Registry, register: Register, name: str) -> None:
    register()
    for before, after in itertools.product((*STAGES, None), repeat=2):
        registry.promote(name, "1", before)
        assert registry.promote(name, "1", after).stage == after, f"from {before}"


def test_a_new_staging_version_takes_the_place_of_the_former(
    registry: Registry, register: Register, name: str
) -> None:
    register(stage="staging")
    register(stage="staging")
    assert stages(registry, name) == {1: None, 2: "staging"}


def test_stages_are_mlflow_s_aliases_and_tags(
    tracking: Tracking, registry: Registry, register: Register, name: str
) -> None:
    register(stage="production")
    register(stage="staging")
    with tracking.calling():
        champion = tracking.client.get_model_version_by_alias(name, "champion")
        challenger = tracking.client.get_model_version_by_alias(name, "challenger")
    assert (int(champion.version), champion.tags["siklus.stage"]) == (1, "production")
    assert (int(challenger.version), challenger.tags["siklus.stage"]) == (2, "staging")


def test_an_alias_that_was_moved_by_hand_is_followed(
    tracking: Tracking, registry: Registry, register: Register, name: str
) -> None:
    register(stage="production")
    register()
    with tracking.calling():
        tracking.client.set_registered_model_alias(name, "champion", "2")
    assert registry.resolve(name, "production").number == 2
    assert stages(registry, name) == {1: "archived", 2: "production"}


def test_annotations_add_up(registry: Registry, register: Register, name: str) -> None:
    register(annotations=("First.",))
    registry.annotate(name, "latest", "Second: é.\n")
    assert registry.annotate(name, "1", "Third.").annotations == ("First.", "Second: é.", "Third.")


def test_tags_that_others_have_set_are_seen(
    tracking: Tracking, registry: Registry, register: Register, name: str
) -> None:
    register()
    with tracking.calling():
        tracking.client.set_model_version_tag(name, "1", "team", "ops")
    assert registry.resolve(name, "1").tags == {"team": "ops"}


def test_a_fetched_bundle_is_the_registered_one_under_its_digest(
    registry: Registry, register: Register, bundle: Path, tmp_path: Path
) -> None:
    version = register()
    path = registry.fetch(version, tmp_path / "bundles")
    assert path == tmp_path / "bundles" / digest_of(bundle)
    assert open_bundle(path).manifest == open_bundle(bundle).manifest
    assert [found.name for found in (tmp_path / "bundles").iterdir()] == [path.name]


def test_what_is_in_the_cache_needs_no_registry(
    tracking: Tracking, registry: Registry, register: Register, tmp_path: Path
) -> None:
    version = register()
    path = registry.fetch(version, tmp_path)
    gone = msgspec.structs.replace(version, run_id="0" * 32)
    assert registry.fetch(gone, tmp_path) == path


def test_a_damaged_cache_is_fetched_anew(registry: Registry, register: Register, tmp_path: Path) -> None:
    version = register()
    path = registry.fetch(version, tmp_path)
    (path / "model.onnx").write_bytes(b"rotten")
    assert open_bundle(registry.fetch(version, tmp_path)).manifest.name == "flights"
    (path / "card.md").unlink()
    assert open_bundle(registry.fetch(version, tmp_path)).manifest.name == "flights"


def test_a_bundle_that_was_changed_in_mlflow_s_store_is_refused(
    tracking: Tracking, registry: Registry, register: Register, tmp_path: Path
) -> None:
    version = register()
    (tmp_path / "card.md").write_text("# forged\n")
    with tracking.calling():
        tracking.client.log_artifact(version.run_id, str(tmp_path / "card.md"), "bundle")
    assert refusal("BN005", lambda: registry.fetch(version, tmp_path / "bundles"))
    assert list((tmp_path / "bundles").iterdir()) == []


def test_another_sound_bundle_in_mlflow_s_store_is_refused(
    tracking: Tracking, registry: Registry, register: Register, tmp_path: Path
) -> None:
    version = register()
    other = sealed(tmp_path / "other", card="# another\n")
    with tracking.calling():
        tracking.client.log_artifacts(version.run_id, str(other), "bundle")
    assert refusal("RG004", lambda: registry.fetch(version, tmp_path / "bundles"))


def test_a_version_that_something_else_registered_is_listed_but_not_fetched(
    tracking: Tracking, registry: Registry, name: str, tmp_path: Path
) -> None:
    with tracking.run(experiment=name, name="elsewhere") as run:
        run.artifact("model/anything", b"x")
    with tracking.calling():
        tracking.client.create_registered_model(name)
        tracking.client.create_model_version(name, f"{run.artifact_uri}/model", run.id)
    (version,) = registry.versions(name)
    assert (version.number, version.digest, version.metrics) == (1, None, {})
    refusal("RG005", lambda: registry.fetch(version, tmp_path))


def test_a_damaged_bundle_is_never_registered(
    register: Register, registry: Registry, name: str, tmp_path: Path
) -> None:
    path = sealed(tmp_path / "b")
    (path / "model.onnx").write_bytes(b"rotten")
    assert isinstance(refusal("BN005", lambda: register(of=path)), BundleError)
    assert registry.versions(name) == ()


def test_mlflow_loads_a_version_by_number_and_by_alias(
    tracking: Tracking, register: Register, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    register(stage="production", of=sealed(tmp_path / "late", LATE))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    with warnings.catch_warnings(action="ignore"):
        import mlflow.pyfunc

        by_number = mlflow.pyfunc.load_model(f"models:/{name}/1")
        by_alias = mlflow.pyfunc.load_model(f"models:/{name}@champion")
        np.testing.assert_allclose(by_number.predict(FRAME), SUMS, rtol=1e-6)
        assert by_alias.predict(FRAME).tolist() == ["yes", "yes", "yes"]


def test_a_version_that_mlflow_has_loaded_can_still_be_fetched(
    tracking: Tracking,
    registry: Registry,
    register: Register,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = register()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    with warnings.catch_warnings(action="ignore"):
        import mlflow.pyfunc

        # It writes a file of its own into the store, where the store is a local directory.
        mlflow.pyfunc.load_model(f"models:/{version.name}/1")
    assert open_bundle(registry.fetch(version, tmp_path)).manifest.name == "flights"


@pytest.mark.slow  # two processes load MLflow and make its database
def test_processes_that_register_at_once_get_numbers_of_their_own(
    tmp_path: Path, bundle: Path, name: str
) -> None:
    """They meet an empty directory: whoever is first makes the database, the experiment and the model."""
    context = multiprocessing.get_context("spawn")
    start, numbers = context.Barrier(2), context.Queue()
    arguments = (str(tmp_path), name, str(bundle), start, numbers)
    processes = [context.Process(target=register_several, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(numbers.get() for _ in range(2 * TIMES)) == list(range(1, 2 * TIMES + 1))
    held = list(stages(Registry(open_tracking(None, paths=project(tmp_path))), name).values())
    assert (held.count("production"), held.count("archived")) == (1, 2 * TIMES - 1)
