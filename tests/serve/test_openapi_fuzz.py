"""Schemathesis asks what /openapi.json allows, and what it does not, and holds the answers to it."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serve.bundles import classifier
from tests.serve.servers import Server, serving_bundle

HELD = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 30  # for each call and mode


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a state directory, so that every call has something to do."""
    folder = tmp_path_factory.mktemp("described")
    with serving_bundle(classifier(folder / "irises"), "--state", str(folder / "state")) as server:
        yield server


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_answers_are_as_described(everything: Server, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{everything.port}/openapi.json")
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.method == "get":
            continue  # without a body or a query there is nothing to get wrong

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=HELD)

        ask()
    assert asked > 100
