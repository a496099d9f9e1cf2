"""`siklus quality` beside a real server: outcomes over HTTP, with and without keys, and plain words."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from siklus.cli.main import main
from siklus.project.paths import Paths
from siklus.serve.access.keys import add_key
from tests.monitor.watched import project_in
from tests.serve.published import serving_state
from tests.serve.servers import START_SECONDS, Server

NOW = datetime(2026, 1, 31, tzinfo=UTC)
SETTINGS = '[monitor]\nmetric = "accuracy"\nfloor = ">= 0.7"\nslices = ["origin"]\n'
ROWS = [{"distance": float(i % 7 - 3), "origin": ("JFK", "LGA")[i % 2]} for i in range(400)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project_in(tmp_path / "flights", more=SETTINGS)
    return tmp_path / "flights"


@pytest.fixture
def server(project: Path) -> Iterator[Server]:
    with serving_state(project / ".siklus") as server:
        server.wait_until_ready()
        yield server


def asked(project: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["quality", "-C", str(project), *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def soon(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it never came to it"
        time.sleep(0.1)


def fed_back(server: Server, answers: Any, *, right: int) -> None:
    """Outcomes of all predictions, of which the first are as they were predicted."""
    words = answers["predictions"]
    outcomes = [word if i < right else {"yes": "no", "no": "yes"}[word] for i, word in enumerate(words)]
    told = [
        {"prediction_id": name, "outcome": outcome}
        for name, outcome in zip(answers["prediction_ids"], outcomes, strict=True)
    ]
    assert server.answered("/feedback", told)["new"] == len(words)


def test_outcomes_that_come_over_http_become_quality(
    project: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = server.batch(ROWS)
    code, out, err = asked(project, capsys, "--window", "1h", "--fail")
    assert code == 0
    assert "400, of which 0 with an outcome" in out
    assert "No labels yet" in err
    fed_back(server, answers, right=340)
    code, out, err = asked(project, capsys, "--window", "1h", "--fail")
    assert code == 0
    assert "400, of which 400 with an outcome (100 %)" in out
    assert "accuracy >= 0.7, as [monitor] floor says: keeps" in out
    assert "JFK" in out
    _, document, _ = asked(project, capsys, "--json")
    found = json.loads(document)
    assert found["whole"]["metrics"]["accuracy"]["value"] == pytest.approx(340 / 400)
    assert {part["name"]: part["labels"]["labelled"] for part in found["groups"]["origin"]} == {
        "JFK": 200,
        "LGA": 200,
    }


def test_outcomes_that_were_refused_are_counted(
    project: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = server.batch(ROWS[:10])
    fed_back(server, answers, right=10)
    for name, outcome, status in (
        (answers["prediction_ids"][0], "yes", 409),
        (answers["prediction_ids"][0], "perhaps", 422),
        ("0" * 36, "yes", 404),
    ):
        told = {"prediction_id": name, "outcome": outcome}
        assert server.client.post("/feedback", json=told).status_code == status
    server.series()  # asking for the page brings all counts into the ledgers
    said = asked(project, capsys)[2]
    assert "1 for an outcome that contradicts" in said
    assert "1 for a prediction that was not made here" in said
    assert "1 for what can be no outcome" in said


def test_with_fail_it_says_no_when_quality_is_beyond_its_floor(
    project: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    fed_back(server, server.batch(ROWS), right=220)
    code, out, _ = asked(project, capsys, "--fail", "--by", "arm,origin")
    assert code == 1
    assert "beyond" in out
    assert asked(project, capsys)[0] == 0


def test_a_client_that_sends_most_outcomes_is_named_by_its_key(
    project: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = Paths.at(project / ".siklus").keys
    fed_back(server, server.batch(ROWS[:100]), right=90)
    flood = server.batch(ROWS)
    secret = add_key(keys, "night-job", per_second=None, now=NOW)
    soon(lambda: server.client.post("/predict", json={"features": ROWS[0]}).status_code == 401)
    server.client.headers["Authorization"] = f"Bearer {secret}"
    fed_back(server, flood, right=80)
    _, out, _ = asked(project, capsys, "--json")
    found = json.loads(out)
    assert {each["client"]: each["labelled"] for each in found["clients"]} == {"night-job": 400, None: 100}
    assert found["clients"][0]["without"]["value"] == pytest.approx(0.9)
    assert "client 'night-job', supplied 80 %" in asked(project, capsys)[2]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--window", "3x"], "no duration"),
        (["--since", "yesterday"], "no moment"),
        (["--since", "2026-01-31", "--window", "1h"], "one of --since and --window"),
        (["--by", "orign"], "MO021"),
        (["--metric", "mae"], "PJ010"),
    ],
)
def test_what_cannot_be_asked_is_said(
    words: list[str], code: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _, err = asked(project, capsys, *words)
    assert found == 2
    assert code in err
