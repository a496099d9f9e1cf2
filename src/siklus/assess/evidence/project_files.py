"""What stands in the project's folder: settings, contract, tests, files for pipelines and machines."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from siklus.assess.facts import Sighting, Trace
from siklus.contract.columns import parse_contract
from siklus.errors import ContractError
from siklus.project.file import FILE_NAME, OpenProject
from siklus.project.places import Key, find_places
from siklus.project.sections import Project

MOST_BYTES = 1_000_000  # of a file that is looked into
TESTS = ("tests/**/test_*.py", "test_*.py", "tests/**/*_test.py")
WORKFLOWS = (".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitlab-ci.yml", ".gitlab/ci/*.yml")
UPDATES = (
    *(".github/dependabot.yml", ".github/dependabot.yaml", "renovate.json", "renovate.json5"),
    *(".renovaterc", ".renovaterc.json", ".github/renovate.json", ".gitlab/renovate.json"),
)
IMAGES = ("deploy/docker/*Dockerfile", "Dockerfile", "*.Dockerfile", "Containerfile")
STACKS = (
    *("deploy/compose/compose.y*ml", "deploy/compose/docker-compose.y*ml", "compose.y*ml"),
    *("docker-compose.y*ml", "deploy/kubernetes/**/kustomization.yaml"),
)
METRICS = ("deploy/prometheus/*.y*ml", "deploy/**/prometheus.yml", "prometheus/*.y*ml")
COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
# A pipeline that only lints is none of a model's.
ABOUT_MODELS = re.compile(r"\bsiklus\b|\bpytest\b", re.ASCII)
BY_ITSELF = re.compile(
    r"^\s*(schedule|repository_dispatch)\s*:|\bCI_PIPELINE_SOURCE\b.*schedule", re.MULTILINE
)
TRAINS = re.compile(r"\bsiklus (ci|train|retrain)\b|--stage[ =]train\b")
LEAST_TRIALS = 10


def files_in(project: OpenProject) -> Iterator[Sighting]:
    """Of everything but the state directory."""
    root = project.paths.root
    yield from _settings(project)
    yield from _contract(project)
    yield from _first("tests-written", "tests of the project's own", _found(root, TESTS), root)
    yield from _first("updates-watched", "new versions of packages are told", _found(root, UPDATES), root)
    yield from _first("image-files", "an image's file", _found(root, IMAGES), root)
    yield from _first("stack-files", "a stack's file", _found(root, STACKS), root)
    yield from _first("metrics-files", "files for Prometheus", _found(root, METRICS), root)
    yield from _pipelines(root)


def _pipelines(root: Path) -> Iterator[Sighting]:
    """A file that begins by itself may train by another one that it names."""
    texts = {path: COMMENT.sub("", _text(path)) for path in _found(root, WORKFLOWS)}
    training = [path for path, text in texts.items() if TRAINS.search(text)]
    alone = [
        path
        for path, text in texts.items()
        if BY_ITSELF.search(text) and (path in training or any(each.name in text for each in training))
    ]
    own = [path for path, text in texts.items() if ABOUT_MODELS.search(text) or path in alone]
    yield from _first("workflow", "a pipeline's file", own, root)
    yield from _first("workflow-schedule", "a pipeline that trains by itself", alone, root)


def _settings(project: OpenProject) -> Iterator[Sighting]:
    """Only what somebody has decided: a default that nobody has written down configures nothing."""
    path = project.paths.root / FILE_NAME
    lines = find_places(path, _text(path), {}).lines
    for sign, key, said in _decided(project.settings, lines):
        yield _configured(sign, said, f"{FILE_NAME}:{lines.get(key, 1)}")


def _decided(settings: Project, lines: Mapping[Key, int]) -> Iterator[tuple[str, Key, str]]:
    gates = settings.gates
    for name in (*gates.bounds, *(["champion"] if gates.champion else [])):
        yield "gates-set", ("gates", name), f"[gates] {name}"
    if gates.slices:
        columns = ", ".join(gate.column for gate in gates.slices)
        yield "slices-set", ("gates", "slices"), f"[gates] slices by {columns}"
    elif settings.monitor.slices:
        yield "slices-set", ("monitor", "slices"), f"[monitor] slices by {', '.join(settings.monitor.slices)}"
    if ("train", "trials") in lines and settings.train.trials >= LEAST_TRIALS:
        yield "trials-set", ("train", "trials"), f"[train] trials = {settings.train.trials}"
    if ("retrain", "on") in lines and settings.retrain.on:
        yield "retrain-set", ("retrain", "on"), f"[retrain] on {', '.join(settings.retrain.on)}"
    if ("rollout",) in lines and settings.rollout.automatic:
        steps = ", ".join(str(step) for step in settings.rollout.steps)
        yield "rollout-set", ("rollout",), f"[rollout] by the steps {steps}"
    for name in settings.notify:
        yield "alerts-set", ("notify", name), f"[notify.{name}]"


def _contract(project: OpenProject) -> Iterator[Sighting]:
    path = project.paths.contract
    where = path.name
    try:
        contract = parse_contract(path.read_bytes(), where=where)
    except (OSError, ContractError):  # `siklus contract check` says what is wrong with it
        return
    yield _configured("contract", f"a contract of {len(contract.columns)} columns", where)
    sensitive = [column.name for column in contract.columns if column.sensitive]
    if sensitive:
        yield _configured("sensitive-set", f"never logged: {', '.join(sensitive)}", where)


def _found(root: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})


def _first(sign: str, said: str, paths: Sequence[Path], root: Path) -> Iterator[Sighting]:
    if paths:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield _configured(sign, said, f"{paths[0].relative_to(root)}{more}")


def _configured(sign: str, said: str, where: str) -> Sighting:
    return Sighting(sign, Trace(kind="configured", said=said, where=where))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
