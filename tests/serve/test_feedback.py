"""Feedback: outcomes are taken once, for predictions that were made here, as a whole or not at all."""

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.figures import Figure
from tests.serve.bundles import ODD_ROW, classifier, regressor
from tests.serve.servers import START_SECONDS, Server, serving_bundle, start


@pytest.fixture(scope="module")
def irises_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, irises_state: Path) -> Iterator[Server]:
    """A classifier of irises that keeps its records."""
    path = classifier(tmp_path_factory.mktemp("bundles") / "irises")
    with serving_bundle(path, "--state", str(irises_state)) as server:
        yield server


def predicted(server: Server) -> str:
    return str(server.predict(ODD_ROW)["prediction_id"])


def told(server: Server, body: object) -> tuple[int, Any]:
    response = server.client.post("/feedback", json=body)
    return response.status_code, response.json()


def stored(state: Path) -> dict[str, str]:
    with sqlite3.connect(state / "records" / "outcomes.db") as database:
        return dict(database.execute("SELECT prediction_id, outcome FROM outcomes"))


def test_an_outcome_is_stored_once_however_often_it_is_told(recorded: Server, irises_state: Path) -> None:
    body = {"prediction_id": predicted(recorded), "outcome": "setosa"}
    assert told(recorded, body) == (200, {"count": 1, "new": 1})
    assert told(recorded, body) == (200, {"count": 1, "new": 0})
    assert told(recorded, {**body, "prediction_id": body["prediction_id"].upper()})[0] == 200
    assert stored(irises_state)[body["prediction_id"]] == '"setosa"'


def test_another_outcome_for_the_same_prediction_is_refused(recorded: Server, irises_state: Path) -> None:
    first, second = predicted(recorded), predicted(recorded)
    assert told(recorded, {"prediction_id": first, "outcome": "setosa"})[0] == 200
    both = [{"prediction_id": second, "outcome": "setosa"}, {"prediction_id": first, "outcome": "virginica"}]
    status, answer = told(recorded, both)
    assert status == 409
    [problem] = answer["error"]["problems"]
    assert (problem["code"], problem["row"], problem["column"]) == ("RW021", 1, "prediction_id")
    assert first in problem["message"]
    assert stored(irises_state)[first] == '"setosa"'
    assert second not in stored(irises_state)


def test_a_list_that_contradicts_itself_is_refused(recorded: Server, irises_state: Path) -> None:
    name = predicted(recorded)
    both = [{"prediction_id": name, "outcome": word} for word in ("setosa", "virginica")]
    assert told(recorded, both)[0] == 409
    assert name not in stored(irises_state)


def test_an_id_that_was_not_issued_here_is_unknown(recorded: Server, irises_state: Path) -> None:
    mine = predicted(recorded)
    last = "0" if mine[-1] != "0" else "1"
    for foreign in (str(uuid.uuid4()), mine[:-1] + last, "", "x" * 36, "ß" * 36, mine + "0"):
        items = [
            {"prediction_id": predicted(recorded), "outcome": "setosa"},
            {"prediction_id": foreign, "outcome": "setosa"},
        ]
        status, answer = told(recorded, items)
        assert (status, answer["error"]["code"], answer["error"]["problems"][0]["row"]) == (404, "RW020", 1)
        assert items[0]["prediction_id"] not in stored(irises_state)


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"outcome": "rose"}, "RW008", "outcome"),
        ({"outcome": None}, "RW008", "outcome"),
        ({"outcome": ["setosa"]}, "RW008", "outcome"),
        ({"observed_at": "yesterday"}, "RW009", "observed_at"),
        ({"observed_at": 17}, "RW009", "observed_at"),
        ({"prediction_id": 17}, "RW003", "prediction_id"),
        ({"outcom": "setosa"}, "RW001", "outcom"),
    ],
)
def test_what_can_be_no_outcome_is_refused(
    change: dict[str, object], code: str, column: str, recorded: Server
) -> None:
    item = {"prediction_id": predicted(recorded), "outcome": "setosa", **change}
    status, answer = told(recorded, item)
    assert status == 422
    assert (code, column) in [(found["code"], found["column"]) for found in answer["error"]["problems"]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "RQ001"),
        (b"\xff", 400, "RQ001"),
        (b"[]", 400, "RQ006"),
        (b"7", 422, "RW011"),
        (b'{"outcome": "setosa"}', 422, "RW002"),
        (b'{"prediction_id": "x", "outcome": NaN}', 400, "RQ001"),
        (b"[" * 100_000, 400, "RQ001"),
    ],
)
def test_a_body_that_is_no_feedback_is_refused(body: bytes, status: int, code: str, recorded: Server) -> None:
    response = recorded.client.post("/feedback", content=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_a_number_is_an_outcome_of_a_regression_only_as_a_number(tmp_path: Path) -> None:
    path = regressor(tmp_path / "bundle")
    with serving_bundle(path, "--state", str(tmp_path / "state"), "--max-batch-rows", "5") as server:
        name = str(server.predict([8, 9])["prediction_id"])
        for wrong in (True, "5", None, [5], 10**400):
            assert told(server, {"prediction_id": name, "outcome": wrong})[0] == 422
        dated = {"prediction_id": name, "outcome": 5.0, "observed_at": "2026-01-31T09:00:00+01:00"}
        assert told(server, dated) == (200, {"count": 1, "new": 1})
        assert told(server, {"prediction_id": name, "outcome": 5}) == (200, {"count": 1, "new": 0})
        assert told(server, [dated] * 6)[1]["error"]["code"] == "RQ007"
    with sqlite3.connect(tmp_path / "state" / "records" / "outcomes.db") as database:
        [(outcome, observed)] = database.execute("SELECT outcome, observed_us FROM outcomes")
    assert (outcome, observed) == ("5", 1_769_846_400_000_000)  # 2026-01-31 08:00 UTC


def test_two_servers_of_one_state_directory_know_each_others_predictions(
    tmp_path: Path, figure: Figure
) -> None:
    """Many clients tell both the same and contradicting outcomes at once: of each prediction one stands."""
    path, state = classifier(tmp_path / "bundle"), tmp_path / "state"
    accepted: list[tuple[str, str]] = []
    lock = threading.Lock()

    def tell(server: Server, name: str, outcome: str) -> None:
        status, answer = told(server, [{"prediction_id": name, "outcome": outcome}])
        assert status in (200, 409), answer
        if status == 200:
            with lock:
                accepted.append((name, outcome))

    with (
        serving_bundle(path, "--state", str(state)) as one,
        serving_bundle(path, "--state", str(state)) as two,
        ThreadPoolExecutor(8) as clients,
    ):
        names = [predicted(server) for _ in range(20) for server in (one, two)]
        told_to = [
            (server, name, word)
            for name in names
            for word in ("setosa", "virginica")
            for server in (one, two)
        ]
        list(clients.map(lambda given: tell(*given), told_to))
    kept = {name: outcome.strip('"') for name, outcome in stored(state).items()}
    assert sorted(kept) == sorted(names)
    assert all(kept[name] == outcome for name, outcome in accepted)
    assert len(accepted) == 2 * len(names)  # by both servers, the outcome that came first
    figure("contradicting outcomes to two servers, doubled or lost", f"0 of {len(kept)}")


def test_without_a_state_directory_no_outcome_is_taken(irises: Server) -> None:
    status, answer = told(irises, {"prediction_id": predicted(irises), "outcome": "setosa"})
    assert (status, answer["error"]["code"]) == (503, "RC004")


@pytest.fixture(scope="module")
def pointing(
    tmp_path_factory: pytest.TempPathFactory, irises_state: Path, recorded: Server
) -> Iterator[Server]:
    """A second server of the same predictions, which leaves outcomes to the first one."""
    path = classifier(tmp_path_factory.mktemp("bundles") / "irises")
    there = f"http://127.0.0.1:{recorded.port}/"
    with serving_bundle(path, "--state", str(irises_state), "--feedback-url", there) as server:
        yield server


def test_a_server_that_keeps_no_outcomes_says_who_does(
    pointing: Server, recorded: Server, irises_state: Path
) -> None:
    assert told(recorded, {"prediction_id": predicted(recorded), "outcome": "setosa"})[0] == 200
    body = {"prediction_id": predicted(pointing), "outcome": "setosa"}
    before = recorded.series()['ml_feedback_total{result="new"}']
    answer = pointing.client.post("/feedback", json=body)
    there = f"http://127.0.0.1:{recorded.port}/feedback"
    assert (answer.status_code, answer.headers["location"]) == (307, there)
    assert answer.json()["location"] == there
    assert "kept by another server" in answer.json()["reason"]
    assert body["prediction_id"] not in stored(irises_state)
    followed = pointing.client.post("/feedback", json=body, follow_redirects=True)
    assert (followed.status_code, followed.json()) == (200, {"count": 1, "new": 1})
    assert stored(irises_state)[body["prediction_id"]] == '"setosa"'
    assert recorded.series()['ml_feedback_total{result="new"}'] == before + 1
    # Both show the counts of the state directory that they share.
    assert pointing.series()['ml_feedback_total{result="new"}'] == before + 1


def test_the_description_of_such_a_server_names_the_redirect(pointing: Server, irises: Server) -> None:
    pages = {server: server.client.get("/openapi.json").json() for server in (pointing, irises)}
    answers = {server: set(page["paths"]["/feedback"]["post"]["responses"]) for server, page in pages.items()}
    assert answers[pointing] == {"307", "401", "429"}
    assert "307" not in answers[irises]
    assert "FeedbackElsewhere" in pages[pointing]["components"]["schemas"]
    assert "FeedbackElsewhere" not in pages[irises]["components"]["schemas"]


def test_a_large_body_is_not_waited_for_before_the_redirect(pointing: Server) -> None:
    found = pointing.client.post("/feedback", content=b"[" + b" " * 1_000_000 + b"]")
    assert found.status_code == 307
    assert predicted(pointing)  # at the same connection, or a new one


@pytest.mark.parametrize(
    "url", ["loop:8000", "ftp://loop", "http://loop/\nx: y", "http://loop/?a", "http://a b"]
)
def test_what_is_no_url_is_refused_before_anything_starts(url: str, tmp_path: Path) -> None:
    found = start("-m", "siklus.serve", "--bundle", str(tmp_path), "--feedback-url", url)
    _, said = found.communicate(timeout=START_SECONDS)
    assert found.returncode == 2
    assert "feedback_url" in said
