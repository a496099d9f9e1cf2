"""Faults of machine and disk: a dead worker, a disk that takes nothing more, a bundle with a flipped bit."""

import os
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from siklus.bundle.manifest import read_manifest
from siklus.drill.canaries import begin_canary, end_rollout
from siklus.drill.challengers import challenger, registry_of
from siklus.drill.expectations import Expectation
from siklus.drill.faults import Attempt, Fault, Injection, NotPossible, Scene, alarm_expected, nothing_fails
from siklus.drill.traffic import Pace
from siklus.errors import SiklusError

LAST_OUTCOMES_SECONDS = 1.0  # in which those that are on their way arrive
REPLACED_SECONDS = 20.0
REFUSED_SECONDS = 60.0
ALARM_SECONDS = 60.0
GOES_ON_SECONDS = 15.0
CALM_SECONDS = 4.0  # in which no request may fail after all else was seen
STEADY = Pace(rows=1, pause=0.01)
UNLABELLED = Pace(rows=1, pause=0.005, labels=False)  # an outcome is refused where it cannot be kept


@contextmanager
def dead_worker(scene: Scene) -> Iterator[Injection]:
    """One of the workers is killed: who waits at its socket is answered by the next."""
    scene.traffic.ask_about(scene.calm, STEADY)
    number, pid = min(scene.sandbox.workers().items())

    def strike() -> Sequence[Attempt]:
        os.kill(pid, signal.SIGKILL)
        return ()

    yield Injection(
        told=f"kill -9 of worker {number}",
        expects=(
            Expectation(told="its death is noticed", what="worker", became=("dead",), within=5.0),
            Expectation(
                told="another takes its place", what="worker", became=("replaced",), within=REPLACED_SECONDS
            ),
            nothing_fails(CALM_SECONDS),
        ),
        strike=strike,
    )


@contextmanager
def full_disk(scene: Scene) -> Iterator[Injection]:
    """The workers can write nothing more, as on a full disk: for each of them it ends with EFBIG.

    A limit of the kernel's, which any user may set and lift again; nothing is mounted.
    """
    workers = list(scene.sandbox.workers().values())
    if not scene.settings.records.enabled or not hasattr(resource, "prlimit"):
        raise NotPossible("this system sets no limits on what a running process writes")
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in workers}
    scene.traffic.ask_about(scene.calm, UNLABELLED)
    time.sleep(LAST_OUTCOMES_SECONDS)

    def strike() -> Sequence[Attempt]:
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
        return ()

    def mend() -> Sequence[Attempt]:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        return [_log_goes_on(scene.sandbox.project.paths.records)]

    try:
        yield Injection(
            told="no worker can write any more",
            expects=(
                *alarm_expected("log_dropped", words=("log_dropped",), within=ALARM_SECONDS),
                nothing_fails(),
            ),
            strike=strike,
            mend=mend,
            afterwards=(
                Expectation(
                    told="with room again, the log goes on",
                    what="attempt",
                    became=("written",),
                    within=ALARM_SECONDS + 10 + GOES_ON_SECONDS,
                ),
            ),
            alarms=frozenset({"log_dropped"}),
        )
    finally:
        for pid, limits in before.items():
            if Path(f"/proc/{pid}").exists():
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextmanager
def corrupt_bundle(scene: Scene) -> Iterator[Injection]:
    """A bit of a version's model is flipped, wherever it is kept: nothing of it must ever answer."""
    sandbox = scene.sandbox
    made = challenger(
        sandbox.project, sandbox.champion, about="a bundle with a flipped bit", now=datetime.now(UTC)
    )
    scene.traffic.ask_about(scene.calm, STEADY)
    digest = made.digest or ""
    name = read_manifest(sandbox.project.paths.bundles / digest).model_file
    kept = [sandbox.project.paths.bundles / digest / name]
    kept += [
        path / name
        for path in sandbox.project.paths.artifacts.rglob("bundle")
        if (path / name).is_file() and (path / name).read_bytes() == kept[0].read_bytes()
    ]

    def strike() -> Sequence[Attempt]:
        for file in kept:
            flip_bit(file)
        try:
            registry_of(sandbox.project).fetch(made, sandbox.project.paths.bundles)
        except SiklusError as error:
            found = Attempt("refused", str(error))
        else:
            found = Attempt("taken", f"version {made.number} was brought here all the same")
        return [found, begin_canary(scene, made)]

    yield Injection(
        told=f"one bit of version {made.number} is flipped",
        expects=(
            Expectation(told="it is not brought here", what="attempt", became=("refused",), within=10.0),
            Expectation(
                told="a rollout of it is rolled back: it cannot be served",
                what="rollout",
                became=("rolled_back",),
                words=("cannot be served",),
                within=REFUSED_SECONDS,
            ),
            nothing_fails(CALM_SECONDS),
        ),
        strike=strike,
        mend=lambda: end_rollout(scene),
    )


def flip_bit(file: Path) -> None:
    """One bit in its middle; the file keeps its length and its times say nothing."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def _log_goes_on(records: Path) -> Attempt:
    began = time.monotonic()
    before = _size(records)
    while time.monotonic() - began < GOES_ON_SECONDS:
        if _size(records) > before:
            return Attempt("written", f"after {time.monotonic() - began:.1f} s")
        time.sleep(0.1)
    return Attempt("silent", f"nothing new in {GOES_ON_SECONDS:g} s")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


FAULTS = (
    Fault(
        name="corrupt-bundle",
        about="a version's bundle is damaged",
        place="serving",
        prepare=corrupt_bundle,
    ),
    Fault(name="dead-worker", about="a worker dies", place="serving", prepare=dead_worker),
    Fault(name="full-disk", about="the log cannot be written", place="serving", prepare=full_disk),
)
