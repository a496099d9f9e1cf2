"""Prometheus as the judge: it fires at the same minutes, whatever comes and goes."""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.monitor.alerting import Watching, rule
from tests.registry.postgres import REQUIRE

BAD, GOOD = 1.5, 0.5


def scenario(seed: int, minutes: int) -> dict[str, list[float | None]]:
    """Two labels whose values come and go, in runs that are about as long as the rules' times."""
    chance = random.Random(seed)
    found: dict[str, list[float | None]] = {}
    for label in ("a", "b"):
        values: list[float | None] = []
        while len(values) < minutes:
            values += [chance.choice([GOOD, BAD, BAD, None])] * chance.randint(1, 6)
        found[label] = values[:minutes]
    return found


def expected(held: int, kept: int, values: dict[str, list[float | None]]) -> list[set[str]]:
    """At each minute, the labels that fire by our own account."""
    watching = Watching(rule(held=held, kept=kept))
    firing = []
    for at in range(len(values["a"])):
        watching.look({label: row[at] for label, row in values.items() if row[at] is not None})
        firing.append({label for label, state in watching.standing.items() if state == "firing"})
    return firing


def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)("Prometheus is not installed")
    return str(found)


def test_prometheus_fires_at_the_same_minutes(tmp_path: Path) -> None:
    program, times = promtool(), ((0, 0), (60, 0), (180, 60), (300, 300), (0, 180))
    rules = [
        {
            "alert": f"held{held}kept{kept}",
            "expr": 'ml_signal{signal="s"} > 1',
            "for": f"{held}s",
            "keep_firing_for": f"{kept}s",
        }
        for held, kept in times
    ]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    trials = [promtool_trial(scenario(seed, 60), times) for seed in range(5)]
    cases = {"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": trials}
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    done = subprocess.run(
        [program, "test", "rules", "cases.json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def promtool_trial(
    values: dict[str, list[float | None]], times: Sequence[tuple[int, int]]
) -> dict[str, object]:
    # A series that is not scraped any more gets a mark that says so, "stale".
    written = {
        label: " ".join("stale" if value is None else str(value) for value in row)
        for label, row in values.items()
    }
    alerts = [
        {
            "eval_time": f"{minute}m",
            "alertname": f"held{held}kept{kept}",
            "exp_alerts": [{"exp_labels": {"signal": "s", "feature": label}} for label in sorted(firing)],
        }
        for held, kept in times
        for minute, firing in enumerate(expected(held, kept, values))
    ]
    series = [
        {"series": f'ml_signal{{signal="s",feature="{label}"}}', "values": text}
        for label, text in written.items()
    ]
    return {"interval": "1m", "input_series": series, "alert_rule_test": alerts}
