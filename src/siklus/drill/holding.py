"""Holding a drill: sandboxes beside one another, in each its faults one after the other."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from siklus.bundle.read import Bundle
from siklus.bundle.write import digest_of
from siklus.drill.catalogue import by_place
from siklus.drill.expectations import Expectation, Sighting, find, is_over, result_of
from siklus.drill.faults import Attempt, Fault, Injection, NotPossible, Scene
from siklus.drill.gathering import gathered
from siklus.drill.report import DrillReport, FaultReport
from siklus.drill.sandbox import Sandbox, Stock, open_sandbox
from siklus.drill.sandbox_settings import changes, sandboxed
from siklus.drill.sink import open_sink
from siklus.drill.traffic import Pace, Traffic
from siklus.drill.watching import Moment, Watcher
from siklus.drill.world import World
from siklus.errors import SiklusError
from siklus.project.file import OpenProject

BESIDE = 2  # sandboxes at once: each has a server, a loop and now and then a training
LOOK_SECONDS = 0.5
CALM_SECONDS = 8.0  # of traffic as in training, before anything is done to it
CALM = Pace(rows=3, pause=0.02)
FIRST_LOOK_SECONDS = 30.0
BOARD = "watch.json"  # what the loop's first look leaves

Tell = Callable[[str, str], None]  # which fault, and what happens


class Interrupted(Exception):
    """The drill was told to end; whatever it has started ends now."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """``raw``: the project file with the environment's overrides. ``folder``: where sandboxes are made.

    ``timeout``: seconds that anything expected may take, instead of what each says itself.
    """

    project: OpenProject
    raw: Mapping[str, Any]
    champion: Bundle
    faults: Sequence[Fault]
    folder: Path
    tell: Tell
    timeout: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    # MLflow's client reads the environment, which is one for all threads.
    turn: threading.Lock = field(default_factory=threading.Lock)

    def waited(self, seconds: float) -> None:
        """Wait; Interrupted as soon as the drill is told to end."""
        if self.stop.wait(seconds):
            raise Interrupted


def hold(errand: Errand, *, now: datetime) -> DrillReport:
    """The whole drill. DrillError DR002 where there are no rows to send; all else that fails is missed."""
    began = time.monotonic()
    world, where = gathered(errand.champion, errand.project)
    errand.tell("", f"{len(world):,} {where}")
    stock = Stock.of(errand.project, errand.raw, errand.champion, folder=errand.folder / "store")
    with ThreadPoolExecutor(BESIDE, thread_name_prefix="drill") as pool:
        held = [pool.submit(_hold_place, errand, group, stock, world) for group in by_place(errand.faults)]
        try:
            # Not for as long as it takes at once: a signal may find another thread, and wakes nobody then.
            while wait(held, timeout=LOOK_SECONDS, return_when=FIRST_EXCEPTION).not_done:
                _raise_failures(held)
            reports = {report.name: report for future in held for report in future.result()}
        finally:
            errand.stop.set()
            _cancel(held)
    made = sandboxed(errand.raw, port=0, smtp="")
    return DrillReport(
        model=errand.project.settings.project.name,
        version=int(errand.champion.version) if errand.champion.version.isdigit() else 0,
        digest=digest_of(errand.champion.path),
        began=now,
        seconds=round(time.monotonic() - began, 1),
        changes=tuple(changes(errand.raw, made)),
        faults=tuple(reports[fault.name] for fault in errand.faults),
    )


def _raise_failures(held: Sequence[Future[list[FaultReport]]]) -> None:
    for future in held:
        if future.done():
            future.result()


def _cancel(held: Sequence[Future[list[FaultReport]]]) -> None:
    for future in held:
        future.cancel()


def _hold_place(errand: Errand, faults: Sequence[Fault], stock: Stock, world: World) -> list[FaultReport]:
    """All faults of one sandbox; where it cannot be opened, each of them is missed for that."""
    reports: list[FaultReport] = []
    try:
        with _scene(errand, faults[0].place, stock, world) as scene:
            for fault in faults:
                reports.append(_hold_fault(errand, fault, scene))
                errand.tell(fault.name, reports[-1].result)
    except SiklusError as error:
        missed = faults[len(reports) :]
        reports += [
            FaultReport(name=fault.name, injected="", result="missed", reason=str(error)) for fault in missed
        ]
    return reports


@contextmanager
def _scene(errand: Errand, place: str, stock: Stock, world: World) -> Iterator[Scene]:
    folder = errand.folder / place
    folder.mkdir()
    with ExitStack() as stack:
        sink = stack.enter_context(open_sink())
        with errand.turn:
            sandbox = stack.enter_context(open_sandbox(folder, stock, sink))
        traffic = Traffic(sandbox.port, world)
        traffic.ask_about(world, CALM)
        stack.enter_context(traffic.running())
        _wait_for_look(errand, sandbox)
        errand.waited(CALM_SECONDS)
        yield Scene(sandbox=sandbox, traffic=traffic, calm=world)


def _wait_for_look(errand: Errand, sandbox: Sandbox) -> None:
    until = time.monotonic() + FIRST_LOOK_SECONDS
    while not (sandbox.project.paths.run / BOARD).exists() and time.monotonic() < until:
        errand.waited(LOOK_SECONDS)


def _hold_fault(errand: Errand, fault: Fault, scene: Scene) -> FaultReport:
    errand.tell(fault.name, "prepared")
    with ExitStack() as stack:
        try:
            with errand.turn:
                injection = stack.enter_context(fault.prepare(scene))
        except NotPossible as exc:
            return FaultReport(name=fault.name, injected="", result="skipped", reason=str(exc))
        watcher = Watcher(scene.sandbox, scene.traffic, Moment.now(scene.traffic))
        fired = injection.alarms & watcher.before()
        if fired:
            reason = f"requests as in training raise {', '.join(sorted(fired))} already"
            return FaultReport(name=fault.name, injected=injection.told, result="skipped", reason=reason)
        errand.tell(fault.name, injection.told)
        return _struck(errand, fault, injection, watcher, scene)


def _struck(
    errand: Errand, fault: Fault, injection: Injection, watcher: Watcher, scene: Scene
) -> FaultReport:
    expects = [_hurried(each, errand.timeout) for each in injection.expects]
    afterwards = [_hurried(each, errand.timeout) for each in injection.afterwards]
    tried = _tried(injection.strike(), watcher)
    seen = [*watcher.see(), *tried]
    while not is_over(expects, seen, seconds=watcher.seconds):
        errand.waited(LOOK_SECONDS)
        seen = [*watcher.see(), *tried]
    requests, before, after = watcher.requests, watcher.moment.tally, scene.traffic.tally()
    seen += _tried(injection.mend(), watcher)
    scene.traffic.ask_about(scene.calm, CALM)
    findings = tuple(find(each, seen) for each in (*expects, *afterwards))
    moments = [finding.seconds for finding in findings if finding.met and finding.seconds is not None]
    return FaultReport(
        name=fault.name,
        injected=injection.told,
        result=result_of(findings),
        findings=findings,
        seconds=round(max(moments), 1) if moments else None,
        requests=requests,
        failed=after.failed - before.failed,
    )


def _tried(attempts: Sequence[Attempt], watcher: Watcher) -> list[Sighting]:
    return [
        Sighting(what="attempt", became=each.became, text=each.text, seconds=watcher.seconds)
        for each in attempts
    ]


def _hurried(expectation: Expectation, timeout: float | None) -> Expectation:
    if timeout is None or expectation.never:
        return expectation
    return msgspec.structs.replace(expectation, within=timeout)
