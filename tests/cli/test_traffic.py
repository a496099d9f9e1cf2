"""Traffic by command: decided, published, served, and served on when everybody else is gone."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from siklus.registry.published import PUBLISHED, read_policy
from tests.cli.projects import answered, new_project, siklus, spawned, straight_rows

WAIT_SECONDS = 60
ROW = {"a": 1.0, "b": 2.0, "side": "l"}
NOBODY = "http://127.0.0.1:1"  # where no registry listens


@pytest.fixture
def project(registered: Path, tmp_path: Path) -> Path:
    """Versions 1 (production) and 2 (staging), without a policy yet."""
    return Path(
        shutil.copytree(registered, tmp_path / "line", ignore=shutil.ignore_patterns("control.db*", "run"))
    )


def shares(policy: dict[str, Any]) -> dict[str, tuple[int, float]]:
    return {arm["name"]: (arm["version"], arm["share"]) for arm in policy["allotment"]["arms"]}


def refused(code: str, *words: str | Path) -> str:
    found = siklus(*words)
    assert found.code == 2, found.out
    assert found.err.startswith(f"siklus: {code} "), found.err
    return found.err


def test_nothing_is_decided_at_first_and_looking_decides_nothing(project: Path) -> None:
    assert answered("traffic", "show", "-C", project) == {"policy": None, "published": None}
    assert "No traffic policy yet" in siklus("traffic", "show", "-C", project).out
    assert not (project / ".siklus" / "control.db").exists()


def test_a_policy_is_said_whole(project: Path) -> None:
    first = answered("traffic", "set", "--challenger", "2=0.25", "--key", "header:X-User", "-C", project)
    assert shares(first) == {"champion": (1, 0.75), "challenger": (2, 0.25)}
    assert (first["revision"], first["allotment"]["sticky"]) == (1, "header:x-user")
    assert re.fullmatch("[0-9a-f]{8}", first["allotment"]["salt"])
    grown = answered(
        "traffic", "set", "--arm", "challenger=staging:0.5", "--reason", "it holds", "-C", project
    )
    assert shares(grown) == {"champion": (1, 0.5), "challenger": (2, 0.5)}
    assert (grown["revision"], grown["reason"]) == (2, "it holds")
    # Who has been where stays there.
    assert grown["allotment"]["salt"] == first["allotment"]["salt"]
    assert grown["allotment"]["sticky"] == "header:x-user"
    watched = answered("traffic", "set", "--shadow", "2", "--key", "none", "-C", project)
    assert shares(watched) == {"champion": (1, 1.0)}
    assert [shadow["name"] for shadow in watched["allotment"]["shadows"]] == ["shadow-2"]
    assert watched["allotment"]["sticky"] is None
    shown = answered("traffic", "show", "-C", project)
    assert shown == {"policy": watched, "published": 3}
    assert read_policy(project / ".siklus" / "run" / PUBLISHED).revision == 3
    lines = siklus("traffic", "show", "-C", project).out.splitlines()
    assert lines[0].startswith("line, revision 3, ")
    assert [line.split()[:3] for line in lines[2:4]] == [["champion", "1", "1"], ["shadow-2", "2", "watches"]]


def test_saying_the_same_again_decides_nothing(project: Path) -> None:
    for _ in range(2):
        made = answered("traffic", "set", "--challenger", "2=0.25", "-C", project)
        assert made["revision"] == 1


def test_a_decision_upon_what_is_not_true_any_more_is_refused(project: Path) -> None:
    answered("traffic", "set", "--challenger", "2=0.25", "--if-revision", "0", "-C", project)
    said = refused("RG014", "traffic", "set", "--challenger", "2=0.5", "--if-revision", "0", "-C", project)
    assert "the latest revision of the traffic policy is 1, not 0" in said
    assert answered("traffic", "show", "-C", project)["policy"]["revision"] == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--challenger", "2"], "RG012"),
        (["--challenger", "2=half"], "RG012"),
        (["--challenger", "2=1.5"], "RG012"),
        (["--challenger", "1=0.5"], "RG012"),
        (["--arm", "Blue=2:0.5"], "RG012"),
        (["--challenger", "9=0.5"], "RG002"),
        (["--shadow", "archived"], "RG003"),
        (["--key", "cookie:x"], "RG011"),
        (["--salt", "x" * 20], "RG012"),
    ],
)
def test_what_cannot_be_served_is_refused_and_not_written(project: Path, words: list[str], code: str) -> None:
    refused(code, "traffic", "set", *words, "-C", project)
    assert answered("traffic", "show", "-C", project)["policy"] is None


def test_a_promotion_gives_all_requests_to_the_new_one(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "promoted", straight_rows(120), store=store)
    answered("train", "-C", project)
    answered("train", "-C", project, "--from", "register", TRAIN__SEED="1")
    numbers = [version["number"] for version in answered("models", "-C", project)]
    newest = str(max(numbers))
    answered("traffic", "set", "--champion", "1", "--key", "column:a", "--salt", "pepper", "-C", project)
    answered("promote", newest, "-C", project)
    policy = answered("traffic", "show", "-C", project)["policy"]
    assert shares(policy) == {"champion": (int(newest), 1.0)}
    assert (policy["allotment"]["sticky"], policy["allotment"]["salt"]) == ("column:a", "pepper")
    assert policy["reason"] == f"siklus promote {newest}"


def eventually(holds: Callable[[], object], *, what: str) -> None:
    give_up = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


@contextmanager
def served(project: Path, *words: str, **options: Any) -> Iterator[tuple[httpx.Client, list[str]]]:
    """`siklus serve`, a client once it is ready, and what was said before it listened."""
    process = spawned("serve", "-C", project, "--port", "0", *words, **options)
    assert process.stderr is not None
    said: list[str] = []
    try:
        while not (found := re.search(r'"url": "([^"]+)"', line := process.stderr.readline())):
            assert line, "".join(said)
            said.append(line)
        with httpx.Client(base_url=found[1], timeout=WAIT_SECONDS) as client:
            eventually(lambda: client.get("/ready").status_code == 200, what="it never became ready")
            yield client, said
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def answering(client: httpx.Client) -> str:
    return str(client.post("/predict", json={"features": ROW}).json()["version"])


def test_a_server_follows_and_outlives_registry_and_database(project: Path) -> None:
    with served(project) as (client, said):
        assert (answering(client), said) == ("1", [])
        assert client.get("/health").json()["revision"] == 1
        answered("traffic", "set", "--champion", "2", "-C", project)
        eventually(lambda: answering(client) == "2", what="the decision never answered")

    (project / ".siklus" / "control.db").unlink()
    gone = {"env": {"SIKLUS_STATE__TRACKING_URI": NOBODY}}
    with served(project, **gone) as (client, said):
        assert answering(client) == "2"
        assert "as last published" in "".join(said)
    with served(project, "--version", "2", **gone) as (client, said):
        assert answering(client) == "2"
        assert "served from what was fetched before" in "".join(said)

    # A database that was lost goes on where it was.
    answered("traffic", "set", "--champion", "1", "-C", project)
    assert answered("traffic", "show", "-C", project)["policy"]["revision"] == 3


@pytest.mark.slow
def test_a_stage_that_was_moved_by_others_is_told(project: Path) -> None:
    answered("traffic", "set", "--champion", "2", "-C", project)
    with served(project) as (client, said):
        assert answering(client) == "2"
        assert "version 1 is in production, but the traffic policy's champion is 2" in "".join(said)


@pytest.mark.slow
def test_a_pinned_version_follows_nothing(project: Path) -> None:
    with served(project, "--version", "2") as (client, said):
        assert (answering(client), said) == ("2", [])
        assert "revision" not in client.get("/health").json()
    assert not (project / ".siklus" / "run" / PUBLISHED).exists()
