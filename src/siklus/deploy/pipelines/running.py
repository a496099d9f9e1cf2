"""A pipeline run here: stage by stage, until one says no. What a machine has not, is left out and said."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias

from msgspec import Struct

from siklus.deploy.pipelines.stages import Stage, Words

Verdict: TypeAlias = Literal["yes", "no", "left out", "not reached"]
Which: TypeAlias = Callable[[str], str | None]

# The very Siklus that runs the pipeline, not another one on the path.
SIKLUS = (sys.executable, "-c", "import sys; from siklus.cli.main import main; sys.exit(main())")
GRACE_SECONDS = 30.0  # for a command that is told to end
ENGINES = ("docker", "podman")
SCANNERS = ("trivy", "grype")


class Ran(Struct, frozen=True, kw_only=True):
    """What became of a stage. ``why``: it was left out, or which command said no; empty otherwise."""

    stage: str
    verdict: Verdict
    why: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """Where commands run. ``remote``: whether stages that change what others use may be run; ``output``:
    where commands write, this process's own by default. ``told``: hears of each stage and of each command
    before it begins."""

    folder: Path
    environment: Mapping[str, str]
    remote: bool
    told: Callable[[Stage | Words], None]
    output: IO[str] | None = None
    which: Which = shutil.which


def lacking(stage: Stage, bench: Workbench) -> str:
    """Why a stage cannot be run here; empty when it can."""
    if stage.where == "remote" and not bench.remote:
        return "it changes what others use: --deploy"
    if stage.only_with is not None and not (bench.folder / stage.only_with).exists():
        return stage.without
    for made in stage.takes:
        if not (bench.folder / made.path).exists():
            return f"no {made.path}: `{made.by}` writes it"
    absent = [tool for tool in stage.tools if bench.which(tool) is None]
    return f"{', '.join(absent)} not installed here" if absent else ""


def run(stages: Sequence[Stage], bench: Workbench, *, undo: Words) -> tuple[Ran, ...]:
    """All stages, or as many as it takes until one says no.

    ``undo`` is run where that happens after something was deployed.
    """
    found: list[Ran] = []
    for stage in stages:
        if any(each.verdict == "no" for each in found):
            found.append(Ran(stage=stage.name, verdict="not reached"))
            continue
        ran = _ran(stage, bench)
        found.append(ran)
        if ran.verdict == "no" and _touched(stages, found):
            bench.told(undo)
            _call(undo, bench)
    return tuple(found)


def _touched(stages: Sequence[Stage], found: Sequence[Ran]) -> bool:
    # What could not even begin, for want of a program, has taken no time.
    begun = {each.stage for each in found if each.verdict in ("yes", "no") and each.seconds}
    return any(stage.name in begun for stage in stages if stage.name == "deploy")


def _ran(stage: Stage, bench: Workbench) -> Ran:
    why = lacking(stage, bench)
    if why:
        # Without its tools a stage that is needed would be a false yes; with nothing to do it is a true one.
        refused = stage.needed and why != stage.without and (stage.where == "here" or bench.remote)
        return Ran(stage=stage.name, verdict="no" if refused else "left out", why=why)
    bench.told(stage)
    begun = time.monotonic()
    failed = next(_failures(stage, bench), "")
    seconds = round(time.monotonic() - begun, 3)
    return Ran(stage=stage.name, verdict="no" if failed else "yes", why=failed, seconds=seconds)


def _failures(stage: Stage, bench: Workbench) -> Iterator[str]:
    for words in stage.commands:
        bench.told(words)
        code = _call(words, bench)
        if code != 0:
            yield f"`{' '.join(words)}` ended with {code}"


def _call(words: Words, bench: Workbench) -> int:
    """Its exit code. Whatever ends this process ends the command with it, in its own way."""
    command = (*SIKLUS, *words[1:]) if words[0] == "siklus" else words
    process = subprocess.Popen(command, cwd=bench.folder, env=dict(bench.environment), stdout=bench.output)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def engine_here(which: Which = shutil.which) -> str:
    """docker, but podman where that is here and docker's daemon does not answer: podman needs none."""
    docker, podman = ENGINES
    if which(podman) is None or (which(docker) is not None and _answers(docker)):
        return docker
    return podman


def scanner_here(which: Which = shutil.which) -> str:
    return next((name for name in SCANNERS if which(name) is not None), SCANNERS[0])


def _answers(engine: str) -> bool:
    try:
        done = subprocess.run(
            [engine, "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
