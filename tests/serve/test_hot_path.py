"""The hot path gives the app's answers, each to the client that asked, in the order in which it asked."""

import asyncio
import json
import math
import random
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract, Number, Target
from siklus.errors import SiklusError
from siklus.project.sections import Serve
from siklus.serve.desk import open_desk
from siklus.serve.plan import Plan
from siklus.serve.wire.heads import read_head
from siklus.serve.wire.hot_path import HotPath
from tests.serve.bundles import ODD_ROW, TWO_CLASSES, classifier, regressor, slow_regressor
from tests.serve.servers import START_SECONDS, Server, serving_bundle
from tests.serve.wire import WAIT_SECONDS, Answer, Client, clients, exchange, features, read_answer, request

# No plain head: the parser and the app see this one.
BY_THE_APP = ("x-twice: 1", "x-twice: 2")

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(width=64),
    st.sampled_from(["JFK", "SFO", "2024-01-31T08:00:00Z", "soon", "", "\ud800"]),
    st.lists(st.none(), max_size=1),
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """What a client may send to a contract of numbers, words, moments: mostly right, often not."""
    row: dict[str, object] = dict(ODD_ROW)
    for name in draw(st.lists(st.sampled_from([*ODD_ROW, "unknown"]), max_size=2)):
        row[name] = draw(CELLS)
    for name in draw(st.lists(st.sampled_from(list(ODD_ROW)), max_size=1 if draw(st.booleans()) else 0)):
        row.pop(name, None)
    sent = row if draw(st.booleans()) else list(row.values())
    body = json.dumps({draw(st.sampled_from(["features"] * 9 + ["feature"])): sent}).encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=2)) + body[at + 1 :]
    return body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(body=bodies())
def test_the_answer_is_the_apps_byte_for_byte(irises: Server, body: bytes) -> None:
    (quick,) = exchange(irises.port, request(body))
    (by_the_app,) = exchange(irises.port, request(body, *BY_THE_APP))
    assert quick.but_for_id_and_time == by_the_app.but_for_id_and_time


@pytest.mark.parametrize("more", [(), ("Connection: close",)], ids=["kept", "closed"])
@pytest.mark.parametrize("row", [ODD_ROW, list(ODD_ROW.values())], ids=["by name", "in order"])
def test_a_plain_request_is_not_left_to_the_app(row: object, more: tuple[str, ...], tmp_path: Path) -> None:
    body = json.dumps({"features": row}).encode()
    head = read_head(request(body, *more).partition(b"\r\n\r\n")[0], Serve())
    assert head is not None
    callers = asyncio.run(_asked(classifier(tmp_path / "bundle"), [(head, body)] * 3))
    assert [caller.left for caller in callers] == [False] * 3
    assert len({json.loads(caller.body)["prediction_id"] for caller in callers}) == 3


class Noted:
    """A caller that notes what it is told."""

    def __init__(self) -> None:
        self.body = b""
        self.left = self.is_gone = False
        self.told = asyncio.Event()

    def answer(self, body: bytes) -> None:
        self.body = body
        self.told.set()

    def refuse(self, error: SiklusError, *, bundle: Bundle) -> None:
        raise error

    def leave_to_app(self, dealt_to: str | None) -> None:
        self.left = True
        self.told.set()


async def _asked(bundle: Path, asked: list) -> list[Noted]:
    with open_desk(Plan(bundle=bundle)) as desk:
        async with asyncio.timeout(START_SECONDS):
            while desk.models.lineup is None:  # noqa: ASYNC110 - it loads in a thread
                await asyncio.sleep(0.01)
            path = HotPath(desk, asyncio.get_running_loop())
            callers = [Noted() for _ in asked]
            for caller, (head, body) in zip(callers, asked, strict=True):
                path.ask(caller, head, body)
            await asyncio.gather(*(caller.told.wait() for caller in callers))
    return callers


@pytest.mark.parametrize("body", [features(3, 3), b'{"features": []}'], ids=["answered", "refused"])
def test_the_last_request_of_a_connection_gets_the_apps_answer(minutes: Server, body: bytes) -> None:
    close = "connection: close"
    (quick,) = exchange(minutes.port, request(body, close), answers=2)
    (by_the_app,) = exchange(minutes.port, request(body, close, *BY_THE_APP), answers=2)
    assert quick.but_for_id_and_time == by_the_app.but_for_id_and_time


def test_an_answer_comes_in_one_piece_to_a_proxy_that_keeps_no_connection(minutes: Server) -> None:
    """In two it would be half an answer if the server died in between, which no proxy can mend."""
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", minutes.port), timeout=WAIT_SECONDS) as connection:
            connection.sendall(request(features(3, 3), "connection: close"))
            assert read_answer(connection.recv(65_536)) is not None
            assert connection.recv(1) == b"", "the server has closed it"


def test_what_comes_behind_the_last_request_is_not_answered(minutes: Server) -> None:
    last = request(features(3, 3), "connection: close")
    assert len(exchange(minutes.port, last + request(features(4, 4)), answers=2)) == 1
    assert len(exchange(minutes.port, last, request(features(4, 4)), answers=2)) == 1


def test_a_request_may_come_in_any_two_parts(minutes: Server) -> None:
    whole = request(features(3, 3))
    for at in range(1, len(whole)):
        (answer,) = exchange(minutes.port, whole[:at], whole[at:])
        assert answer.said["prediction"] == 3.0, at


def test_a_request_may_come_byte_by_byte(minutes: Server) -> None:
    whole = request(features(3, 3))
    (answer,) = exchange(minutes.port, *(whole[i : i + 1] for i in range(len(whole))))
    assert answer.said["prediction"] == 3.0


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_pipelined_requests_are_answered_in_order_whichever_way_each_goes(
    minutes: Server, parts: int
) -> None:
    kinds = [
        lambda value: request(features(0, value)),
        lambda value: request(features(0, value), *BY_THE_APP),
        lambda value: request(json.dumps({"features": {"b": value, "a": 0}}).encode()),
        lambda value: request(b'{"features": [0]}'),
        lambda _: request(b"", path="/live", method="GET"),
    ]
    chance = random.Random(7)
    asked = [(chance.randrange(len(kinds)), float(i)) for i in range(60)]
    stream = b"".join(kinds[kind](value) for kind, value in asked)
    step = -(-len(stream) // parts)
    answers = exchange(
        minutes.port, *(stream[i : i + step] for i in range(0, len(stream), step)), answers=len(asked)
    )
    assert len(answers) == len(asked)
    for (kind, value), answer in zip(asked, answers, strict=True):
        if kind == 3:
            assert answer.status == 422
        elif kind == 4:
            assert answer.said == {"status": "alive"}
        else:
            assert answer.said["prediction"] == pytest.approx(math.sqrt(value), rel=1e-6)


def test_a_row_goes_back_to_its_own_caller(minutes: Server) -> None:
    """A thousand clients at once, their requests cut at random, quick ones, slow ones and refused ones."""
    crowd, rounds = 1000, 3

    async def one(client: Client, number: int) -> None:
        chance = random.Random(number)
        for turn in range(rounds):
            value = float(number * rounds + turn)
            if chance.random() < 0.1:
                refused = await client.ask([request(features(value))])
                assert refused.status == 422
            whole = request(features(0, value), *(BY_THE_APP if chance.random() < 0.1 else ()))
            cuts = sorted(chance.sample(range(1, len(whole)), chance.randrange(3)))
            answer = await client.ask([whole[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)])
            # √x of another client's x differs by more than float32 rounds.
            assert answer.said["prediction"] ** 2 == pytest.approx(value, rel=3e-7, abs=1e-6)

    async def everybody() -> None:
        async with clients(minutes.port, crowd) as connected:
            await asyncio.gather(*(one(client, number) for number, client in enumerate(connected)))

    asyncio.run(everybody())


def test_a_client_that_leaves_takes_nobody_with_it(minutes: Server) -> None:
    whole = request(features(3, 3))
    for part in (whole, whole[:-3], whole[:20]):
        exchange(minutes.port, part, answers=0)
    (answer,) = exchange(minutes.port, whole)
    assert answer.said["prediction"] == 3.0


def test_a_slow_model_answers_those_who_wait_together_and_the_rest_goes_on(tmp_path: Path) -> None:
    with serving_bundle(slow_regressor(tmp_path / "slow", rounds=100_000)) as server:

        async def everybody() -> list[Answer]:
            async with clients(server.port, 21) as (another, *asking):
                answers = asyncio.gather(
                    *(client.ask([request(features(i))]) for i, client in enumerate(asking))
                )
                alive = await another.ask([request(b"", path="/live", method="GET")])
                assert alive.status == 200
                assert not answers.done()
                return list(await answers)

        answers = asyncio.run(everybody())
        assert [answer.said["prediction"] for answer in answers] == list(range(20))


def test_a_slow_models_queue_is_bounded(tmp_path: Path) -> None:
    with serving_bundle(slow_regressor(tmp_path / "slow", rounds=300_000), "--max-waiting", "5") as server:

        async def everybody() -> list[Answer]:
            async with clients(server.port, 40) as asking:
                return list(
                    await asyncio.gather(*(c.ask([request(features(i))]) for i, c in enumerate(asking)))
                )

        answers = asyncio.run(everybody())
    refused = [answer for answer in answers if answer.status != 200]
    assert refused
    assert {(answer.status, answer.said["error"]["code"]) for answer in refused} == {(503, "SV020")}
    assert all(b"retry-after: 1" in answer.head for answer in refused)
    assert len(answers) - len(refused) >= 5  # the queue was full
    for i, answer in enumerate(answers):
        if answer.status == 200:
            assert answer.said["prediction"] == i


def test_a_request_that_begins_like_another_is_still_read_in_order(minutes: Server) -> None:
    """Behind an answered request waits half of a next one, whose body begins as a request would."""
    inner = request(features(0, 4))
    outer = request(inner)  # its body is no JSON, though it would be a request
    at = len(outer) - len(inner)
    answers = exchange(minutes.port, request(features(0, 9)) + outer[:at], outer[at:], answers=2)
    assert answers[0].said["prediction"] == 3.0
    assert (answers[1].status, answers[1].said["error"]["code"]) == (400, "RQ001")


@pytest.mark.parametrize("wrong", ["soon", "-1", "0", "1.5", ""])
def test_a_wrong_patience_is_told_whichever_way_the_request_goes(minutes: Server, wrong: str) -> None:
    header = f"x-request-timeout-ms: {wrong}"
    (quick,) = exchange(minutes.port, request(features(3, 3), header))
    (by_the_app,) = exchange(minutes.port, request(features(3, 3), header, *BY_THE_APP))
    assert quick.but_for_id_and_time == by_the_app.but_for_id_and_time


@pytest.mark.parametrize("value", [b"1e999", b'"\xff\xfe"', b"[1, {}]", b"NaN", b'"a note"'])
def test_what_the_contract_ignores_must_be_json_all_the_same(value: bytes, tmp_path: Path) -> None:
    contract = Contract(
        columns=(Number(name="x"),), target=Target(name="y", classes=("no", "yes")), ignored=("note",)
    )
    bundle = classifier(tmp_path / "noted", contract=contract, weights=TWO_CLASSES, name="noted")
    body = b'{"features": {"x": 1, "note": ' + value + b"}}"
    with serving_bundle(bundle) as server:
        (quick,) = exchange(server.port, request(body))
        (by_the_app,) = exchange(server.port, request(body, *BY_THE_APP))
    assert quick.but_for_id_and_time == by_the_app.but_for_id_and_time


def test_small_limits_hold_for_plain_requests_too(tmp_path: Path) -> None:
    limits = ["--max-body-bytes", "60", "--max-header-bytes", "300"]
    with serving_bundle(regressor(tmp_path / "minutes"), *limits) as server:
        (sound,) = exchange(server.port, request(features(3, 3)))
        (long,) = exchange(server.port, request(features(3, 3) + b" " * 60))
        (wide,) = exchange(server.port, request(features(3, 3), "x: " + "y" * 300))
    assert (sound.status, long.status, wide.status) == (200, 413, 431)
