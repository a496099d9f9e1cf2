"""Prediction ids: unlike one another, in the order of time, and known again by every worker."""

import os
import stat
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.errors import RecordsError
from siklus.records.ids import IdIssuer, issued_ms, random_key, secret_key
from tests.figures import Figure

NOW_MS = 1_769_860_800_000
SRC = Path(__file__).parents[2] / "src"

FORK_AND_ISSUE = """
import os
from siklus.records.ids import IdIssuer
issuer = IdIssuer(bytes(32))
issuer.issue(5, now_ms=1)
for _ in range(3):
    if (child := os.fork()) == 0:
        os.write(1, "".join(f"{name}\\n" for name in issuer.issue(100, now_ms=1)).encode())
        os._exit(0)
    os.waitpid(child, 0)
"""

MAKE_KEY = """
import pathlib, sys
from siklus.records.ids import secret_key
print(secret_key(pathlib.Path(sys.argv[1])).hex())
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SRC)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_an_id_is_a_uuid_of_version_7_with_its_time() -> None:
    [name] = IdIssuer(random_key()).issue(1, now_ms=NOW_MS)
    found = uuid.UUID(name)
    assert (found.version, found.variant, str(found)) == (7, uuid.RFC_4122, name)
    assert issued_ms(name) == NOW_MS
    assert found.int >> 80 == NOW_MS


def test_ids_of_one_request_ascend_and_later_ones_are_greater() -> None:
    issuer = IdIssuer(random_key())
    names = [*issuer.issue(1000, now_ms=NOW_MS), *issuer.issue(1000, now_ms=NOW_MS + 1)]
    assert names == sorted(set(names))


def test_an_id_never_comes_again_though_the_clock_stands_still() -> None:
    issuers = [IdIssuer(random_key()) for _ in range(4)]
    names = [name for issuer in issuers for name in issuer.issue(50_000, now_ms=NOW_MS)]
    assert len(set(names)) == len(names)


def test_an_id_is_recognised_by_every_worker_with_the_key_and_by_no_other() -> None:
    key = random_key()
    [name] = IdIssuer(key).issue(1, now_ms=NOW_MS)
    assert IdIssuer(key).recognises(name)
    assert not IdIssuer(random_key()).recognises(name)


@given(place=st.integers(0, 35), other=st.characters())
def test_an_id_that_was_changed_anywhere_is_foreign(place: int, other: str) -> None:
    issuer = IdIssuer(random_key())
    [name] = issuer.issue(1, now_ms=NOW_MS)
    changed = name[:place] + other + name[place + 1 :]
    assert issuer.recognises(changed) == (changed == name)


@given(st.text(max_size=40) | st.uuids().map(str))
def test_what_nobody_issued_is_foreign(text: str) -> None:
    assert not IdIssuer(random_key()).recognises(text)


def test_children_of_one_process_do_not_issue_the_same_ids() -> None:
    said, _ = python(FORK_AND_ISSUE).communicate(timeout=60)
    names = said.split()
    assert len(names) == len(set(names)) == 300


def test_the_key_is_made_once_whoever_comes_first_and_kept_from_others(tmp_path: Path) -> None:
    running = [python(MAKE_KEY, str(tmp_path / "state")) for _ in range(4)]
    keys = {process.communicate(timeout=60)[0].strip() for process in running}
    assert keys == {secret_key(tmp_path / "state").hex()}
    assert stat.S_IMODE((tmp_path / "state" / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["secret.key"]


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(RecordsError) as refused:
        secret_key(tmp_path)
    assert refused.value.code == "RC001"


def test_an_id_costs_about_a_microsecond(figure: Figure) -> None:
    issuer = IdIssuer(random_key())
    costs = []
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(1000):
            issuer.issue(1, now_ms=NOW_MS)
        costs.append((time.perf_counter() - started) * 1000)
    figure("a prediction id costs", f"{min(costs):.2f} µs")
    assert min(costs) < 10  # 1.3 on a free machine
