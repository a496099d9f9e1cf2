"""What an image says of the version inside, and the bundle of it beside the Dockerfile."""

import re
import shutil
from pathlib import Path

from msgspec import Struct

from siklus.bundle.manifest import FILE_NAME, Manifest, read_manifest
from siklus.bundle.read import MLFLOW_LEAVES, read_provenance, verify
from siklus.bundle.write import digest_of
from siklus.errors import DeployError
from siklus.files import directory_atomic

BUNDLE = "bundle"  # the folder beside the Dockerfile
UNKNOWN = "unknown"
DIGEST = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class Released(Struct, frozen=True, kw_only=True):
    """The values of a Dockerfile's ARGs. ``version``: its number, or the start of its digest where it has
    none; ``revision``: the commit that it was trained at."""

    version: str
    revision: str
    bundle_digest: str
    data_digest: str


def released(bundle: Path, *, number: int | None = None) -> tuple[Released, Manifest]:
    """Of a sealed bundle, which is verified. BundleError BN001 to BN005 when it is damaged."""
    manifest = read_manifest(bundle)
    verify(bundle, manifest)
    provenance = read_provenance(bundle)
    digest = digest_of(bundle)
    values = Released(
        version=digest[:12] if number is None else str(number),
        revision=_if_like(COMMIT, provenance.git_commit),
        bundle_digest=digest,
        data_digest=_if_like(DIGEST, provenance.data_digest),
    )
    return values, manifest


def restamped(dockerfile: str, values: Released) -> str:
    """A Dockerfile that a person may have changed, with these values of its ARGs; nothing else is touched."""
    for name in values.__struct_fields__:
        line = f"ARG {name.upper()}={getattr(values, name)}"
        dockerfile = re.sub(rf"^ARG {name.upper()}=.*$", line, dockerfile, flags=re.MULTILINE)
    return dockerfile


def put_bundle(bundle: Path, directory: Path) -> None:
    """Copy a sealed bundle to where the build takes it, whole or not at all.

    DeployError DP013 when something else than a bundle is there.
    """
    target = directory / BUNDLE
    if target.exists() and not (target / FILE_NAME).is_file():
        raise DeployError("DP013", f"{target} is no bundle", expected="nothing there, or a sealed bundle")
    with directory_atomic(target) as draft:
        shutil.copytree(
            bundle, draft, dirs_exist_ok=True, copy_function=shutil.copyfile, ignore=_leaves, symlinks=True
        )
        verify(draft, read_manifest(draft))
        for path in draft.rglob("*"):
            # Whoever serves is another user in the image than here.
            path.chmod(0o755 if path.is_dir() else 0o644)


def _leaves(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == MLFLOW_LEAVES]


def _if_like(pattern: re.Pattern[str], word: str | None) -> str:
    return word if word is not None and pattern.fullmatch(word) else UNKNOWN
