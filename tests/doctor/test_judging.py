"""What is said of facts: of each kind a good one and every bad one, with the value and its cure."""

from typing import Any

import pytest

from siklus.asking import Answered
from siklus.cli.up import LOCK
from siklus.doctor.checks import MACHINE, PROJECT
from siklus.doctor.clock import Clock, judge_clock
from siklus.doctor.databases import Database, judge_database
from siklus.doctor.disk import Disk, judge_disk
from siklus.doctor.limits import Limits, Needs, judge_limits
from siklus.doctor.log import Kept, judge_log
from siklus.doctor.packages import CANDIDATES as EXTRAS
from siklus.doctor.packages import Optional, Package, judge_optional, judge_packages, judge_proven, older
from siklus.doctor.permissions import SecretFile, judge_secret
from siklus.doctor.ports import Holder, Port, judge_port
from siklus.doctor.processes import UP, Running, judge_running
from siklus.doctor.prometheus import Scraped, judge_scraped
from siklus.doctor.served import judge_revision
from siklus.doctor.tracking import Server, Store, judge_server, judge_store
from siklus.train.candidates import CANDIDATES
from tests.architecture.source import ROOT
from tests.doctor.patients import states, the

GB, MB = 10**9, 10**6


def disk(**given: Any) -> Disk:
    return Disk(
        **{"path": "/srv", "total": 100 * GB, "free": 50 * GB, "inodes": 10**6, "free_inodes": 10**5} | given
    )


def limits(**given: Any) -> Limits:
    usual = {"open_files": 20_000, "memory": 8 * GB, "limited": False, "shared": GB, "cores": 4.0}
    return Limits(**usual | given)


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        (disk(), "ok", "50 GB of 100 GB are free at /srv"),
        (disk(sync_seconds=0.004), "ok", "1 MB is written and synced in 4 ms"),
        (disk(free=100 * MB), "trouble", "only 100 MB of 100 GB"),
        (disk(free=GB), "note", "only 1 GB"),
        (disk(free=5 * GB, growth=10 * GB), "note", "the prediction log may grow by 10 GB"),
        (disk(free_inodes=12), "trouble", "12 of 1,000,000 inodes are free"),
        (disk(inodes=0, free_inodes=0), "ok", "are free"),  # file systems without inodes say 0
        (disk(sync_seconds=0.7), "note", "1 MB takes 700 ms until it is on the disk"),
        (disk(refused="Read-only file system"), "trouble", "/srv cannot be written: Read-only file system"),
    ],
)
def test_a_disk_is_judged_by_room_inodes_and_pace(found: Disk, state: str, said: str) -> None:
    finding = the(judge_disk(found))
    assert finding.state == state
    assert said in finding.found
    assert state == "ok" or finding.mend


@pytest.mark.parametrize(
    ("jumped", "ahead", "state"),
    [
        (0.0, {}, "ok"),
        (0.0, {"Prometheus": 1.4}, "ok"),  # HTTP tells whole seconds
        (0.0, {"Prometheus": -4.0}, "note"),
        (0.0, {"the control database": 45.0}, "trouble"),
        (-1.0, {}, "trouble"),
    ],
)
def test_a_clock_is_judged_by_jumps_and_by_others(jumped: float, ahead: dict[str, float], state: str) -> None:
    finding = the(judge_clock(Clock(now=1.8e9, jumped=jumped, ahead=ahead)))
    assert finding.state == state


def test_a_clock_that_is_behind_is_said_to_be() -> None:
    finding = the(judge_clock(Clock(now=1.8e9, jumped=0.0, ahead={"the tracking server": -90.0})))
    assert finding.found == "1.5 min behind the tracking server"
    assert "timedatectl" in finding.mend


@pytest.mark.parametrize(
    ("given", "needs", "state", "said"),
    [
        ({}, Needs(workers=2, connections=2048, jobs=2), "ok", "20,000 open files"),
        ({"open_files": 1024}, Needs(workers=1, connections=2048), "trouble", "`ulimit -n 2112`"),
        ({"memory": 200 * MB}, Needs(workers=4), "trouble", "4 workers need about 440 MB"),
        ({"memory": GB}, Needs(workers=1, jobs=4), "note", "a retraining at once"),
        ({"memory": 128 * MB, "limited": True}, Needs(workers=2), "trouble", "the limit of this container"),
        ({"shared": 100}, Needs(), "note", "--shm-size"),
        ({"cores": 0.5}, Needs(workers=2), "note", "[serve] workers = 1"),
    ],
)
def test_limits_are_held_against_what_the_project_needs(
    given: dict[str, Any], needs: Needs, state: str, said: str
) -> None:
    finding = the(judge_limits(limits(**given), needs))
    assert finding.state == state
    assert said in f"{finding.found} {finding.mend}"


@pytest.mark.parametrize(
    ("port", "state", "said"),
    [
        (Port(key="[serve] port", host="::1", port=8000, held="free"), "ok", "is free"),
        (Port(key="[serve] port", host="h", port=80, held="forbidden"), "trouble", "not for this user"),
        (
            Port(key="[serve] port", host="h", port=8000, held="foreign"),
            "trouble",
            "no address of this machine",
        ),
        (Port(key="[serve] port", host="h", port=8000, held="taken"), "trouble", "cannot be seen from here"),
        (
            Port(
                key="[serve] port",
                host="h",
                port=8000,
                held="taken",
                holder=Holder(pid=7, command="python -m siklus.serve", ours=True),
            ),
            "ok",
            "this project's server, process 7",
        ),
    ],
)
def test_a_port_is_judged_by_who_has_it(port: Port, state: str, said: str) -> None:
    finding = judge_port(port)
    assert finding.state == state
    assert said in finding.found


@pytest.mark.parametrize(
    ("running", "said"),
    [
        (Running(servers=0), ["note"]),
        (Running(servers=3, served=900.0, looked=20.0), ["ok", "ok"]),
        (Running(servers=3, served=900.0, looked=3600.0), ["ok", "trouble"]),
        (Running(servers=3, served=900.0, looked=None), ["ok", "trouble"]),
        # A server that began just now has not been looked at, and what was looked at is the one before it.
        (Running(servers=3, served=5.0, looked=3600.0), ["ok", "ok"]),
        (Running(servers=3, served=900.0, looked=None, monitored=False), ["ok"]),
        (Running(servers=0, locks={"a training": 7}), ["ok"]),
        (Running(servers=0, locks={"the watch": 7}, foreign={"the watch": "vi notes"}), ["ok", "note"]),
    ],
)
def test_processes_are_judged_by_locks_and_looks(running: Running, said: list[str]) -> None:
    assert states(judge_running(running)) == said


@pytest.mark.parametrize(
    ("given", "state", "said"),
    [
        ({}, "ok", "none dropped"),
        ({"dropped": 7}, "trouble", "7 records were dropped"),
        ({"abandoned": 2}, "note", "2 segments of writers that died"),
        ({"damaged": 1}, "note", "/r/damaged"),
    ],
)
def test_a_log_is_judged_by_what_is_not_in_it(given: dict[str, Any], state: str, said: str) -> None:
    finding = the(judge_log(Kept(where="/r", taken=GB, most=10 * GB, written=100, **given)))
    assert finding.state == state
    assert said in finding.found


@pytest.mark.parametrize(
    ("answer", "version", "state"),
    [
        (Answered(status=200, seconds=0.01), "3.17.2", "ok"),
        (Answered(status=200), "", "ok"),  # some do not say
        (Answered(status=200), "2.9.1", "note"),
        (Answered(status=401), "", "note"),
        (Answered(status=502), "", "trouble"),
        (Answered(status=0, problem="Connection refused"), "", "trouble"),
    ],
)
def test_a_tracking_server_is_judged_by_its_answer(answer: Answered, version: str, state: str) -> None:
    assert (
        judge_server(Server(uri="http://m", health=answer, version=version, client="3.17.2")).state == state
    )


def test_a_tracking_database_of_another_revision_is_to_be_migrated() -> None:
    assert judge_store(Store(where="db", revision="abc1", known="abc1")).state == "ok"
    assert judge_store(Store(where="db", revision="abc1", known="")).state == "ok"
    assert judge_store(Store(where="db", revision="", known="abc1")).state == "trouble"
    older_one = judge_store(Store(where="db", revision="abc1", known="def2"))
    assert (older_one.state, "mlflow db upgrade" in older_one.mend) == ("trouble", True)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({}, "ok"),
        ({"refused": "it is a standby"}, "trouble"),
        ({"missing": ("journal.author",)}, "trouble"),
        ({"shared_disk": "nfs4"}, "note"),
        ({"seconds": 0.8}, "note"),
    ],
)
def test_a_database_is_judged_by_pace_rights_and_tables(given: dict[str, Any], state: str) -> None:
    assert (
        the(judge_database(Database(**{"where": "c.db", "seconds": 0.001, "tables": 16} | given))).state
        == state
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"targets": {"a:1": True}, "groups": ("line-alerts",)}, ["ok"]),
        ({"targets": {"a:1": True, "b:1": False}, "groups": ("line-alerts",)}, ["trouble"]),
        ({"targets": {}, "groups": ()}, ["trouble", "note"]),
        ({"targets": {"a:1": True}, "groups": None}, ["ok"]),
    ],
)
def test_prometheus_is_judged_by_targets_and_rules(given: dict[str, Any], expected: list[str]) -> None:
    found = Scraped(url="http://p", job="line", answer=Answered(status=200), **given)
    assert states(judge_scraped(found)) == expected


@pytest.mark.parametrize(
    ("mode", "owner_only", "state"),
    [(0o600, True, None), (0o644, True, "trouble"), (0o644, False, None), (0o666, False, "trouble")],
)
def test_a_secret_file_is_for_its_owner(mode: int, owner_only: bool, state: str | None) -> None:
    file = SecretFile(what="key", path="k", mode=mode, readable=True, owner_only=owner_only)
    finding = judge_secret(file)
    assert (None if finding is None else finding.state) == state


def test_a_secret_file_that_is_missing_or_foreign_is_trouble() -> None:
    for mode, readable in ((None, False), (0o600, False)):
        finding = judge_secret(SecretFile(what="key", path="k", mode=mode, readable=readable))
        assert finding is not None
        assert finding.state == "trouble"


def test_packages_are_held_against_their_lower_bounds() -> None:
    good = Package(name="numpy", least="2.0", found="2.4.6")
    assert states(judge_packages([good])) == ["ok"]
    old, missing = (
        Package(name="onnx", least="1.17", found="1.9"),
        Package(name="rich", least="13.9", found=None),
    )
    said = judge_packages([good, old, missing])
    assert states(said) == ["trouble", "trouble"]
    assert said[0].mend == "pip install 'rich>=13.9'"
    assert said[1].found == "onnx 1.9 is older than 1.17"


def test_an_extra_that_the_project_names_must_be_there() -> None:
    named = Optional(what="[train] candidates names lightgbm", extra="lightgbm", found=False)
    finding = the(judge_optional([named, Optional(what="another", extra="xgboost", found=True)]))
    assert finding.mend == "pip install 'siklus[lightgbm]'"


def test_a_model_that_was_proven_with_a_newer_runtime_is_noted() -> None:
    assert judge_proven(3, {"onnxruntime": "1.31.1"}, "1.31.1") is None
    assert judge_proven(3, {}, "1.24") is None
    finding = judge_proven(3, {"onnxruntime": "1.31.1"}, "1.24")
    assert finding is not None
    assert finding.found == "version 3 was proven with onnxruntime 1.31.1, and 1.24 is here"


@pytest.mark.parametrize(
    ("found", "least", "expected"),
    [("1.10", "1.9", False), ("1.9", "1.10", True), ("2", "2.0.0", False), ("2.13.0+cpu", "2.13", False)],
)
def test_versions_are_compared_by_their_numbers(found: str, least: str, expected: bool) -> None:
    assert older(found, least) is expected


def test_what_stands_elsewhere_too_stands_there_alike() -> None:
    assert UP == LOCK
    assert set(EXTRAS) <= set(CANDIDATES)
    page = (ROOT / "docs" / "doctor.md").read_text()
    assert [name for name in {**MACHINE, **PROJECT} if f"| `{name}` |" not in page] == []


def test_what_is_decided_and_not_published_is_noted() -> None:
    assert judge_revision(4, 4).state == "ok"
    assert judge_revision(3, 4).state == "note"
    assert judge_revision(4, 0).state == "note"
