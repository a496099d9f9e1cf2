"""Faults of a new version: one that fails on some rows, one that is slow, one that learnt nonsense."""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection

import msgspec

from siklus.bundle.golden import loaded_session
from siklus.bundle.manifest import ONNX_FILE
from siklus.bundle.session import ROWS_INPUT, OnnxSession
from siklus.contract.decode import decode_records
from siklus.contract.examples import example_row
from siklus.drill.broken_graphs import NoSurgery, direction, failing_graph, rounds_for, slow_graph
from siklus.drill.canaries import begin_canary, end_rollout
from siklus.drill.challengers import challenger
from siklus.drill.expectations import Expectation
from siklus.drill.faults import MAIL_SECONDS, Attempt, Fault, Injection, NotPossible, Scene
from siklus.drill.sandbox_settings import CANARY
from siklus.drill.traffic import Pace
from siklus.registry.versions import Version
from siklus.table import FloatRows

FAILING = 0.05  # share of the rows
SLOWER = 10  # times a request of the champion's
SLOWEST = 0.25  # seconds, however slow the champion is
MOST_REQUESTS = 6_000  # of all, until a challenger is out
ROLLED_BACK_SECONDS = 180.0
CALLS = 60
SINGLES = Pace(rows=1, pause=0.01, labels=False)  # each request is dealt to an arm as a whole


@contextmanager
def errors(scene: Scene) -> Iterator[Injection]:
    """A version whose graph cannot be run on some rows, in a canary."""
    rows, tried = _rows(scene), _tried_at_start(scene)
    model = _model(scene)
    try:
        hit = direction(rows, share=FAILING, never=tried)
        broken = failing_graph(model, task=scene.sandbox.champion.contract.task, hit=hit)
    except NoSurgery as exc:
        raise NotPossible(str(exc)) from exc
    version = _registered(scene, broken, about=f"fails on {FAILING:.0%} of the rows")
    yield Injection(
        told=f"version {version.number}, which fails on {hit.hits(rows).mean():.1%} of the rows, gets "
        f"{CANARY:.0%} of the requests",
        expects=_rolled_back("fails more often", version),
        strike=lambda: _start(scene, version),
        mend=lambda: end_rollout(scene),
    )


@contextmanager
def latency(scene: Scene) -> Iterator[Injection]:
    """A version that takes ten times as long, in a canary."""
    model, task = _model(scene), scene.sandbox.champion.contract.task
    row = _rows(scene)[:1]
    wanted = min(SLOWEST, SLOWER * _request_seconds(scene))
    try:
        rounds = rounds_for(
            lambda count: _seconds(scene, slow_graph(model, task=task, rounds=count), row), seconds=wanted
        )
        slow = slow_graph(model, task=task, rounds=rounds)
    except NoSurgery as exc:
        raise NotPossible(str(exc)) from exc
    version = _registered(scene, slow, about=f"takes {wanted * 1000:.0f} ms a row")
    yield Injection(
        told=f"version {version.number}, which takes {wanted * 1000:.0f} ms for a row, gets "
        f"{CANARY:.0%} of the requests",
        expects=_rolled_back("slow", version),
        strike=lambda: _start(scene, version),
        mend=lambda: end_rollout(scene),
    )


def _rolled_back(words: str, version: Version) -> tuple[Expectation, ...]:
    named = f"version {version.number}"
    return (
        Expectation(
            told=f"rolled back within {MOST_REQUESTS:,} requests: {words}",
            what="rollout",
            about=named,
            became=("rolled_back",),
            words=(words,),
            within=ROLLED_BACK_SECONDS,
            requests=MOST_REQUESTS,
        ),
        Expectation(
            told="journal: rollback",
            what="journal",
            about="rollback",
            words=(named,),
            within=ROLLED_BACK_SECONDS,
        ),
        Expectation(
            told="mail about the rollback",
            what="mail",
            words=("rolled back", named),
            within=ROLLED_BACK_SECONDS + MAIL_SECONDS,
        ),
    )


def _start(scene: Scene, version: Version) -> Sequence[Attempt]:
    scene.traffic.ask_about(scene.calm, SINGLES)
    return [begin_canary(scene, version)]


def _registered(scene: Scene, model: bytes, *, about: str) -> Version:
    sandbox = scene.sandbox
    return challenger(sandbox.project, sandbox.champion, about=about, now=datetime.now(UTC), model=model)


def _model(scene: Scene) -> bytes:
    champion = scene.sandbox.champion
    if champion.manifest.model != "onnx":
        raise NotPossible(f"the champion is no graph: it is served as {champion.manifest.model}")
    return (champion.path / ONNX_FILE).read_bytes()


def _rows(scene: Scene) -> FloatRows:
    return decode_records(list(scene.calm.instances), scene.sandbox.champion.contract).accepted().matrix


def _tried_at_start(scene: Scene) -> FloatRows:
    """What a server asks a bundle before it answers: one that failed there would get no request."""
    champion = scene.sandbox.champion
    instances = [*champion.document("golden.json")["instances"], example_row(champion.contract)]
    return decode_records(instances, champion.contract).accepted().matrix


def _seconds(scene: Scene, model: bytes, row: FloatRows) -> float:
    """The median of some calls."""
    champion = scene.sandbox.champion
    session = loaded_session(model, manifest=champion.manifest, contract=champion.contract)
    if not isinstance(session, OnnxSession) or session.inputs != [ROWS_INPUT]:
        raise NoSurgery("its graph reads more than a matrix of rows")
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        session.raw({ROWS_INPUT: row})
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _request_seconds(scene: Scene) -> float:
    """What most requests of the champion's take at most, as a caller sees it: the 90 % quantile."""
    connection = HTTPConnection("127.0.0.1", scene.sandbox.port, timeout=10)
    body = msgspec.json.encode({"features": scene.calm.instances[0]})
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        connection.request("POST", "/predict", body=body)
        connection.getresponse().read()
        taken.append(time.perf_counter() - began)
    connection.close()
    return sorted(taken)[int(0.9 * CALLS)]


FAULTS = (
    Fault(name="errors", about="a new version fails on 5 % of the rows", place="rollouts", prepare=errors),
    Fault(name="latency", about="a new version is ten times slower", place="rollouts", prepare=latency),
)
