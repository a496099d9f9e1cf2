"""Who reaches whom in a cluster: what comes in from outside, and what the policies let through."""

import re
from typing import Any

import pytest

from tests.architecture.source import ROOT
from tests.deploy.clusters import FULL, built, manifests, only


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return built(manifests(tmp_path_factory.mktemp("network"), FULL) / "overlays" / "production")


def test_outcomes_go_to_the_loop_and_the_rest_to_the_servers(production: list[dict[str, Any]]) -> None:
    [rule] = only(production, "Ingress")["spec"]["rules"]
    assert rule["host"] == "flights.example.com"
    ways = {each["path"]: each["backend"]["service"]["name"] for each in rule["http"]["paths"]}
    assert {path for path, name in ways.items() if name != "flights-api"} == {"/feedback"}
    assert ways["/feedback"] == "flights-loop"


def test_all_that_servers_answer_is_reached_from_outside_but_what_they_count(
    production: list[dict[str, Any]],
) -> None:
    [rule] = only(production, "Ingress")["spec"]["rules"]
    ways = {each["path"]: each["pathType"] for each in rule["http"]["paths"]}
    source = (ROOT / "src" / "siklus" / "serve" / "routes.py").read_text(encoding="utf-8")
    answered = set(re.findall(r'\bpath="(/[^"]*)"', source))
    unreached = {path for path in answered if not _leads(path, ways)}
    assert (len(answered) > 15, unreached) == (True, {"/metrics"})


def _leads(path: str, ways: dict[str, str]) -> bool:
    prefixes = [way for way, kind in ways.items() if kind == "Prefix"]
    return ways.get(path) == "Exact" or any(path == way or path.startswith(f"{way}/") for way in prefixes)


def test_only_what_is_named_passes_the_network(production: list[dict[str, Any]]) -> None:
    policies = {
        each["metadata"]["name"]: each["spec"] for each in production if each["kind"] == "NetworkPolicy"
    }
    nobody = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies["flights-default-deny"] == nobody
    [door] = policies["flights-api"]["ingress"]
    spaces = [
        each["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for each in door["from"]
    ]
    assert spaces == ["ingress-nginx", "monitoring"]
    called = {each["ports"][0]["port"] for each in policies["flights-loop"]["egress"] if "to" not in each}
    # PostgreSQL, MLflow, Prometheus, the mail server and the webhook
    assert called == {5432, 5000, 9090, 587, 443}
