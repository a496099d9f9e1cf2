"""The demo as it is: a real server, real requests, real labels, and the turns of the loop itself."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from siklus.automation.rollout.accounts import Turned
from siklus.bundle.read import open_bundle
from siklus.contract.decode import decode_table
from siklus.demo.flights import TARGET, make_project, month_of
from siklus.demo.moment import Moment
from siklus.demo.pace import FAST, Pace
from siklus.demo.story import live_through, new_project
from siklus.demo.summary import Summary
from siklus.errors import FileError, ProjectError
from siklus.files import lock
from siklus.monitor.rounds import LOCK
from siklus.project.file import OpenProject
from siklus.registry.control import open_control
from siklus.registry.journal import Entry, Journal
from siklus.train.run import Training
from siklus.train.setting import setting_of
from siklus.train.steps import Span
from tests.figures import Figure

SMALL = replace(FAST, one_in=16, days=14, labels=1_000_000, min_labels=300, min_requests=5)
BUSY = replace(SMALL, days=5, labels=900)


def demonstrated(
    folder: Path, *, pace: Pace, months: list[int]
) -> tuple[OpenProject, Path, Summary, list[Moment]]:
    """The project, January's bundle, what it came to, and every moment that was shown."""
    project = new_project(folder, pace=pace)
    setting = setting_of(project, now=datetime.now(UTC), trigger="a test", listen=lambda *_: None)
    release = Training(setting, span=Span()).run(told=lambda *_: None)
    assert release is not None
    seen: list[Moment] = []
    summary = live_through(project, release, pace=pace, months=months, show=seen.append)
    return project, Path(str(release.bundle)), summary, seen


def journal_of(project: OpenProject) -> list[Entry]:
    with open_control(None, file=project.paths.control_database) as control:
        return Journal(control, project.settings.project.name).history(limit=500)


def test_a_month_is_asked_about_over_http_and_held_against_what_was_flown(tmp_path: Path) -> None:
    project, bundle, summary, seen = demonstrated(tmp_path, pace=SMALL, months=[2])
    february = month_of(tmp_path, 2, pace=SMALL)
    january = open_bundle(bundle)
    rows = february.select([name for name in february if name != TARGET])
    answers = np.asarray(january.predict(decode_table(rows, january.contract).accepted()).raw)
    error = float(np.abs(answers - february[TARGET].astype(float)).mean())
    # Nothing was retrained, so the server's answers are those of January's bundle.
    assert summary.counted.retrainings == 0
    assert summary.months[0].mae_with_loop == pytest.approx(error, abs=1e-3)
    assert summary.months[0].mae_static == pytest.approx(error, abs=1e-3)
    assert (summary.served_rows, summary.failed_requests) == (len(february), 0)
    assert summary.months[0].versions == (1,)
    assert len(summary.days) == 28 / SMALL.days
    assert seen[-1].quality is not None, "labels were told, and the watch has seen them"
    with lock(project.paths.run / LOCK, what="a watch"):
        pass  # the loop has let go


def test_a_project_that_is_served_or_no_demo_is_left_alone(tmp_path: Path) -> None:
    project = make_project(tmp_path / "demo", pace=SMALL)
    with lock(project.paths.run / LOCK, what="a watch"), pytest.raises(FileError, match=r"^FS002"):
        new_project(tmp_path / "demo", pace=SMALL)
    kept = tmp_path / "own" / "siklus.toml"
    kept.parent.mkdir()
    kept.write_text("[project]\n")
    with pytest.raises(ProjectError, match=r"^PJ011"):
        new_project(kept.parent, pace=SMALL)
    assert kept.read_text() == "[project]\n"


@pytest.mark.slow
def test_the_loop_retrains_and_every_promotion_is_journaled_with_its_test(tmp_path: Path) -> None:
    project, _, summary, seen = demonstrated(tmp_path, pace=BUSY, months=[2, 3])
    assert summary.failed_requests == 0
    assert summary.counted.retrainings >= 1
    assert summary.counted.failed == 0
    promotions = [entry for entry in journal_of(project) if entry.kind == "promotion"]
    assert len(promotions) == summary.counted.promotions
    for entry in promotions:
        turned = msgspec.json.decode(entry.evidence, type=Turned)
        assert turned.evidence is not None
        assert turned.evidence.quality is not None
        assert turned.evidence.labels >= BUSY.min_labels
    assert [event.text for event in summary.events] == [event.text for event in seen[-1].events]
    shares = {share.share for moment in seen for share in moment.shares}
    assert shares <= {0.0, 0.25, 0.75, 1.0}


@pytest.mark.slow
def test_the_fast_demo_keeps_the_loops_promises(tmp_path: Path, figure: Figure) -> None:
    found = run("--fast", "--json", "--dir", str(tmp_path / "demo"))
    figure("siklus demo --fast, mean error with the loop", f"{found['mean_mae_with_loop']:.2f} minutes")
    figure("siklus demo --fast, mean error without it", f"{found['mean_mae_static']:.2f} minutes")
    figure("siklus demo --fast", f"{found['seconds']:.0f} s")
    assert found["mean_mae_with_loop"] <= 9.6
    assert found["mean_mae_static"] >= 11.5
    assert found["retrainings"] <= 12
    assert found["refused"] >= 1
    assert found["promotions"] >= 3
    assert found["failed_requests"] == 0
    assert found["failed_retrainings"] == 0
    assert [month["name"] for month in found["months"]][:2] == ["February", "March"]
    assert len(found["months"]) == 11
    assert Path(found["chart"]).is_file()
    assert Path(found["page"]).is_file()


def run(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-c", "import sys; from siklus.cli.main import main; sys.exit(main())", "demo"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
