"""`train`: the nine steps, planned, then carried out."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from siklus.bundle.read import Bundle, open_bundle
from siklus.bundle.sign import configured_key
from siklus.data.sources import open_source
from siklus.files import lock
from siklus.project.sections import Split
from siklus.registry.stages import Stage
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import Tracking, open_tracking
from siklus.train.learn import check_contract, ingest, prepare, search_models, split_rows
from siklus.train.own import own_source
from siklus.train.prove import evaluate_model, export_model, gate_model
from siklus.train.release import release
from siklus.train.results import Release, Results, read_result
from siklus.train.setting import Setting
from siklus.train.steps import Planned, Span, Step, Told, carry_out, digest_of_code, plan

CHAMPION: Stage = "production"
# What a training's result depends on; the command line and the server may change without training anew.
CODE = ("contract", "data", "features", "stats", "train")
# A model of one version of these is not promised to be read, or to answer the same, in another.
LIBRARIES = (
    "duckdb",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxruntime",
    "optuna",
    "scikit-learn",
    "scipy",
    "skl2onnx",
    "skops",
    "torch",
    "xgboost",
    "xgboost-cpu",
)


class Training:
    """A planned training. ``planned`` are its steps with what would run and why; `run` carries them out."""

    def __init__(self, setting: Setting, *, span: Span) -> None:
        self.setting = setting
        self._directories: dict[str, Path] = {}
        paths, settings = setting.opened.paths, setting.opened.settings
        self.results = Results(self._directories, paths=paths)
        self._source = open_source(settings.data, directory=paths.root)
        self._fingerprint = self._source.fingerprint()
        self._code = _code()
        self._champion = self._find_champion() if settings.gates.champion else None
        self.planned = self._plan(span, self._judged_against())
        self._directories.update({item.step.name: item.directory for item in self.planned})

    def run(self, *, told: Told) -> Release | None:
        """The release, or None when the span ends before it. FileError FS002 while another training runs.

        TrainError TN002 or MissingExtra, before any step, for a candidate that could not be made later.
        """
        # A key that does not open is said before hours are spent, not after.
        configured_key(self.setting.opened.settings.sign, root=self.setting.opened.paths.root)
        with lock(self.setting.opened.paths.lock, what="a training"):
            if any(item.step.name == "search" and item.verdict == "run" for item in self.planned):
                for candidate in self.setting.candidates:
                    candidate.build(self.setting.question, candidate.first)
            carry_out([self._looked_after(item) for item in self.planned], told=told)
            return self._release()

    def _looked_after(self, item: Planned) -> Planned:
        """A version that someone has deleted is registered anew. Planning does not ask: MLflow takes long."""
        made = read_result(item.directory, Release) if item.step.name == "register" else None
        if item.verdict == "run" or made is None or made.version is None or self._version(made.version):
            return item
        return replace(item, verdict="run", why="its version is gone")

    def _release(self) -> Release | None:
        if "register" not in self._directories:
            return None
        made = self.results.of("register", Release)
        # It may have been promoted since.
        version = None if made.version is None else self._version(made.version)
        return made if version is None else msgspec.structs.replace(made, stage=version.stage)

    def _version(self, number: int) -> Version | None:
        versions = Registry(self._tracking()).versions(self.setting.name)
        return next((version for version in versions if version.number == number), None)

    def _plan(self, span: Span, against: str | None) -> list[Planned]:
        steps = [*self._learning(), *self._proving(against)]
        return plan(steps, root=self.setting.opened.paths.steps, code=self._code, span=span)

    def _learning(self) -> Sequence[Step]:
        setting, results, source = self.setting, self.results, self._source
        settings, root = setting.opened.settings, setting.opened.paths.root
        data = msgspec.structs.replace(settings.data, split=Split())  # which the third step reads
        # However many processes there are, the result is the same.
        train = msgspec.structs.replace(settings.train, jobs=1)
        own = {name: own_source(name, root=root).hex() for name in train.candidates}
        return [
            Step(
                name="ingest",
                about="read the source and keep a snapshot",
                settings=[data, self._fingerprint],
                work=lambda to: ingest(setting, source, to),
            ),
            Step(
                name="check",
                about="hold every row against the contract",
                settings=setting.contract,
                work=lambda to: check_contract(setting, results, to),
            ),
            Step(
                name="split",
                about="decide which rows train, choose and judge",
                settings=[settings.data.split, data.key],
                work=lambda to: split_rows(setting, results, to),
            ),
            Step(
                name="prepare",
                about="decode to float32 rows",
                settings=[],
                work=lambda to: prepare(setting, results, to),
            ),
            Step(
                name="search",
                about="try candidates, choose one, fit it",
                settings=[train, own],
                work=lambda to: search_models(setting, results, to),
            ),
        ]

    def _proving(self, against: str | None) -> Sequence[Step]:
        setting, results = self.setting, self.results
        settings = setting.opened.settings
        return [
            Step(
                name="evaluate",
                about="measure it on the test rows",
                settings=[gate.column for gate in settings.gates.slices],
                work=lambda to: evaluate_model(setting, results, to),
            ),
            Step(
                name="export",
                about="write it as ONNX and prove the two equal",
                settings=[],
                work=lambda to: export_model(setting, results, to),
            ),
            Step(
                name="gate",
                about="hold the measures against [gates]",
                settings=[settings.gates, against],
                work=lambda to: gate_model(setting, results, self._champion_bundle(), to),
            ),
            Step(
                name="register",
                about="seal the bundle, note the run in MLflow, register",
                settings=[settings.project, settings.state],
                work=lambda to: release(setting, results, self._tracking(), to),
                holds=self._still_registered,
            ),
        ]

    def _still_registered(self, directory: Path) -> bool:
        """Someone may have cleared a local registry away."""
        return directory.is_dir() and self._has_registry()

    def _has_registry(self) -> bool:
        uri = self.setting.opened.settings.state.tracking_uri
        return uri is not None or self.setting.opened.paths.tracking_database.is_file()

    def _find_champion(self) -> Version | None:
        # Asking MLflow takes seconds, and would make its database: a plan writes nothing.
        if not self._has_registry():
            return None
        return Registry(self._tracking()).holder(self.setting.name, CHAMPION)

    def _judged_against(self) -> str | None:
        """The champion's digest; or, if these very inputs made the champion, what it was gated against.

        Otherwise a training that nothing has changed for would be gated against its own result.
        """
        if self._champion is None:
            return None
        for directory in self.setting.opened.paths.steps.glob("register-*"):
            made = read_result(directory, Release)
            if made is None or made.bundle is None or Path(made.bundle).name != self._champion.digest:
                continue
            if self._plan(Span(), made.champion)[-1].directory == directory:
                return made.champion
        return self._champion.digest

    def _champion_bundle(self) -> Bundle | None:
        if self._champion is None:
            return None
        bundles = self.setting.opened.paths.bundles
        return open_bundle(Registry(self._tracking()).fetch(self._champion, bundles))

    def _tracking(self) -> Tracking:
        return open_tracking(self.setting.opened.settings.state.tracking_uri, paths=self.setting.opened.paths)


def _code() -> str:
    package = Path(__file__).parents[1]
    versions = [f"python {platform.python_version()}", *(f"{name} {_version(name)}" for name in LIBRARIES)]
    return digest_of_code([package / name for name in CODE], versions=versions)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "is not installed"
