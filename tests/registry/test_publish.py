"""Publishing: servers learn of a policy when all its bundles are here, and never of an older one."""

import multiprocessing
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from siklus.bundle.read import cached
from siklus.errors import RegistryError, SiklusError
from siklus.files import sha256
from siklus.project.paths import Paths
from siklus.registry.policy import PolicyArm
from siklus.registry.publish import bring, publish, publish_at_once
from siklus.registry.published import PUBLISHED, found_policy, read_policy, write_policy
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import Tracking
from tests.bundle.sealed import LATE, sealed
from tests.registry.policies import allotment, arm, policy_of
from tests.registry.racing import publish_in_any_order
from tests.tracking.stores import new_name, project, store

WRITERS, REVISIONS = 3, 20


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return store(tmp_path_factory.mktemp("project"))


@pytest.fixture
def registry(tracking: Tracking) -> Registry:
    return Registry(tracking)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return project(tmp_path)


def registered(tracking: Tracking, bundle: Path, name: str) -> Version:
    with tracking.run(experiment=name, name="train") as run:
        return Registry(tracking).register(bundle, name=name, run_id=run.id, metrics={})


def arm_of(version: Version, name: str = "champion", share: float = 1.0) -> PolicyArm:
    return arm(name, version.number, share, version.digest or "")


def gone() -> Registry:
    raise RegistryError("RG001", "the registry was asked")


def refusal(code: str, call: Callable[[], object]) -> SiklusError:
    with pytest.raises(SiklusError) as caught:
        call()
    assert caught.value.code == code
    return caught.value


def test_bundles_are_here_before_the_policy_is(tracking: Tracking, paths: Paths, tmp_path: Path) -> None:
    name = new_name()
    one = registered(tracking, sealed(tmp_path / "one"), name)
    two = registered(tracking, sealed(tmp_path / "two", card="# other\n"), name)
    decided = allotment(arm_of(one, share=0.9), arm_of(two, "blue", 0.1))
    policy = policy_of(1, decided, model=name)
    assert publish(policy, paths, registry=lambda: Registry(tracking))
    assert read_policy(paths.run / PUBLISHED) == policy
    assert all(cached(each.digest, paths.bundles) for each in decided.everybody)
    # What is here needs no registry any more.
    assert publish(policy_of(2, decided, model=name), paths, registry=gone)


def test_without_its_bundles_a_policy_is_not_published(paths: Paths) -> None:
    refusal("RG001", lambda: publish(policy_of(1), paths, registry=gone))
    assert not (paths.run / PUBLISHED).exists()


def test_a_damaged_bundle_is_brought_again(tracking: Tracking, paths: Paths, tmp_path: Path) -> None:
    name = new_name()
    one = registered(tracking, sealed(tmp_path / "one"), name)
    decided = allotment(arm_of(one))
    bring(decided, name, paths.bundles, registry=lambda: Registry(tracking))
    model = paths.bundles / (one.digest or "") / "model.onnx"
    sound = sha256(model)
    model.write_bytes(b"damaged")
    bring(decided, name, paths.bundles, registry=lambda: Registry(tracking))
    assert sha256(model) == sound


def test_another_bundle_under_the_same_number_is_refused(
    tracking: Tracking, registry: Registry, paths: Paths, tmp_path: Path
) -> None:
    name = new_name()
    one = registered(tracking, sealed(tmp_path / "one"), name)
    other = allotment(arm(version=one.number))
    refusal("RG004", lambda: bring(other, name, paths.bundles, registry=lambda: registry))


def test_classes_and_numbers_are_not_mixed(tracking: Tracking, paths: Paths, tmp_path: Path) -> None:
    name = new_name()
    one = registered(tracking, sealed(tmp_path / "one"), name)
    two = registered(tracking, sealed(tmp_path / "two", LATE), name)
    mixed = allotment(arm_of(one, share=0.9), arm_of(two, "blue", 0.1))
    refusal("RG016", lambda: bring(mixed, name, paths.bundles, registry=lambda: Registry(tracking)))
    # Both are here by now, and are as little to be mixed without the registry.
    assert not publish_at_once(policy_of(1, mixed, model=name), paths)
    assert not (paths.run / PUBLISHED).exists()


def test_what_is_here_is_published_without_asking_the_registry(
    tracking: Tracking, paths: Paths, tmp_path: Path
) -> None:
    name = new_name()
    one = registered(tracking, sealed(tmp_path / "one"), name)
    policy = policy_of(1, allotment(arm_of(one)), model=name)
    assert not publish_at_once(policy, paths), "its bundle is not here yet"
    assert not (paths.run / PUBLISHED).exists()
    bring(policy.allotment, name, paths.bundles, registry=lambda: Registry(tracking))
    assert publish_at_once(policy, paths)
    assert read_policy(paths.run / PUBLISHED) == policy


def test_what_is_published_never_goes_back(tmp_path: Path) -> None:
    file = tmp_path / "run" / PUBLISHED
    assert write_policy(policy_of(3), file)
    assert not write_policy(policy_of(2), file)
    assert not write_policy(policy_of(3, allotment(arm(version=9))), file)
    assert read_policy(file) == policy_of(3)
    assert write_policy(policy_of(4), file)


@pytest.mark.slow  # processes load MLflow
def test_of_many_publishers_the_newest_revision_stays(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("spawn")
    start, written, file = processes.Barrier(WRITERS), processes.Queue(), tmp_path / PUBLISHED
    running = []
    for seed in range(WRITERS):
        order = random.Random(seed).sample(range(1, REVISIONS + 1), REVISIONS)
        given = (str(file), order, start, written)
        running.append(processes.Process(target=publish_in_any_order, args=given))
    for process in running:
        process.start()
    found = [written.get(timeout=60) for _ in range(WRITERS * REVISIONS)]
    for process in running:
        process.join()
    assert read_policy(file).revision == REVISIONS
    once = [revision for revision, was_written in found if was_written]
    assert len(once) == len(set(once))
    assert sorted(path.name for path in tmp_path.iterdir()) == [PUBLISHED, "traffic.lock"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        b"{}",
        b"[" * 100_000,
        b'{"format": 1, "revision": 0, "model": "m"}',
        b"x" * 2_000_000,
    ],
)
def test_a_damaged_policy_is_told_and_replaced(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / PUBLISHED
    file.write_bytes(content)
    refusal("RG015", lambda: read_policy(file))
    assert found_policy(file) is None
    assert write_policy(policy_of(1), file)
    assert read_policy(file) == policy_of(1)


def test_a_policy_from_the_future_is_told(tmp_path: Path) -> None:
    file = tmp_path / PUBLISHED
    write_policy(policy_of(1), file)
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    assert "format 2" in refusal("RG015", lambda: read_policy(file)).message


def test_a_policy_that_could_not_be_served_is_told_as_damaged(tmp_path: Path) -> None:
    file = tmp_path / PUBLISHED
    write_policy(policy_of(1), file)
    file.write_text(file.read_text().replace('"share": 1.0', '"share": 0.5'))
    refusal("RG012", lambda: read_policy(file))
    assert found_policy(file) is None
