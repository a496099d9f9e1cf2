"""`python -m tests.deploy.golden_kubernetes` writes the golden manifests anew: read the difference."""

import shutil
import tempfile
from pathlib import Path

from siklus.deploy.drafts import LIST
from tests.architecture.source import ROOT
from tests.deploy.clusters import FULL, manifests

if __name__ == "__main__":
    golden = ROOT / "tests" / "deploy" / "golden" / "kubernetes"
    with tempfile.TemporaryDirectory() as folder:
        found = manifests(Path(folder), FULL)
        (found / LIST).unlink()
        shutil.rmtree(golden, ignore_errors=True)
        shutil.copytree(found, golden)
