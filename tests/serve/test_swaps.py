"""Swaps: a new policy takes over without a lost request; nothing damaged ever answers."""

import json
import shutil
import threading
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from siklus.bundle.write import digest_of
from siklus.registry.policy import PolicyArm
from siklus.registry.published import LAST_GOOD, PUBLISHED, found_policy, write_policy
from siklus.serve.traffic.following import Follower
from tests.figures import Figure
from tests.registry.policies import policy_of
from tests.serve.damage import damaged, damages
from tests.serve.published import (
    ANSWER,
    ROW,
    eventually,
    following,
    publish,
    serving_state,
    shared,
    version_in,
)
from tests.serve.servers import Server

SWAPS, CLIENTS = 20, 4


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def is_the_versions_own(answer: dict[str, Any]) -> bool:
    return abs(answer["prediction"] - int(answer["version"]) * ANSWER) < 1e-3 * ANSWER


def keep_asking(server: Server, stop: threading.Event, seen: Counter[Any], wrong: list[object]) -> None:
    """Ask until told to stop; ``seen`` counts the answers by version."""
    with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
        while not stop.is_set():
            response = client.post("/predict", json={"features": ROW})
            answer = response.json()
            if response.status_code != 200 or not is_the_versions_own(answer):
                wrong.append(response.text)
            else:
                seen[int(answer["version"])] += 1


def answered_by(seen: list[Counter[Any]], version: int) -> int:
    return sum(each[version] for each in seen)


def has_answered(seen: list[Counter[Any]], version: int, before: int) -> bool:
    return answered_by(seen, version) > before + CLIENTS


def test_swaps_under_load_lose_nothing(state: Path, figure: Figure) -> None:
    versions = [version_in(state, number) for number in (1, 2, 3)]
    publish(state, 1, versions[0])
    stop, wrong = threading.Event(), []
    seen: list[Counter[Any]] = [Counter() for _ in range(CLIENTS)]
    with serving_state(state, "--workers", "2") as server:
        clients = [threading.Thread(target=keep_asking, args=(server, stop, each, wrong)) for each in seen]
        for client in clients:
            client.start()
        try:
            for swap in range(1, SWAPS + 1):
                version = versions[swap % 3]
                enough = partial(has_answered, seen, version.version, answered_by(seen, version.version))
                publish(state, swap + 1, version)
                eventually(enough, what=f"revision {swap + 1} never answered")
        finally:
            stop.set()
            for client in clients:
                client.join()
    answered = sum(sum(each.values()) for each in seen)
    figure(f"{SWAPS} swaps under load, failed requests", f"{len(wrong)} of {answered + len(wrong)}")
    assert wrong == []
    assert answered > SWAPS * CLIENTS


def test_nothing_damaged_ever_answers(state: Path, tmp_path: Path, figure: Figure) -> None:
    """All at once, each in a state of its own: version 1 answers, then version 2 is damaged."""
    trace = tmp_path / "executed"
    good, bad = version_in(state, 1), version_in(state, 2)
    ways = list(damages(state / "bundles" / bad.digest, trace))
    with ExitStack() as open_ones:
        followers = []
        for i, way in enumerate(ways):
            own = tmp_path / f"{i}"
            shutil.copytree(state / "bundles" / good.digest, own / "bundles" / good.digest)
            publish(own, 1, good)
            digest = damaged(state / "bundles" / bad.digest, own / "bundles", way)
            followers.append((way, own, digest, open_ones.enter_context(following(own))))
        for _, own, digest, follower in followers:
            eventually(partial(_answers_at_all, follower), what="the good one never answered")
            publish(own, 2, PolicyArm(name="champion", version=2, share=1.0, digest=digest))
        for way, own, _, follower in followers:
            eventually(partial(_is_refused, follower), what=f"{way.name} was not refused")
            lineup = follower.models.current()
            assert (lineup.revision, lineup.champion.served.bundle.version) == (1, "1"), way.name
            assert found_policy(own / "run" / LAST_GOOD) == policy_of(1, _allotment(own, good)), way.name
    assert not trace.exists()
    figure(f"{len(ways)} damaged bundles published, of which answered", "0")
    assert len(ways) >= 50


def _answers_at_all(follower: Follower) -> bool:
    return follower.models.lineup is not None


def _is_refused(follower: Follower) -> bool:
    pending = follower.models.pending
    return pending is not None and pending.code is not None


def _allotment(own: Path, good: PolicyArm) -> Any:
    policy = found_policy(own / "run" / LAST_GOOD)
    assert policy is not None
    assert policy.allotment.arms == (good,)
    return policy.allotment


def test_a_restart_needs_nothing_but_what_was_published(state: Path) -> None:
    """No registry and no database exist here; the worker is killed, then the whole server is."""
    publish(state, 1, version_in(state, 1))
    with serving_state(state) as server:
        assert server.predict(ROW)["version"] == "1"
        workers = psutil.Process(server.process.pid).children()
        for worker in workers:
            worker.kill()
        eventually(lambda: _answers(server), what="no worker came back")
        assert {each.pid for each in psutil.Process(server.process.pid).children()} & {
            each.pid for each in workers
        } == set()
    with serving_state(state) as server:
        assert is_the_versions_own(server.predict(ROW))


def _answers(server: Server) -> bool:
    try:
        return httpx.post(f"{server.client.base_url}/predict", json={"features": ROW}).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_restart_on_a_damaged_policy_falls_back_to_the_last_good_one(state: Path) -> None:
    good, bad = version_in(state, 1), version_in(state, 2)
    publish(state, 1, good)
    with following(state) as follower:
        eventually(lambda: follower.models.lineup, what="nothing answered")
        eventually((state / "run" / LAST_GOOD).exists, what="the good one was not kept")
    (state / "bundles" / bad.digest / "model.onnx").write_bytes(b"damaged")
    publish(state, 2, bad)
    with serving_state(state) as server:
        assert server.predict(ROW)["version"] == "1"
        health = server.client.get("/health").json()
        assert (health["revision"], health["pending"]) == (1, {"revision": 2, "code": "BN005"})


@pytest.mark.parametrize("content", [b"", b"{", b'{"revision": 9}'])
def test_a_damaged_file_leaves_the_lineup_and_a_sound_one_mends_it(state: Path, content: bytes) -> None:
    one, two = version_in(state, 1), version_in(state, 2)
    publish(state, 1, one)
    with following(state) as follower:
        eventually(lambda: follower.models.lineup, what="nothing answered")
        (state / "run" / PUBLISHED).write_bytes(content)
        eventually(lambda: _is_refused(follower), what="the damage was not noticed")
        assert follower.models.current().revision == 1
        publish(state, 2, two)
        eventually(lambda: follower.models.current().revision == 2, what="nothing mended it")
        assert follower.models.pending is None


def test_a_missing_file_changes_nothing(state: Path) -> None:
    publish(state, 1, version_in(state, 1))
    with following(state) as follower:
        eventually(lambda: follower.models.lineup, what="nothing answered")
        (state / "run" / PUBLISHED).unlink()
        eventually(lambda: _is_refused(follower), what="the loss was not noticed")
        assert follower.models.current().revision == 1


def test_a_bundle_that_comes_late_is_tried_again(state: Path, tmp_path: Path) -> None:
    late = version_in(state, 2)
    away = (state / "bundles" / late.digest).rename(tmp_path / "away")
    publish(state, 1, version_in(state, 1))
    with following(state) as follower:
        eventually(lambda: follower.models.lineup, what="nothing answered")
        publish(state, 2, late)
        eventually(lambda: _is_refused(follower), what="the loss was not noticed")
        away.rename(state / "bundles" / digest_of(away))
        eventually(lambda: follower.models.current().revision == 2, what="it was not tried again")


def test_a_server_may_come_before_its_policy(state: Path) -> None:
    with following(state) as follower:
        eventually(lambda: follower.models.state == "failed", what="nothing was said")
        publish(state, 1, version_in(state, 1))
        eventually(lambda: follower.models.state == "healthy", what="the policy was not met")


def test_what_answers_already_is_not_opened_again(state: Path) -> None:
    one, two = version_in(state, 1), version_in(state, 2)
    publish(state, 1, one)
    with following(state) as follower:
        eventually(lambda: follower.models.lineup, what="nothing answered")
        before = follower.models.current().champion.served
        publish(state, 2, *shared(one, two, champion=0.5, blue=0.5), sticky="header:x-user")
        eventually(lambda: follower.models.current().revision == 2, what="nothing changed")
        lineup = follower.models.current()
        assert lineup.champion.served is before
        assert [(arm.name, arm.share) for arm in lineup.arms] == [("champion", 0.5), ("blue", 0.5)]


def test_the_last_good_policy_is_never_an_older_one(state: Path) -> None:
    write_policy(policy_of(7), state / "run" / LAST_GOOD)
    publish(state, 3, version_in(state, 1))
    with following(state) as follower:
        eventually(lambda: follower.models.lineup, what="nothing answered")
    assert json.loads((state / "run" / LAST_GOOD).read_text())["revision"] == 7
