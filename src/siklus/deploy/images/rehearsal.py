"""`python -m siklus.deploy.images.rehearsal [BUNDLE DIGEST]`: what would fail at a start fails in a build.

Without a bundle it imports what a server imports. Under PYTHONPYCACHEPREFIX that leaves the bytecode of
just these modules, so that a container, which cannot write its own, starts in half the time.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from siklus.bundle.manifest import FILE_NAME
from siklus.bundle.read import open_bundle
from siklus.bundle.runtime import onnx_runtime
from siklus.errors import BundleError, SiklusError
from siklus.extras import need
from siklus.files import sha256

# What the command, the process that watches, a worker and the health check import.
PARTS = ("__main__", "supervision.starting", "supervision.worker", "desk", "app", "health")
LOOPS = ("uvloop", "httptools")  # uvicorn imports them by name


def main(arguments: Sequence[str]) -> int:
    """0 where all goes well; 1 with what is wrong with the bundle; 2 on wrong usage."""
    for name in (*(f"siklus.serve.{part}" for part in PARTS), *LOOPS):
        need(name)
    onnx_runtime()
    if not arguments:
        return 0
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m siklus.deploy.images.rehearsal [BUNDLE DIGEST]\n")
        return 2
    try:
        _open(Path(arguments[0]), arguments[1])
    except SiklusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _open(path: Path, digest: str) -> None:
    """Open it as a server does, golden rows included. BundleError when it is another, or damaged."""
    bundle = open_bundle(path)
    if sha256(path / FILE_NAME) != digest:
        wanted = f"sha256 {digest}: `siklus deploy docker` puts it there"
        raise BundleError("BN005", f"{path}: another bundle than the Dockerfile says", expected=wanted)
    sys.stdout.write(f"{bundle.manifest.name}: its golden rows come out as sealed\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
