"""Keys and rates: what is kept of a key, and how often a rate lets it in."""

import json
import stat
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.errors import ServeError
from siklus.serve.access.keys import add_key, read_keys, revoke_key
from siklus.serve.access.rate import Rate, RateBoard, rate_of, rate_text

NOW = datetime(2026, 1, 31, tzinfo=UTC)
KEY_CHARACTERS = len("sk_") + 43  # 256 bits, six a character


def test_a_key_is_random_and_only_its_digest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys.json"
    first = add_key(path, "first", per_second=None, now=NOW)
    second = add_key(path, "second", per_second=5.0, now=NOW)
    assert first != second
    assert [len(key) for key in (first, second)] == [KEY_CHARACTERS] * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first not in path.read_text()
    kept = read_keys(path) or ()
    assert [(key.name, key.requests_per_second, key.created) for key in kept] == [
        ("first", None, NOW),
        ("second", 5.0, NOW),
    ]


def test_no_two_living_keys_share_a_slot_and_a_free_one_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    for name in ("a", "b", "c"):
        add_key(path, name, per_second=1.0, now=NOW)
    revoke_key(path, "b")
    add_key(path, "d", per_second=1.0, now=NOW)
    assert sorted(key.slot for key in read_keys(path) or ()) == [0, 1, 2]


@pytest.mark.parametrize("name", ["", "a b", "../a", "-a", "x" * 65, "ключ", "a\n"])
def test_a_name_is_what_fits_into_a_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="SV015"):
        add_key(tmp_path / "keys.json", name, per_second=None, now=NOW)


def test_a_name_is_given_once_and_only_a_name_that_is_there_is_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "one", per_second=None, now=NOW)
    with pytest.raises(ServeError, match="SV015"):
        add_key(path, "one", per_second=None, now=NOW)
    with pytest.raises(ServeError, match="SV016"):
        revoke_key(path, "two")
    assert revoke_key(path, "one") == ()
    assert read_keys(path) == ()


def test_no_file_is_not_the_same_as_no_key_left(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "keys.json") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "\ufffd",
        '{"format": 2, "keys": []}',
        '{"format": 1, "keys": [], "more": 1}',
        '{"format": 1, "keys": [{"name": "a"}]}',
    ],
)
def test_a_file_in_another_form_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(ServeError, match="SV014"):
        read_keys(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("sha256", "0"), ("slot", -1), ("slot", 1024), ("requests_per_second", 0), ("name", "a b")],
)
def test_a_key_in_another_form_is_refused(field: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "one", per_second=1.0, now=NOW)
    document = json.loads(path.read_text())
    document["keys"][0][field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ServeError, match="SV014"):
        read_keys(path)


@pytest.mark.parametrize(("text", "rate"), [("100/s", 100.0), ("30/m", 0.5), ("9/h", 0.0025), ("2.5/s", 2.5)])
def test_a_rate_is_read_and_written(text: str, rate: float) -> None:
    assert rate_of(text) == rate
    assert rate_text(rate) == text


@pytest.mark.parametrize("text", ["", "100", "0/s", "-1/s", "1/d", "1e3/s", "1/s ", "١/s", "nan/s", "inf/s"])
def test_anything_else_is_no_rate(text: str) -> None:
    with pytest.raises(ServeError, match="SV017"):
        rate_of(text)


@given(
    per_second=st.sampled_from([0.5, 1.0, 4.0, 1000.0]),
    pauses=st.lists(st.sampled_from([0.0, 0.0001, 0.001, 0.125, 0.25, 0.5, 1.0, 3.0]), max_size=60),
)
def test_a_rate_is_a_bucket_of_a_second_that_fills_steadily(per_second: float, pauses: list[float]) -> None:
    """Held against the bucket as it is usually told, with tokens."""
    most = max(per_second, 1.0)
    tokens, before, expected = most, 0.0, []
    times = [1.0 + at for at in accumulate(pauses)]
    for now in times:
        tokens = min(most, tokens + (now - before) * per_second)
        before = now
        expected.append(tokens >= 1 - 1e-6)
        tokens -= expected[-1]
    moments = iter(times)
    rate = Rate(RateBoard(), slot=3, per_second=per_second, clock=lambda: next(moments))
    assert [rate.take() for _ in times] == expected


def test_what_is_given_back_can_be_taken_again() -> None:
    rate = Rate(RateBoard(), slot=0, per_second=1.0, clock=lambda: 5.0)
    for _ in range(10):
        assert rate.take()
        rate.give_back()


def test_a_refusal_says_when_the_next_request_is_let_in() -> None:
    now = 5.0
    rate = Rate(RateBoard(), slot=0, per_second=0.1, clock=lambda: now)
    assert rate.take()
    assert not rate.take()
    assert rate.exceeded().retry_seconds == 10
    now += 10
    assert rate.take()


def test_keys_in_different_slots_do_not_count_together() -> None:
    board = RateBoard()
    rates = [Rate(board, slot=slot, per_second=1.0, clock=lambda: 5.0) for slot in (0, 1, 0)]
    assert [rate.take() for rate in rates] == [True, True, False]
