"""Keys to sign bundles with, as files."""

from dataclasses import dataclass
from pathlib import Path

from siklus.bundle.sign import SigningKey, make_key, read_signing_key, sign_bundle
from siklus.bundle.signatures import PublicKey, TrustedKeys, read_public


@dataclass(frozen=True)
class Signer:
    """Somebody with a pair of keys."""

    private: Path
    public: Path

    @property
    def key(self) -> SigningKey:
        return read_signing_key(self.private, password=None)

    @property
    def known(self) -> PublicKey:
        return read_public(self.public)

    @property
    def trusted(self) -> TrustedKeys:
        """What a server has that trusts nobody else."""
        return TrustedKeys((self.known,))

    def sign(self, bundle: Path) -> Path:
        sign_bundle(bundle, self.key)
        return bundle


def signer(folder: Path, name: str = "release") -> Signer:
    pair = make_key(password=None)
    made = Signer(folder / name, folder / f"{name}.pub")
    made.private.write_bytes(pair.private)
    made.public.write_bytes(pair.public)
    return made
