"""Versions: sealed bundles under a name and a number, on MLflow's registry."""

import difflib
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from siklus.bundle.manifest import read_manifest
from siklus.bundle.read import cached, read_provenance, verify
from siklus.bundle.sign import put_signatures
from siklus.bundle.signatures import SIGNATURE_FILE, Signature, read_signatures
from siklus.bundle.write import digest_of, place
from siklus.errors import BundleError, RegistryError, TrackingError
from siklus.files import disk_errors
from siklus.registry.stages import ALIASES, NO_STAGE, STAGE_TAG, STAGES, Stage, stage_of
from siklus.tracking.boundary import error_code
from siklus.tracking.mlflow import Tracking, mlflow_name

ARTIFACT = "bundle"  # the run's artifact that a version is made of
LATEST = "latest"
DIGEST_TAG = "siklus.digest"
TASK_TAG = "siklus.task"
DATA_TAG = "siklus.data_digest"
SIGNERS_TAG = "siklus.signers"  # key ids: who has signed it tells whether a copy lacks a signature
METRIC_TAG = "siklus.metric."
PAGE = 200  # versions asked for at once


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A registered bundle. ``number`` counts from 1 within ``name``.

    ``digest`` names the bundle's content; None for a version that something else than Siklus registered.
    ``tags`` are those that others have set, ``annotations`` the paragraphs of MLflow's description.
    ``signers``: the ids of the keys whose signatures lie beside it in the registry, none of them verified.
    """

    name: str
    number: int
    stage: Stage | None
    run_id: str | None
    digest: str | None
    created: datetime
    task: str | None = None
    data_digest: str | None = None
    metrics: dict[str, float] = {}
    annotations: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    signers: tuple[str, ...] = ()


class Registry:
    """MLflow's registry, as the project sees it: versions have stages, and a stage has one version."""

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking
        self._client = tracking.client

    def register(
        self,
        bundle: Path,
        *,
        name: str,
        run_id: str,
        metrics: Mapping[str, float],
        stage: Stage | None = None,
        annotations: tuple[str, ...] = (),
    ) -> Version:
        """Keep the sealed bundle as the run's artifact and give it the next number of ``name``.

        BundleError BN001 to BN005 when it is not as it was sealed: such a bundle is never registered.
        """
        tags = _tags(bundle, metrics)
        with self._tracking.calling():
            self._client.log_artifacts(run_id, str(bundle), ARTIFACT)
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{ARTIFACT}"
        self._create_model(name)
        with self._tracking.calling():
            made = self._client.create_model_version(
                name,
                source=source,
                run_id=run_id,
                tags=tags,
                description="\n\n".join(annotations) or None,
                await_creation_for=0,
            )
        number = str(made.version)
        return self.promote(name, number, stage) if stage else self.resolve(name, number)

    def names(self) -> tuple[str, ...]:
        """All registered models, in alphabetical order."""
        found: list[str] = []
        token = None
        with self._tracking.calling():
            while True:
                page = self._client.search_registered_models(max_results=PAGE, page_token=token)
                found += [model.name for model in page]
                token = page.token
                if not token:
                    return tuple(sorted(found))

    def versions(self, name: str) -> tuple[Version, ...]:
        """Newest first; empty when nothing is registered under ``name``."""
        aliases = self._aliases(name)
        if aliases is None:
            return ()
        found: list[Version] = []
        token = None
        with self._tracking.calling():
            while True:
                page = self._client.search_model_versions(
                    f"name = '{name}'", max_results=PAGE, page_token=token
                )
                found += [_version(raw, aliases) for raw in page]
                token = page.token
                if not token:
                    return tuple(sorted(found, key=lambda version: -version.number))

    def holder(self, name: str, stage: Stage) -> Version | None:
        """The version in ``stage`` (the newest, of those archived); None when there is none."""
        return next((version for version in self.versions(name) if version.stage == stage), None)

    def resolve(self, name: str, which: str) -> Version:
        """The version that ``which`` names: a number, a stage or `latest`. RegistryError RG001 to RG003."""
        versions = self.versions(name)
        if not versions:
            raise RegistryError("RG001", f"no version of {name!r}", expected=_near(name, self.names()))
        if which == LATEST:
            return versions[0]
        held = [version for version in versions if which in (str(version.number), version.stage)]
        if held:
            return held[0]
        listed = ", ".join(f"{v.number} ({v.stage})" if v.stage else str(v.number) for v in versions[:8])
        if which in STAGES:
            raise RegistryError("RG003", f"{name}: no version is in {which}", expected=f"one of {listed}")
        close = difflib.get_close_matches(which, [*STAGES, LATEST], n=1)
        wanted = f"{close[0]!r}?" if close else f"{LATEST}, a stage, or one of {listed}"
        raise RegistryError("RG002", f"{name}: no version {which!r}", expected=wanted)

    def promote(self, name: str, which: str, stage: Stage | None) -> Version:
        """Give the version a stage, or none. The one that was in production is archived then.

        The alias moves first and in one step, so that whoever asks meets the old version or the new.
        """
        version = self.resolve(name, which)
        former = self.holder(name, "production") if stage == "production" else None
        with self._tracking.calling():
            new, old = ALIASES.get(stage), ALIASES.get(version.stage)
            if new is not None:
                self._client.set_registered_model_alias(name, new, str(version.number))
            if old not in (None, new):
                self._client.delete_registered_model_alias(name, old)
            self._tag(version, stage or NO_STAGE)
            if former is not None and former.number != version.number:
                self._tag(former, "archived")
        return self.resolve(name, str(version.number))

    def annotate(self, name: str, which: str, text: str) -> Version:
        """Add a paragraph to what people wrote about the version."""
        version = self.resolve(name, which)
        paragraphs = "\n\n".join([*version.annotations, text.strip()])
        with self._tracking.calling():
            self._client.update_model_version(name, str(version.number), paragraphs)
        return self.resolve(name, str(version.number))

    def label(self, version: Version, tags: Mapping[str, str]) -> Version:
        """Give the version tags of people's own, beside those of Siklus."""
        with self._tracking.calling():
            for key, value in tags.items():
                self._client.set_model_version_tag(version.name, str(version.number), key, value)
        return self.resolve(version.name, str(version.number))

    def fetch(self, version: Version, bundles: Path) -> Path:
        """The version's verified bundle, `<bundles>/<digest>`; downloaded when it is not there or is damaged.

        A server keeps answering from what `cached` finds there when the registry is gone. RegistryError
        RG004 when what comes is not what was registered, RG005 when Siklus did not register it.
        """
        where = f"{version.name} version {version.number}"
        if version.digest is None or version.run_id is None:
            wanted = "a version that Siklus registered"
            raise RegistryError("RG005", f"{where} has no {DIGEST_TAG}", expected=wanted)
        found = cached(version.digest, bundles)
        if found is not None:
            if not set(version.signers) <= {each.key for each in _readable(found)}:
                self.fetch_signatures(version, found)
            return found
        with disk_errors(bundles):
            bundles.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=bundles, prefix=".arriving.") as folder:
            with self._tracking.calling():
                self._client.download_artifacts(version.run_id, ARTIFACT, folder)
            draft = Path(folder) / ARTIFACT
            verify(draft, read_manifest(draft))
            if digest_of(draft) != version.digest:
                wanted = f"sha256 {version.digest}"
                raise RegistryError("RG004", f"{where}: its bundle is another", expected=wanted)
            return place(draft, bundles)

    def fetch_signatures(self, version: Version, bundle: Path) -> None:
        """Bring to the version's bundle here what has been signed in the registry since; each that lies there
        takes the place of the same signer's here. BundleError BN014 for a file that is none."""
        if version.run_id is None or not version.signers:
            return
        with tempfile.TemporaryDirectory(prefix="siklus-") as folder:
            signatures = read_signatures(self._download_signatures(version.run_id, folder))
        put_signatures(bundle, [*_readable(bundle), *signatures])

    def attach_signatures(self, version: Version, bundle: Path) -> Version:
        """Keep the signatures of the version's bundle in the registry as well, beside those that others have
        left there. A damaged file there is written anew."""
        if version.run_id is None:
            raise RegistryError(
                "RG005",
                f"{version.name} version {version.number} has no run",
                expected="a version that Siklus registered",
            )
        with tempfile.TemporaryDirectory(prefix="siklus-") as folder:
            together = Path(folder)
            others = _readable(self._download_signatures(version.run_id, folder)) if version.signers else ()
            put_signatures(together, [*others, *read_signatures(bundle)])
            signers = ",".join(each.key for each in read_signatures(together))
            with self._tracking.calling():
                self._client.log_artifact(version.run_id, str(together / SIGNATURE_FILE), ARTIFACT)
                self._client.set_model_version_tag(version.name, str(version.number), SIGNERS_TAG, signers)
        return self.resolve(version.name, str(version.number))

    def _download_signatures(self, run_id: str, folder: str) -> Path:
        """Where in the folder the file lies then."""
        with self._tracking.calling():
            file = self._client.download_artifacts(run_id, f"{ARTIFACT}/{SIGNATURE_FILE}", folder)
        return Path(file).parent

    def _create_model(self, name: str) -> None:
        try:
            with self._tracking.calling():
                self._client.create_registered_model(name)
        except TrackingError as exc:
            if error_code(exc) != "RESOURCE_ALREADY_EXISTS":
                raise

    def _aliases(self, name: str) -> dict[str, int] | None:
        try:
            with self._tracking.calling():
                model = self._client.get_registered_model(name)
        except TrackingError as exc:
            if error_code(exc) == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return {alias: int(number) for alias, number in model.aliases.items()}

    def _tag(self, version: Version, stage: str) -> None:
        self._client.set_model_version_tag(version.name, str(version.number), STAGE_TAG, stage)


def _tags(bundle: Path, metrics: Mapping[str, float]) -> dict[str, str]:
    manifest = read_manifest(bundle)
    verify(bundle, manifest)
    tags = {DIGEST_TAG: digest_of(bundle), TASK_TAG: manifest.task, STAGE_TAG: NO_STAGE}
    signatures = read_signatures(bundle)
    if signatures:
        tags[SIGNERS_TAG] = ",".join(each.key for each in signatures)
    data_digest = read_provenance(bundle).data_digest
    if data_digest is not None:
        tags[DATA_TAG] = data_digest
    return tags | {f"{METRIC_TAG}{mlflow_name(name)}": repr(float(value)) for name, value in metrics.items()}


def version_of(
    name: str,
    number: int,
    *,
    run_id: str | None,
    created: int,
    tags: Mapping[str, str],
    aliases: Mapping[str, int],
) -> Version:
    """What MLflow keeps of a version, but for its description. ``created``: milliseconds of Unix time;
    ``aliases``: of the whole model."""
    return Version(
        name=name,
        number=number,
        stage=stage_of(number, tag=tags.get(STAGE_TAG), aliases=aliases),
        run_id=run_id or None,
        digest=tags.get(DIGEST_TAG),
        created=datetime.fromtimestamp(created / 1000, UTC),
        task=tags.get(TASK_TAG),
        data_digest=tags.get(DATA_TAG),
        metrics={
            key.removeprefix(METRIC_TAG): float(value)
            for key, value in tags.items()
            if key.startswith(METRIC_TAG)
        },
        tags={key: value for key, value in tags.items() if not key.startswith("siklus.")},
        signers=tuple(key for key in tags.get(SIGNERS_TAG, "").split(",") if key),
    )


def _version(raw: Any, aliases: Mapping[str, int]) -> Version:
    found = version_of(
        raw.name,
        int(raw.version),
        run_id=raw.run_id,
        created=raw.creation_timestamp,
        tags=dict(raw.tags),
        aliases=aliases,
    )
    told = tuple(part for part in (raw.description or "").split("\n\n") if part.strip())
    return msgspec.structs.replace(found, annotations=told)


def _readable(bundle: Path) -> tuple[Signature, ...]:
    """The signatures of a bundle here; a damaged file has none, and is written anew."""
    try:
        return read_signatures(bundle)
    except BundleError:
        return ()


def _near(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"{close[0]!r}?"
    return f"one of {', '.join(known)}" if known else "a name that `siklus train` has registered"
