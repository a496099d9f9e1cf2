"""The rules before promtool: they are well formed, each fires and resolves, and the drift is numpy's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from siklus.monitor.alerts.rules import Rule, project_rules
from siklus.monitor.signals import SIGNALS
from siklus.project.file import read_project
from siklus.stats.distance import hellinger, jensen_shannon, psi
from siklus.stats.profile import CategoryProfile, Counts
from siklus.stats.shift import bin_shift, pooled
from tests.deploy.programs import check, program
from tests.deploy.projects import deployed, project
from tests.figures import Figure

OWN = """
[notify.ops-mail]
kind = "mail"
to = ["ml-ops@example.com"]

[[alerts]]
name = "odd-column"
signal = "drift_score"
feature = 'a"b\\c {{ $value }} $(id)'
above = 0.25
for = "2m"
advice = '''{{ template "x" }} "quoted" $(rm -rf /)
second line'''

[[alerts]]
name = "idle"
signal = "predictions_per_second"
below = 0.5
for = "10m"
repeat = "never"
"""
MINUTE = 60


def at(seconds: float) -> str:
    return f"{round(seconds)}s"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return deployed(project(tmp_path, OWN), "prometheus")


def test_promtool_is_content(files: Path) -> None:
    told = check(program("promtool"), "check", "config", "prometheus.yml", cwd=files)
    assert "3 rule files found" in told


def test_every_rule_fires_and_resolves(files: Path, tmp_path: Path) -> None:
    """Quiet, then true for as long as the rule asks and five minutes more, then quiet again."""
    rules = project_rules(read_project(tmp_path / "siklus.toml", environment={}))
    assert {rule.signal for rule in rules} >= {"predictions_since_training", "drift_alarm", "drift_score"}
    tests = [_firing(rule) for rule in rules]
    down = {"series": 'up{job="flights",instance="a:1"}', "values": "1x4 0x9 1x9"}
    tests.append(_expecting("server_down", [down], [(4 * MINUTE, 0), (11 * MINUTE, 1), (16 * MINUTE, 0)]))
    looks = [
        {"series": 'up{job="flights",instance="a:1"}', "values": "1x29"},
        {"series": 'ml_watch_last_look_timestamp_seconds{job="flights"}', "values": "1x4 stale _x19 1x4"},
    ]
    tests.append(_expecting("watch_silent", looks, [(9 * MINUTE, 0), (10 * MINUTE, 1), (26 * MINUTE, 0)]))
    suite = {"rule_files": ["rules/flights-alerts.yml"], "evaluation_interval": "1m", "tests": tests}
    (files / "tests.yml").write_text(yaml.safe_dump(suite))
    check(program("promtool"), "test", "rules", "tests.yml", cwd=files)


def _firing(rule: Rule) -> dict[str, Any]:
    quiet, loud = (0.0, rule.threshold + 1) if rule.comparison == ">" else (rule.threshold + 1, 0.0)
    held, kept = rule.held // MINUTE, rule.kept // MINUTE
    labels = {"job": "flights", "signal": rule.signal}
    if SIGNALS[rule.signal].by == "feature":
        labels["feature"] = rule.feature or "origin"
    told = ",".join(f"{name}={_quoted(value)}" for name, value in labels.items())
    # `ax4` is five samples; the rule becomes true with the sixth, at five minutes.
    values = f"{quiet}x4 {loud}x{held + 4} {quiet}x{kept + 9}"
    series = [{"series": f"siklus:signal{{{told}}}", "values": values}]
    begins, ends = 5 * MINUTE, (5 + held + 5) * MINUTE
    moments = [(begins - MINUTE, 0), (begins + held * MINUTE, 1), (ends + kept * MINUTE, 0)]
    moments.append((ends + (kept - 1) * MINUTE, 1))
    if held:
        moments.append((begins + (held - 1) * MINUTE, 0))
    return _expecting(rule.name, series, moments)


def _expecting(alert: str, series: list[dict[str, str]], moments: list[tuple[int, int]]) -> dict[str, Any]:
    """``moments``: seconds, and how many alerts of that name fire then."""
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing",job="flights"}}) or vector(0)'
    asked = [
        {"expr": firing, "eval_time": at(seconds), "exp_samples": [{"labels": "{}", "value": count}]}
        for seconds, count in moments
    ]
    return {"name": alert, "interval": "1m", "input_series": series, "promql_expr_test": asked}


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_what_a_project_writes_stays_text(files: Path) -> None:
    """A column's name and an advice that would mean something to PromQL, YAML, Go's templates or a shell."""
    feature = 'a"b\\c {{ $value }} $(id)'
    series = f'siklus:signal{{job="flights",signal="drift_score",feature={_quoted(feature)}}}'
    labels = {"job": "flights", "signal": "drift_score", "feature": feature}
    told = {
        "exp_labels": {**labels, "severity": "warning", "notify": ",ops-mail,"},
        "exp_annotations": {
            "summary": f"drift_score of {feature} is 0.5 psi, above 0.25",
            "description": '{{ template "x" }} "quoted" $(rm -rf /)\nsecond line',
        },
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": "0.5x9"}],
        "alert_rule_test": [{"eval_time": "5m", "alertname": "odd-column", "exp_alerts": [told]}],
    }
    suite = {"rule_files": ["rules/flights-alerts.yml"], "evaluation_interval": "1m", "tests": [test]}
    (files / "tests.yml").write_text(yaml.safe_dump(suite))
    check(program("promtool"), "test", "rules", "tests.yml", cwd=files)


@pytest.mark.parametrize(("rows", "told"), [(199, []), (201, [0.5])])
def test_one_new_word_in_a_few_cells_is_no_share(rows: int, told: list[float], files: Path) -> None:
    """Below [monitor] min_rows neither Prometheus nor the watch says what share of words is new."""
    where = 'job="flights",version="7"'
    column = f'{where},feature="origin"'
    series = [
        {"series": f'ml_feature_bin_total{{{column},bin="{name}"}}', "values": f"0+{rows / 120}x70"}
        for name in ("JFK", "<unseen>")
    ]
    series += [
        {"series": f'ml_feature_reference_ratio{{{column},bin="JFK"}}', "values": "1x70"},
        {"series": f"ml_feature_reference_rows{{{column}}}", "values": "500x70"},
        {"series": f'ml_traffic_share{{{where},arm="champion"}}', "values": "1x70"},
    ]
    labels = '{job="flights",signal="unseen_share",feature="origin"}'
    asked = {
        "expr": f"round(siklus:signal{labels}, 0.001)",
        # Some seconds after the first whole minute: which group promtool evaluates first is chance, and the
        # signals' may see the rows of a second ago.
        "eval_time": "65s",
        "exp_samples": [{"labels": labels, "value": value} for value in told],
    }
    test = {"interval": "1s", "input_series": series, "promql_expr_test": [asked]}
    rules = [f"rules/flights-{name}.yml" for name in ("drift", "signals")]
    suite = {"rule_files": rules, "evaluation_interval": "1s", "tests": [test]}
    (files / "tests.yml").write_text(yaml.safe_dump(suite))
    check(program("promtool"), "test", "rules", "tests.yml", cwd=files)


# Over the bins of one column: two replicas' rows in a minute. The last two are slots.
BINS = ("a", "b", "c", "rare", "<other words>", "<missing>", "<unseen>")
REPLICAS = ((240, 180, 30, 0, 3, 60, 12), (300, 60, 90, 0, 0, 0, 0))


@pytest.mark.parametrize(
    "training",
    [
        (600, 300, 95, 3, 2, 0, 0),  # too few rows in the thin bins, also together
        (6000, 3000, 880, 60, 60, 100, 0),  # together they are enough
        (4000, 3000, 2000, 600, 400, 0, 0),  # none is thin
    ],
)
def test_drift_over_replicas_is_numpys(training: tuple[int, ...], files: Path, figure: Figure) -> None:
    rows = np.sum(REPLICAS, axis=0).tolist()
    window = Counts(bins=tuple(rows[:5]), missing=rows[5], unseen=rows[6])
    counts = Counts(bins=training[:5], missing=training[5], unseen=training[6])
    reference = CategoryProfile(kept=(0, 1, 2, 3), words=BINS[:4], size=9, counts=counts)
    groups = pooled(np.array(training[:5]), rows=sum(rows[:5]))
    kept = groups >= 0
    before, now = (np.bincount(groups[kept], np.array(each[:5])[kept]) for each in (training, rows))
    shift = bin_shift(before.astype(np.int64), now.astype(np.int64))
    assert shift is not None
    expected = {
        "siklus:drift_psi": psi(reference, window),
        "siklus:drift_hellinger": hellinger(reference, window),
        "siklus:drift_jensen_shannon": jensen_shannon(reference, window),
        "siklus:drift_x2": shift.statistic,
        "siklus:drift_x2_freedom": shift.freedom,
        "siklus:feature:rows": window.rows,
    }
    asked = [
        # promtool compares exactly, and the sums are of another order.
        {
            "expr": f"abs({record} / {value!r} - 1) < bool 1e-12",
            "eval_time": "1m",
            "exp_samples": [{"labels": '{job="flights",version="7",feature="origin"}', "value": 1}],
        }
        for record, value in expected.items()
    ]
    test = {"interval": "1s", "input_series": list(_series(training)), "promql_expr_test": asked}
    suite = {"rule_files": ["rules/flights-drift.yml"], "evaluation_interval": "1s", "tests": [test]}
    (files / "tests.yml").write_text(yaml.safe_dump(suite))
    check(program("promtool"), "test", "rules", "tests.yml", cwd=files)
    figure("drift in PromQL beside numpy's, over two replicas", "equal to 1e-12")


def _series(training: tuple[int, ...]) -> Iterator[dict[str, str]]:
    for replica, counts in enumerate(REPLICAS):
        where = f'job="flights",instance="{replica}:1",version="7",feature="origin"'
        for name, count, before in zip(BINS, counts, training, strict=True):
            # Sixty steps of a second, so that the window of a minute holds just what was counted.
            steps, share = f"0+{count / 60}x60", f"{before / sum(training)!r}x60"
            yield {"series": f'ml_feature_bin_total{{{where},bin="{name}"}}', "values": steps}
            yield {"series": f'ml_feature_reference_ratio{{{where},bin="{name}"}}', "values": share}
        yield {"series": f"ml_feature_reference_rows{{{where}}}", "values": f"{sum(training)}x60"}
