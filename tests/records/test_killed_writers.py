"""Writers that are killed at any moment lose nothing that they had acknowledged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.figures import Figure

ROOT = Path(__file__).parents[2]


def killed(module: str, *arguments: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.records.{module}", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("count", [300, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_acknowledged_record_is_lost(count: int, tmp_path: Path, figure: Figure) -> None:
    found = killed("killing", str(tmp_path / "records"), str(count))
    assert (found["lost"], found["wrong"], found["doubled"]) == (0, 0, 0)
    assert found["acknowledged"] > count  # or the writers had died before they did anything
    figure(
        f"{count} killed writers, acknowledged records lost", f"{found['lost']} of {found['acknowledged']}"
    )
