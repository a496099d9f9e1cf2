"""A project that was trained here, and its two images, built once for all tests with containers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from siklus import __version__
from siklus.cli.main import main
from tests.architecture.source import ROOT
from tests.deploy.containers.engine import SETTINGS, build, podman, require_podman

WHEEL = f"siklus-{__version__}-py3-none-any.whl"
TOML = f"""\
[project]
name = "p"
task = "classification"

[data]
path = "d.csv"
target = "bought"

[train]
candidates = ["linear"]
trials = 1

[deploy]
siklus = "deploy/{WHEEL}"
"""


@pytest.fixture(scope="session", autouse=True)
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Podman with settings of the tests' own; skipped where it may not run."""
    settings = tmp_path_factory.mktemp("podman") / "containers.conf"
    settings.write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(settings))
        require_podman()
        yield


@pytest.fixture(scope="session")
def shipped(containers: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one trained version, whose images install this checkout as a wheel."""
    folder = tmp_path_factory.mktemp("shipped") / "p"
    folder.mkdir()
    (folder / "siklus.toml").write_text(TOML)
    (folder / "d.csv").write_text(_rows())
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*wheel, "--wheel-dir", folder / "deploy", ROOT], check=True, timeout=300)
    for words in (("contract", "infer", "--write"), ("train",), ("deploy", "docker", "--with-data")):
        assert main([*words, "-C", str(folder)]) == 0, words
    return folder


@pytest.fixture(scope="session")
def images(shipped: Path) -> Iterator[Mapping[str, str]]:
    """The images by the names that the project's files give them."""
    names = {"p:1": f"siklus-test:{os.getpid()}", "p-loop:1": f"siklus-test-loop:{os.getpid()}"}
    for name, dockerfile in zip(names.values(), ("Dockerfile", "loop.Dockerfile"), strict=True):
        build(name, f"deploy/docker/{dockerfile}", shipped)
    yield names
    podman("rmi", "--force", *names.values(), check=False)


def _rows() -> str:
    """Six numbers, of which the first two decide."""
    chance = np.random.default_rng(6)
    cells = chance.normal(scale=3, size=(600, 6)).round(1)
    bought = (cells[:, 0] + cells[:, 1] + chance.normal(size=600) > 0).astype(int)
    lines = [",".join([*map(str, row), str(answer)]) for row, answer in zip(cells, bought, strict=True)]
    return "\n".join([",".join([*"abcdef", "bought"]), *lines]) + "\n"
