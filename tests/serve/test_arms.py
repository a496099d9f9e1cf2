"""Arms and shadows of a real server: who is answered by whom, and what those do that only watch."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest

from siklus.records.layout import Layout
from siklus.records.read import newest
from siklus.records.reading import PredictionRecord
from siklus.registry.policy import PolicyArm
from siklus.registry.sticky import Sticky
from siklus.serve.traffic.lineup import Arm, Lineup
from tests.serve.bundles import brittle_regressor, slow_regressor
from tests.serve.counting import parsed, value
from tests.serve.published import (
    ANSWER,
    ROW,
    eventually,
    following,
    placed,
    publish,
    serving_state,
    shared,
    version_in,
)
from tests.serve.servers import Server

USERS = [f"user-{i}" for i in range(60)]
SALT = "pepper"
Headers = Sequence[tuple[str, str]]
NOT_PLAIN: Headers = [("x-twice", "1"), ("x-twice", "2")]


def shadow(arm: PolicyArm) -> PolicyArm:
    return PolicyArm(name=f"shadow-{arm.version}", version=arm.version, share=0.0, digest=arm.digest)


def by_the_rule(state: Path, sticky: Sticky) -> dict[str, str]:
    """User → version, by the rule alone."""
    with following(state) as follower:
        eventually(lambda: follower.models.lineup, what="nothing answered")
        served = follower.models.current()
    rule = Lineup(
        revision=1,
        champion=served.champion,
        challengers=(Arm(name="blue", share=0.5, served=served.challengers[0].served),),
        sticky=sticky,
        salt=SALT,
    )
    return {user: rule.pick(user).served.bundle.version for user in USERS}


def asked(server: Server, *, user: str | None, row: object = ROW, more: Headers = ()) -> str:
    """The version that answers."""
    headers = [*([] if user is None else [("X-User", user)]), *more]
    response = server.client.post("/predict", json={"features": row}, headers=headers)
    assert response.status_code == 200, response.text
    return str(response.json()["version"])


@pytest.fixture(scope="module")
def by_header(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    state = tmp_path_factory.mktemp("state")
    arms = shared(version_in(state, 1), version_in(state, 2), champion=0.5, blue=0.5)
    publish(state, 1, *arms, sticky="header:x-user", salt=SALT)
    with serving_state(state, "--workers", "2") as server:
        yield state, server


@pytest.fixture(scope="module")
def by_column(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    """By `id`, which the contract ignores."""
    state = tmp_path_factory.mktemp("state")
    arms = shared(version_in(state, 1), version_in(state, 2), champion=0.5, blue=0.5)
    publish(state, 1, *arms, sticky="column:id", salt=SALT)
    with serving_state(state) as server:
        yield state, server


def test_a_header_assigns_for_good(by_header: tuple[Path, Server]) -> None:
    state, server = by_header
    wanted = by_the_rule(state, Sticky("header", "x-user"))
    assert {user: asked(server, user=user) for user in USERS} == wanted
    # What is no plain head goes to the app, and another connection perhaps to another worker.
    assert {user: asked(server, user=user, more=NOT_PLAIN) for user in USERS} == wanted
    with httpx.Client(base_url=server.client.base_url) as other:
        answer = other.post("/predict", json={"features": ROW}, headers={"X-USER": USERS[0]}).json()
    assert answer["version"] == wanted[USERS[0]]
    assert set(wanted.values()) == {"1", "2"}


def test_without_the_header_chance_decides(by_header: tuple[Path, Server]) -> None:
    _, server = by_header
    found = Counter(asked(server, user=None) for _ in range(60))
    # 60 tosses of a coin lie outside of this once in a billion.
    assert 6 < found["1"] < 54


def test_a_batch_is_answered_by_one_version(by_header: tuple[Path, Server]) -> None:
    state, server = by_header
    wanted = by_the_rule(state, Sticky("header", "x-user"))
    for user in USERS[:8]:
        response = server.client.post(
            "/predict/batch", json={"instances": [ROW] * 3}, headers={"X-User": user}
        )
        answer = response.json()
        assert answer["version"] == wanted[user]
        assert answer["predictions"] == pytest.approx([int(wanted[user]) * ANSWER] * 3, rel=1e-5)


def test_health_tells_who_answers(by_header: tuple[Path, Server]) -> None:
    _, server = by_header
    health = server.client.get("/health").json()
    assert health["revision"] == 1
    assert health["arms"] == [
        {"name": "champion", "version": "1", "share": 0.5},
        {"name": "blue", "version": "2", "share": 0.5},
    ]
    assert "pending" not in health


def test_a_column_assigns_single_rows(by_column: tuple[Path, Server]) -> None:
    state, server = by_column
    wanted = by_the_rule(state, Sticky("column", "id"))
    found = {user: asked(server, user=None, row={**ROW, "id": user}) for user in USERS}
    assert found == wanted


def test_a_batch_goes_to_the_champion_where_rows_have_keys(by_column: tuple[Path, Server]) -> None:
    _, server = by_column
    rows = [{**ROW, "id": user} for user in USERS]
    assert {server.batch(rows)["version"] for _ in range(4)} == {"1"}


def test_equal_numbers_are_one_key(by_column: tuple[Path, Server]) -> None:
    _, server = by_column
    for number in range(20):
        found = {
            asked(server, user=None, row={**ROW, "id": key}) for key in (number, float(number), str(number))
        }
        assert len(found) == 1


def records(state: Path) -> list[PredictionRecord]:
    return newest(Layout(state / "records"), 1000)


def test_a_shadow_scores_what_was_answered(tmp_path: Path) -> None:
    state = tmp_path / "state"
    publish(state, 1, version_in(state, 1), shadows=(shadow(version_in(state, 3)),))
    with serving_state(state) as server:
        ids = [server.predict(ROW)["prediction_id"] for _ in range(5)]
        batch = server.batch([ROW] * 40)
        assert batch["version"] == "1"
        scored = 'ml_predictions_total{endpoint="shadow",status="success",version="3"}'
        eventually(lambda: server.series()[scored] == 45, what="the shadow did not score everything")
    kept = records(state)
    answers = {record.prediction_id: record for record in kept if not record.shadow}
    watched = {record.prediction_id: record for record in kept if record.shadow}
    assert watched.keys() == answers.keys() == {*ids, *batch["prediction_ids"]}
    assert {record.arm for record in answers.values()} == {"champion"}
    assert {(record.arm, record.version) for record in watched.values()} == {("shadow-3", "3")}
    assert np.allclose([record.prediction for record in watched.values()], 3 * ANSWER, rtol=1e-5)
    assert all(record.features["distance"] == ROW["distance"] for record in watched.values())


def test_a_flood_is_answered_and_the_shadow_lets_go_what_is_too_much(tmp_path: Path) -> None:
    state = tmp_path / "state"
    publish(state, 1, version_in(state, 1), shadows=(shadow(version_in(state, 3)),))
    with serving_state(state) as server:
        for _ in range(6):
            assert len(server.batch([ROW] * 900)["predictions"]) == 900
        server.batch([ROW] * 2000)
        series = server.series()
        assert series['ml_predictions_total{endpoint="shadow",status="refused",version="3"}'] >= 1
        assert series['ml_predictions_total{endpoint="/predict/batch",status="success",version="1"}'] == 7400


def test_a_slow_shadow_delays_nobody(tmp_path: Path) -> None:
    """It takes a large part of a second a row; what it watches takes microseconds."""
    state, asks = tmp_path / "state", 20
    quick, slow = (
        placed(state, number, slow_regressor(tmp_path / f"{rounds}", rounds=rounds))
        for number, rounds in ((1, 1), (3, 100_000))
    )
    publish(state, 1, quick, shadows=(shadow(slow),))
    with serving_state(state) as server:
        server.predict([3])
        began = time.perf_counter()
        for _ in range(asks):
            server.predict([3])
        took = time.perf_counter() - began
        [row_seconds] = _shadow_seconds(server)
        assert took < asks * row_seconds / 4


def _shadow_seconds(server: Server) -> list[float]:
    """The mean time of a row, once there is one."""
    name = 'ml_prediction_latency_seconds_%s{endpoint="shadow",version="3"}'
    eventually(lambda: server.series()[name % "count"] > 0, what="the shadow never scored")
    series = server.series()
    return [series[name % "sum"] / series[name % "count"]]


def test_what_an_arm_fails_at_stays_its_own(tmp_path: Path) -> None:
    """Of 600 requests that only the champion can answer, each is dealt once: half of them fail."""
    state = tmp_path
    sound = placed(state, 1, slow_regressor(state / "draft-sound", rounds=1))
    brittle = placed(state, 2, brittle_regressor(state / "draft-brittle"))
    publish(state, 1, *shared(sound, brittle, champion=0.5, blue=0.5))
    with serving_state(state) as server:
        failed = Counter(
            server.client.post("/predict", json={"features": {"a": 7.0}}).status_code for _ in range(600)
        )
        refused = Counter(
            server.client.post("/predict", json={"features": {"b": 7.0}}).status_code for _ in range(20)
        )
        soon = {"x-request-timeout-ms": "soon"}
        undealt = server.client.post("/predict", json={"features": {"a": 1}}, headers=soon)
        page = server.client.get("/metrics").text
    # A fair coin is outside of this once in 10⁵ times; dealt twice, 150 would fail.
    assert 245 < failed[500] < 355
    assert failed[200] == 600 - failed[500]
    found = parsed(page)
    labels = {"endpoint": "/predict", "status": "error"}
    assert value(found, "ml_predictions_total", version="2", **labels) == failed[500]
    assert value(found, "ml_predictions_total", version="1", **labels) == 0
    assert refused == {422: 20}
    told = [
        value(found, "ml_predictions_total", endpoint="/predict", status="refused", version=version)
        for version in ("1", "2")
    ]
    assert sum(told) == 20
    assert min(told) > 1
    assert undealt.status_code == 400
    assert value(found, "ml_predictions_total", endpoint="/predict", status="refused", version="none") == 1
