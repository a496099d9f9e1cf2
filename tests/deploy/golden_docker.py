"""`python -m tests.deploy.golden_docker` writes the golden files of the images anew: read the difference."""

import shutil
import tempfile
from pathlib import Path

from siklus.cli.main import main
from siklus.deploy.drafts import LIST
from tests.bundle.sealed import LATE, sealed
from tests.bundle.signers import signer
from tests.deploy.projects import project

GOLDEN = Path(__file__).parent / "golden" / "docker"
WHEEL = "deploy/siklus-1.2.0-py3-none-any.whl"
PLAIN = f'[deploy]\nsiklus = "{WHEEL}"\n'
MORE = """
[train]
candidates = ["linear", "mine:make", "lightgbm"]

[serve]
workers = 2
port = 9000
max_body_bytes = 1000000
trusted_keys = ["keys/release.pub"]

[deploy]
image = "ghcr.io/acme/flights"
base = "python:3.12-slim-bookworm"
siklus = "siklus==1.2.0"
"""


def docker_project(folder: Path, more: str = PLAIN) -> Path:
    """A project whose wheel, and whose sealed bundle `made`, are there; the key that signed it is trusted."""
    project(folder, more)
    (folder / WHEEL).parent.mkdir(exist_ok=True)
    (folder / WHEEL).write_bytes(b"as if")
    (folder / "keys").mkdir()
    signer(folder / "keys").sign(sealed(folder / "made", LATE))
    return folder


def written(folder: Path, *options: str) -> Path:
    """Where the files of a project are once the command has put them there."""
    assert main(["deploy", "docker", "-C", str(folder), "--bundle", str(folder / "made"), *options]) == 0
    return folder / "deploy" / "docker"


def rendered(folder: Path) -> dict[str, str]:
    """The files of two projects by their paths, without locks: from a wheel, and with all there is."""
    made = {
        "plain": written(docker_project(folder / "plain")),
        "full": written(docker_project(folder / "full", MORE), "--with-data"),
    }
    return {
        f"{name}/{path.name}": path.read_text()
        for name, files in made.items()
        for path in sorted(files.iterdir())
        if path.is_file() and path.suffix != ".lock" and path.name != LIST
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        shutil.rmtree(GOLDEN, ignore_errors=True)
        for name, text in rendered(Path(temporary)).items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_text(text)
