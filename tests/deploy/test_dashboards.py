"""The dashboards' files are what the SDK makes, and Grafana can take them."""

import json
import re
from typing import Any

import pytest

from siklus.deploy.watching.distances import drift_recordings
from siklus.deploy.watching.expressions import EXPRESSIONS, SIGNAL, expression
from siklus.monitor.signals import SIGNALS
from siklus.monitor.watches import ALONE
from tests.architecture.source import ROOT, SRC
from tests.deploy.dashboards.all import DASHBOARDS, text_of

RECORDED = {each.record for each in drift_recordings(job="x", window="1h", min_rows=200)} | {SIGNAL}
METRIC = re.compile(r"\b(?:ml_\w+|process_\w+|siklus:\w+(?::\w+)?)")

FILES = SRC / "siklus" / "deploy" / "watching" / "dashboards"


def committed(name: str) -> dict[str, Any]:
    text = (FILES / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def queries(name: str) -> list[dict[str, Any]]:
    return [target for panel in committed(name)["panels"] for target in panel.get("targets", [])]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_file_is_what_is_drawn(name: str) -> None:
    text = (FILES / f"{name}.json").read_text(encoding="utf-8")
    assert text == text_of(DASHBOARDS[name]()), "python -m tests.deploy.dashboards"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_can_be_provisioned(name: str) -> None:
    found = committed(name)
    assert found["uid"] == f"siklus-{name}"
    assert "id" not in found, "Grafana numbers them itself"
    panels = found["panels"]
    assert sorted(panel["id"] for panel in panels) == list(range(1, len(panels) + 1))
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert len({(place["x"], place["y"]) for place in places}) == len(places)
    asking = [panel for panel in panels if panel["type"] != "row"]
    assert all(panel["title"] and panel["description"] and panel["options"] for panel in asking)
    for each in [*asking, *queries(name)]:
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for panel in asking:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_variable_is_used_and_known(name: str) -> None:
    variables = {each["name"] for each in committed(name)["templating"]["list"]}
    known = {"__rate_interval", "__all"}
    text = json.dumps(committed(name))
    used = set(re.findall(r"\$\{?(\w+)", text)) - known
    assert used == variables
    assert "job" in variables


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_series_that_is_asked_for_is_documented_or_recorded(name: str) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    asked = {metric for query in queries(name) for metric in METRIC.findall(query["expr"])}
    assert {metric for metric in asked if not _known(metric, page)} == set()


def test_every_signal_has_an_expression_of_documented_series() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert EXPRESSIONS.keys() == SIGNALS.keys()
    for name in SIGNALS:
        text = expression(name, job="flights")
        assert "$" not in text
        assert 'job="flights"' in text
        assert {metric for metric in METRIC.findall(text) if not _known(metric, page)} == set()


def test_what_only_one_machine_knows_is_the_largest_for_both_evaluators() -> None:
    assert {name for name in ALONE if not expression(name, job="flights").startswith("max(")} == set()


def _known(metric: str, page: str) -> bool:
    return metric in RECORDED or f"`{metric.removesuffix('_bucket')}`" in page
