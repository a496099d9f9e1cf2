"""The process of one retraining, `python -m siklus.automation.retraining.process --project DIR --job N …`.

It holds `<state>/run/retraining.lock` as long as it lives, never touches the control database, and leaves
`<state>/retrainings/<N>/result.json`. Killed anywhere and started again, it goes on where it was: with the
moment and the rows of its beginning, so that finished steps are found again, and a version once only.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from threadpoolctl import threadpool_limits

from siklus.automation.replay.replay import ReplayQuestion, replay
from siklus.automation.replay.replayed import Replay, replay_refusal
from siklus.automation.retraining.assembling import Job, RowsNote, assembled, begin, forget_rows
from siklus.automation.retraining.judging import Contest, judge
from siklus.automation.retraining.retrained import (
    Judgement,
    Retrained,
    folder_of,
    lock_of,
    read_retrained,
    write_retrained,
)
from siklus.bundle.manifest import manifest_bytes
from siklus.bundle.read import Bundle, open_bundle, with_version
from siklus.errors import AutomationError, BundleError, FileError, SiklusError
from siklus.events import tell
from siklus.files import lock
from siklus.project.file import OpenProject, open_project
from siklus.records.layout import Layout
from siklus.registry.publish import trusted_by
from siklus.registry.versions import Registry
from siklus.tracking.mlflow import open_tracking
from siklus.train.results import Release
from siklus.train.run import CHAMPION, Training
from siklus.train.search import Trial
from siklus.train.setting import Setting, setting_of
from siklus.train.steps import Note, Planned, Span

NICE = 15  # so that a server's process always comes first
LOCKED = 2  # exit code where another process is at work, or the project file is broken
WAIT_SECONDS = 1.0  # between two looks whether another training has ended
LONGEST_WAIT = timedelta(hours=6)

NEAR = 0.7  # of the memory's limit: what did not fit any more may have been large

REPLAYED = timedelta(days=7)
REPLAYED_ROWS = 10_000  # drawn from them: of what fails for 0.1 % of rows, ten are seen


@dataclass(frozen=True, kw_only=True)
class Champion:
    """The version in production, as it was when the process began; of none both are None."""

    number: int | None
    bundle: Bundle | None


def retrain(job: Job, *, now: Callable[[], datetime]) -> Retrained:
    """Rows, a training, the verdict on what came of it. Nothing that goes wrong is lost: it is the result."""
    begun = job.begun
    ended = Retrained(
        number=job.number,
        trigger=begun.trigger,
        verdict="failed",
        reason="",
        began=begun.at,
        ended=begun.at,
    )
    try:
        found = _course(job, ended, now=now)
    except Exception as exc:  # noqa: BLE001 - the edge of the process: a job that says nothing is lost
        found = _failed(ended, exc, limit=job.opened.settings.retrain.memory_bytes)
    return msgspec.structs.replace(found, ended=now())


def _course(job: Job, ended: Retrained, *, now: Callable[[], datetime]) -> Retrained:
    champion = _champion(job.opened)
    ended = msgspec.structs.replace(ended, champion=champion.number)
    note = assembled(job, champion.bundle)
    ended = msgspec.structs.replace(ended, rows=note.taken, findings=note.findings)
    if note.taken is None:
        told = note.blocking.message if note.blocking else "nothing"
        reason = f"a bug in the labels, more likely than a new world: {told}"
        return msgspec.structs.replace(ended, verdict="refused", reason=reason)
    release = _trained(_setting(job, note), now=now)
    challenger = with_version(open_bundle(Path(str(release.bundle))), str(release.version))
    ended = msgspec.structs.replace(
        ended, version=release.version, bundle=Path(str(release.bundle)).name, gates=release.gates
    )
    contest = Contest(
        challenger=challenger, champion=champion.bundle, gates=release.gates, trigger=job.begun.trigger
    )
    judgement = judge(contest, opened=job.opened, now=now())
    verdict, reason = judgement.verdict, _reason(judgement)
    unservable = _unservable(job.opened, challenger)
    if unservable:
        verdict, reason = "refused", unservable
    replayed = None
    if verdict != "refused" and champion.bundle is not None:
        replayed = _replayed(job.opened, challenger, champion.bundle, now=now())
    if replayed is not None:
        factor = job.opened.settings.rollout.latency_factor
        against = replay_refusal(replayed, latency_factor=factor)
        verdict, reason = ("refused", f"replayed, {against}") if against else (verdict, reason)
    return msgspec.structs.replace(
        ended, verdict=verdict, reason=reason, judgement=judgement, replay=replayed
    )


def _champion(opened: OpenProject) -> Champion:
    uri = opened.settings.state.tracking_uri
    if uri is None and not opened.paths.tracking_database.is_file():
        return Champion(number=None, bundle=None)
    registry = Registry(open_tracking(uri, paths=opened.paths))
    version = registry.holder(opened.settings.project.name, CHAMPION)
    if version is None:
        return Champion(number=None, bundle=None)
    bundle = open_bundle(registry.fetch(version, opened.paths.bundles), version=str(version.number))
    return Champion(number=version.number, bundle=bundle)


def _setting(job: Job, note: RowsNote) -> Setting:
    opened = job.opened
    settings = msgspec.structs.replace(
        opened.settings,
        data=job.training_data(note),
        train=msgspec.structs.replace(opened.settings.train, jobs=1),
    )
    setting = setting_of(
        OpenProject(settings, opened.paths),
        now=job.begun.at,
        trigger=f"retraining {job.number}: {job.begun.trigger}",
        listen=_unheard,
    )
    return setting if note.taken is None else replace(setting, origin=job.origin(note.taken, note.source))


def _unheard(trial: Trial, of: int) -> None:
    """Nobody watches a trial of the loop's."""


def _trained(setting: Setting, *, now: Callable[[], datetime]) -> Release:
    """The release, once no `siklus train` is at work any more; FileError FS002 where that never ends."""
    until = now() + LONGEST_WAIT
    while True:
        try:
            release = Training(setting, span=Span()).run(told=_tell_step)
        except FileError as exc:
            if exc.code != "FS002" or now() >= until:
                raise
            time.sleep(WAIT_SECONDS)
            continue
        if release is None:
            raise AutomationError("AU055", "the training ended before its last step", expected="a release")
        return release


def _tell_step(item: Planned, note: Note | None) -> None:
    if note is not None:
        tell("step", step=item.step.name, verdict=item.verdict, summary=note.summary)


def _replayed(opened: OpenProject, challenger: Bundle, champion: Bundle, *, now: datetime) -> Replay | None:
    question = ReplayQuestion(since=now - REPLAYED, until=now, sample=REPLAYED_ROWS)
    try:
        found = replay(
            Layout(opened.paths.records), question, opened.settings, candidate=challenger, champion=champion
        )
    except AutomationError as exc:
        if exc.code not in ("AU070", "AU071"):  # the log lacks sensitive cells; nobody has asked anything
            raise
        return None
    return msgspec.structs.replace(found, farthest=(), groups={})  # a journal is no place for rows


def _unservable(opened: OpenProject, challenger: Bundle) -> str:
    """Why no server of the project would take it, or ""."""
    trusted = trusted_by(opened)
    if trusted is None:
        return ""
    try:
        trusted.refuse_untrusted(challenger.path, manifest_bytes(challenger.path))
    except BundleError as exc:
        return (
            f"the servers here take signed versions only: {exc}; [sign] key has trainings sign what they make"
        )
    return ""


def _reason(judgement: Judgement) -> str:
    return f"{judgement.reason}; {judgement.warning}" if judgement.warning else judgement.reason


def _bounded(memory_bytes: int | None) -> None:
    os.nice(NICE)
    threadpool_limits(1)
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _failed(ended: Retrained, exc: Exception, *, limit: int | None) -> Retrained:
    code, told = "AU055", f"{type(exc).__name__}: {exc}"
    if isinstance(exc, SiklusError):
        code, told = exc.code, str(exc)
    if isinstance(exc, MemoryError) or _is_full(limit):
        code, told = "AU054", f"it needs more memory than [retrain] memory_bytes = {limit}: {told}"
    return msgspec.structs.replace(ended, reason=told, code=code)


def _is_full(limit: int | None) -> bool:
    """Whether the process has come near the limit. Libraries say a lack of memory in many ways."""
    status = Path("/proc/self/status")
    if limit is None or not status.exists():
        return False
    [peak] = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmPeak")]
    return int(peak) * 1024 > NEAR * limit


def main(arguments: Sequence[str]) -> int:
    """0 once the result is there; 2 where another retraining is at work, or the project file is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m siklus.automation.retraining.process", description=__doc__
    )
    parser.add_argument("--project", type=Path, default=Path(), help="the project's folder")
    parser.add_argument("--job", type=int, required=True, help="its number")
    parser.add_argument("--trigger", default="asked", help="what began it")
    given = parser.parse_args(arguments)
    try:
        opened = open_project(given.project, environment=os.environ)
        with lock(lock_of(opened.paths), what="a retraining"):
            if read_retrained(opened.paths, given.job) is None:
                _bounded(opened.settings.retrain.memory_bytes)
                folder = folder_of(opened.paths, given.job)
                job = begin(opened, folder, number=given.job, trigger=given.trigger, now=_now())
                write_retrained(opened.paths, retrain(job, now=_now))
                forget_rows(job)
    except SiklusError as exc:
        tell("retraining_failed", level="error", code=exc.code, reason=str(exc))
        return LOCKED
    return 0


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
