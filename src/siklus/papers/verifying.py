"""Verifying: whether a bundle is what its maker sealed, still answers as then, and who vouches for it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siklus.bundle.manifest import Manifest, manifest_bytes, parse_manifest
from siklus.bundle.read import Bundle, open_bundle, verify
from siklus.bundle.signatures import TrustedKeys, read_signatures, short
from siklus.bundle.write import digest_of
from siklus.errors import SiklusError

GOLDEN = "BN006"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """``told``: what was found, in a sentence; ``code``: of the problem, "" where it holds."""

    name: str
    holds: bool
    told: str
    code: str = ""


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """``key``: its id; ``name``: its file's, None for a key that is not known here: that one's signature
    was not verified, and the id is only what the bundle says."""

    key: str
    name: str | None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked, in this order. After the first check of the content that fails, no later one is made.

    ``signers``: who has signed, as far as that can be told here.
    """

    bundle: str
    digest: str | None
    checks: tuple[Check, ...]
    signers: tuple[Signer, ...] = ()

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)


def verified(path: Path, *, keys: TrustedKeys | None) -> Verified:
    """Manifest, files, model, golden rows, signatures. ``keys``: one of these must have signed it; without
    any, nobody need have. MissingExtra where a native model's library is not there."""
    course = _Course(path)
    sound = course.check("manifest", course.read) and course.check("files", course.hashed)
    if sound:
        course.opened()
    check = signature_of(path, keys=keys)
    return Verified(
        bundle=str(path),
        digest=digest_of(path) if sound else None,
        checks=(*course.checks, check),
        signers=_signers(path, keys) if check.holds else (),
    )


def signature_of(path: Path, *, keys: TrustedKeys | None) -> Check:
    """Who has signed the bundle, in a sentence. ``keys``: one of these must have; without any, nobody."""
    try:
        return Check(name="signature", holds=True, told=_told(_signers(path, keys)))
    except SiklusError as error:
        return _failed("signature", error)


@dataclass
class _Course:
    """The checks so far, and what the earlier ones found for the later."""

    path: Path

    def __post_init__(self) -> None:
        self.checks: list[Check] = []
        self.manifest: Manifest | None = None

    def check(self, name: str, look: Callable[[], str]) -> bool:
        try:
            told = look()
        except SiklusError as error:
            self.checks.append(_failed(name, error))
            return False
        self.checks.append(Check(name=name, holds=True, told=told))
        return True

    def read(self) -> str:
        self.manifest = manifest = parse_manifest(manifest_bytes(self.path), self.path)
        return f"format {manifest.format}: {manifest.name}, sealed {manifest.created:%Y-%m-%d %H:%M} UTC"

    def hashed(self) -> str:
        assert self.manifest is not None  # noqa: S101 - `read` has succeeded before
        verify(self.path, self.manifest)
        return f"{len(self.manifest.files)} files, each as it was sealed, and no other"

    def opened(self) -> None:
        """The model and its golden rows, which one opening tells apart by its error."""
        try:
            bundle = open_bundle(self.path)
        except SiklusError as error:
            if error.code == GOLDEN:
                self.checks.append(Check(name="model", holds=True, told="it opens"))
            self.checks.append(_failed("golden rows" if error.code == GOLDEN else "model", error))
            return
        self.checks.append(Check(name="model", holds=True, told=f"{bundle.manifest.model}, it opens"))
        self.checks.append(Check(name="golden rows", holds=True, told=_golden(bundle)))


def _golden(bundle: Bundle) -> str:
    count = len(bundle.document("golden.json")["instances"])
    return f"{count} rows come out as they did when it was sealed" if count else "there are none"


def _signers(path: Path, keys: TrustedKeys | None) -> tuple[Signer, ...]:
    """BundleError BN014 to BN017 where ``keys`` are given and none of them has signed it."""
    signatures = read_signatures(path)
    if keys is None:
        return tuple(Signer(key=each.key, name=None) for each in signatures)
    raw = manifest_bytes(path)
    keys.refuse_untrusted(path, raw)
    names = {key.id: key.name for key in keys.signers(raw, signatures)}
    return tuple(Signer(key=each.key, name=names.get(each.key)) for each in signatures)


def _told(signers: tuple[Signer, ...]) -> str:
    if not signers:
        return "it is not signed"
    known = [f"signed by {signer.name} ({short(signer.key)})" for signer in signers if signer.name]
    unknown = [short(signer.key) for signer in signers if not signer.name]
    also = [f"a signature by an unknown key ({', '.join(unknown)}), not verified"] if unknown else []
    return "; ".join(known + also)


def _failed(name: str, error: SiklusError) -> Check:
    return Check(name=name, holds=False, told=str(error).removeprefix(f"{error.code} "), code=error.code)
