"""Importing Siklus changes nothing, and the server's side of it stays light."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.source import SRC, module_names, refuse

SERVE_LOCK = SRC / "siklus" / "deploy" / "images" / "requirements-serve.lock"

IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"

SHOW_LOADED = """
import json, sys
before = set(sys.modules)
import siklus.serve.app
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""

# What trains: several times a server's size and start-up time.
AUTHORING = {
    "sklearn",
    "mlflow",
    "duckdb",
    "pandas",
    "polars",
    "matplotlib",
    "skl2onnx",
    "onnx",
    "optuna",
    "scipy",
}


def run_bare(code: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run ``code`` with nothing around it: an empty home, working directory and place for temporary files."""
    for folder in ("home", "here", "tmp"):
        (home / folder).mkdir()
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=home / "here",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home / "home"),
            "TMPDIR": str(home / "tmp"),
            "PYTHONPATH": str(SRC),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_importing_every_module_writes_and_prints_nothing(tmp_path: Path) -> None:
    modules = sorted(name for name in module_names() if not name.endswith("__main__"))
    done = run_bare(IMPORT_ALL, *modules, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", ""), "a module speaks when it is imported"
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert written == [], (
        "written by an import; where a package does that, siklus.extras.need imports it at use"
    )


@pytest.fixture(scope="module")
def loaded_by_the_server(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The top-level names that importing the server's application brings into a bare process."""
    done = run_bare(SHOW_LOADED, home=tmp_path_factory.mktemp("bare"))
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_the_server_imports_no_authoring_package(loaded_by_the_server: set[str]) -> None:
    found = sorted(AUTHORING & loaded_by_the_server)
    assert not found, f"siklus.serve.app pulls in {found}; `python -X importtime` shows through what"


def test_the_server_imports_only_what_its_lock_installs(loaded_by_the_server: set[str]) -> None:
    owners = packages_distributions()
    locked = set(re.findall(r"^([a-z0-9.-]+)==", SERVE_LOCK.read_text(), re.MULTILINE))
    refuse(
        f"siklus.serve.app imports {name} of {owners[name]}; add that to the group `serve` in pyproject.toml "
        "and `make lock`, or do without"
        for name in loaded_by_the_server & owners.keys() - {"siklus"}
        # A namespace such as google or opentelemetry has several owners; one of them is enough.
        if not locked & {owner.lower().replace("_", "-") for owner in owners[name]}
    )
