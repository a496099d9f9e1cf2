"""Push: registered versions go over to another registry, each at most once, however often it is asked.

A bundle's digest says whether it is there already. All that can be known before is checked before the first
thing is written, and what breaks off half-way is made good by pushing again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siklus.bundle.read import Bundle
from siklus.bundle.signatures import read_signatures
from siklus.errors import RegistryError
from siklus.registry.policy import Allotment, PolicyArm
from siklus.registry.stages import Stage
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import Run, Tracking

ORIGIN_TAG = "siklus.pushed"  # of the run there: the version that it was here
MOST_LISTED = 8


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one version. ``here`` and ``there``: its numbers; ``stage``: the one it has there;
    ``signed``: it was there, and has got signatures that it did not have."""

    here: int | None
    there: int
    digest: str
    stage: Stage | None
    is_new: bool
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A version here, and the one there that has the same bundle; None while there is none."""

    here: Version
    there: Version | None

    @property
    def digest(self) -> str:
        return self.here.digest or ""

    def done(self, there: Version) -> Pushed:
        """What became of it: it is this version there."""
        return pushed(there, before=self.there, here=self.here.number)


def pushed(version: Version, *, before: Version | None, here: int | None = None) -> Pushed:
    """What became of a bundle that is this version there, and was the one ``before`` if it was there."""
    return Pushed(
        here=here,
        there=version.number,
        digest=version.digest or "",
        stage=version.stage,
        is_new=before is None,
        signed=before is not None and not set(version.signers) <= set(before.signers),
    )


def copies_of(here: Sequence[Version], there: Sequence[Version], *, beside: bool) -> list[Copy]:
    """What is to go over, the oldest first: versions of Siklus, each bundle once.

    RegistryError RG019 where versions are there that are not here, unless these may stand ``beside`` them.
    """
    ours = {version.digest: version for version in reversed(here) if version.digest is not None}
    found = {version.digest: version for version in reversed(there) if version.digest is not None}
    others = [version for version in there if version.digest not in ours]
    if others and not beside:
        listed = ", ".join(str(version.number) for version in others[:MOST_LISTED])
        raise RegistryError(
            "RG019",
            f"{others[0].name}: version {listed} there {'are' if len(others) > 1 else 'is'} none of these",
            expected="a registry without others, or --beside to number these after them",
        )
    oldest = sorted(ours.values(), key=lambda version: version.number)
    return [Copy(here=version, there=found.get(version.digest or "")) for version in oldest]


def carry(version: Version, bundle: Path, *, source: Tracking, target: Tracking) -> Version:
    """Register the version there as it is here, without its stage."""
    said = {ORIGIN_TAG: f"version {version.number}"}
    with target.run(experiment=version.name, name=f"push of version {version.number}", tags=said) as run:
        if version.run_id is not None:
            _copy_run(source, version.run_id, run)
        made = Registry(target).register(
            bundle,
            name=version.name,
            run_id=run.id,
            metrics=version.metrics,
            annotations=version.annotations,
        )
    return Registry(target).label(made, version.tags) if version.tags else made


def deliver(bundle: Bundle, *, target: Tracking, name: str) -> Version:
    """Register a sealed bundle that comes from no registry, with the metrics of its evaluation."""
    evaluated = bundle.document("evaluation.json")["evaluation"]["metrics"]
    metrics = {name: found["value"] for name, found in evaluated.items() if found["value"] is not None}
    made_from = bundle.provenance()
    with target.run(experiment=name, name=f"push of {bundle.version}") as run:
        run.parameters({"model": made_from.model_kind, "rows": made_from.data_rows})
        run.metrics(metrics)
        return Registry(target).register(bundle.path, name=name, run_id=run.id, metrics=metrics)


def carry_signatures(version: Version, bundle: Path, *, target: Tracking) -> Version:
    """The version there, with the signatures of its bundle here that it lacks. BundleError BN014."""
    if {each.key for each in read_signatures(bundle)} <= set(version.signers):
        return version
    return Registry(target).attach_signatures(version, bundle)


def numbered(allotment: Allotment, numbers: Mapping[str, int]) -> Allotment:
    """The same with the versions' numbers there. ``numbers``: by digest; RegistryError RG020 without one."""

    def arms(some: Sequence[PolicyArm]) -> tuple[PolicyArm, ...]:
        return tuple(msgspec.structs.replace(arm, version=_number(arm, numbers)) for arm in some)

    return msgspec.structs.replace(allotment, arms=arms(allotment.arms), shadows=arms(allotment.shadows))


def stages_of(copies: Sequence[Copy], numbers: Mapping[str, int]) -> list[tuple[int, Stage]]:
    """The stages that the versions have here, by their numbers there; production last, since it archives
    whatever was in production before."""
    staged = [(numbers[copy.digest], copy.here.stage) for copy in copies if copy.here.stage is not None]
    return sorted(staged, key=lambda pair: pair[1] == "production")


def _number(arm: PolicyArm, numbers: Mapping[str, int]) -> int:
    if arm.digest not in numbers:
        raise RegistryError(
            "RG020",
            f"the traffic policy names version {arm.version}, whose bundle is in no registry",
            expected="a policy of registered versions",
        )
    return numbers[arm.digest]


def _copy_run(source: Tracking, run_id: str, run: Run) -> None:
    """What MLflow's pages show of the training: parameters, metrics, tags."""
    with source.calling():
        data = source.client.get_run(run_id).data
    run.parameters(data.params)
    run.metrics(data.metrics)
    run.tags({key: value for key, value in data.tags.items() if not key.startswith("mlflow.")})
