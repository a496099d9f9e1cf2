"""Signatures travel with a version: to the registry, to other machines, and to what is already there."""

from pathlib import Path

import pytest

from siklus.bundle.read import open_bundle
from siklus.bundle.signatures import SIGNATURE_FILE, TrustedKeys, read_signatures
from siklus.errors import BundleError
from siklus.project.paths import Paths
from siklus.registry.policy import PolicyArm
from siklus.registry.publish import bring, publish, publish_at_once
from siklus.registry.published import PUBLISHED
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import Tracking
from tests.bundle.sealed import sealed
from tests.bundle.signers import Signer, signer
from tests.registry.policies import allotment, arm, policy_of
from tests.tracking.stores import new_name, project, store


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return store(tmp_path_factory.mktemp("project"))


@pytest.fixture
def registry(tracking: Tracking) -> Registry:
    return Registry(tracking)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return project(tmp_path)


@pytest.fixture
def anna(tmp_path: Path) -> Signer:
    return signer(tmp_path, "anna")


@pytest.fixture
def budi(tmp_path: Path) -> Signer:
    return signer(tmp_path, "budi")


def registered(tracking: Tracking, bundle: Path) -> Version:
    name = new_name()
    with tracking.run(experiment=name, name="train") as run:
        return Registry(tracking).register(bundle, name=name, run_id=run.id, metrics={})


def champion(version: Version) -> PolicyArm:
    return arm("champion", version.number, 1.0, version.digest or "")


def keys_in(bundle: Path) -> set[str]:
    return {each.key for each in read_signatures(bundle)}


def test_what_was_signed_before_arrives_signed(
    tracking: Tracking, registry: Registry, paths: Paths, anna: Signer, tmp_path: Path
) -> None:
    version = registered(tracking, anna.sign(sealed(tmp_path / "bundle")))
    assert version.signers == (anna.known.id,)
    assert open_bundle(registry.fetch(version, paths.bundles), trusted=anna.trusted)


def test_what_is_signed_later_reaches_a_machine_that_has_the_bundle(
    tracking: Tracking, registry: Registry, paths: Paths, anna: Signer, budi: Signer, tmp_path: Path
) -> None:
    version = registered(tracking, sealed(tmp_path / "bundle"))
    here = registry.fetch(version, paths.bundles)
    there = registry.fetch(version, tmp_path / "elsewhere")
    for one in (anna, budi):
        version = registry.attach_signatures(version, one.sign(there))
    assert set(version.signers) == {anna.known.id, budi.known.id}
    assert not (here / SIGNATURE_FILE).exists()
    assert registry.fetch(version, paths.bundles) == here
    assert keys_in(here) == {anna.known.id, budi.known.id}


def test_nothing_is_decided_that_servers_would_refuse(
    tracking: Tracking, registry: Registry, paths: Paths, anna: Signer, tmp_path: Path
) -> None:
    version = registered(tracking, sealed(tmp_path / "bundle"))
    policy = policy_of(1, allotment(champion(version)), model=version.name)
    assert publish_at_once(policy, paths, trusted=anna.trusted) is False
    for call in (
        lambda: bring(
            policy.allotment,
            version.name,
            paths.bundles,
            registry=lambda: registry,
            trusted=anna.trusted,
        ),
        lambda: publish(policy, paths, registry=lambda: registry, trusted=anna.trusted),
    ):
        with pytest.raises(BundleError) as caught:
            call()
        assert caught.value.code == "BN015"
    assert not (paths.run / PUBLISHED).exists()
    # The bundle is here by now, but still unsigned; its signature is fetched for what trusts the signer.
    assert publish_at_once(policy, paths, trusted=anna.trusted) is False
    registry.attach_signatures(version, anna.sign(registry.fetch(version, tmp_path / "elsewhere")))
    assert publish(policy, paths, registry=lambda: registry, trusted=anna.trusted)


def test_a_damaged_signature_here_is_fetched_again(
    tracking: Tracking, registry: Registry, paths: Paths, anna: Signer, budi: Signer, tmp_path: Path
) -> None:
    version = registered(tracking, anna.sign(sealed(tmp_path / "bundle")))
    here = registry.fetch(version, paths.bundles)
    decided = allotment(champion(version))
    for harm in (b"{", b""):
        (here / SIGNATURE_FILE).write_bytes(harm)
        bring(decided, version.name, paths.bundles, registry=lambda: registry, trusted=anna.trusted)
        assert open_bundle(here, trusted=anna.trusted)
    both = TrustedKeys((budi.known, anna.known))
    assert publish(policy_of(1, decided, model=version.name), paths, registry=lambda: registry, trusted=both)
