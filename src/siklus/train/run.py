"""`train`: the nine steps, planned, then carried out."""

from pathlib import Path

import siklus
from siklus.data.sources import open_source
from siklus.files import lock
from siklus.registry.stages import Stage
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import Tracking, open_tracking
from siklus.train.learn import check_contract, ingest, prepare, search_models, split_rows
from siklus.train.own import own_source
from siklus.train.prove import evaluate_model, export_model, gate_model
from siklus.train.release import release
from siklus.train.results import Release, Results
from siklus.train.setting import Setting
from siklus.train.steps import Span, Step, Told, carry_out, digest_of_code, plan

CHAMPION: Stage = "production"
# What a training's result depends on; the command line and the server may change without training anew.
CODE = ("contract", "data", "features", "stats", "train")


class Training:
    """A planned training. ``planned`` are its steps with what would run and why; `run` carries them out."""

    def __init__(self, setting: Setting, *, span: Span) -> None:
        self.setting = setting
        self._directories: dict[str, Path] = {}
        paths = setting.opened.paths
        self.results = Results(self._directories, snapshots=paths.snapshots, contract=setting.contract)
        self.planned = plan(self._steps(), root=paths.steps, code=_code(), span=span)
        self._directories.update({item.step.name: item.directory for item in self.planned})

    def run(self, *, told: Told) -> Release | None:
        """The release, or None when the span ends before it. FileError FS002 while another training runs."""
        with lock(self.setting.opened.paths.lock, what="a training"):
            carry_out(self.planned, told=told)
        return self.results.of("register", Release) if "register" in self._directories else None

    def _steps(self) -> list[Step]:
        setting, results = self.setting, self.results
        settings, data = setting.opened.settings, setting.opened.settings.data
        source = open_source(data, directory=setting.opened.paths.root)
        own = {name: own_source(name, root=setting.opened.paths.root).hex() for name in settings.train.candidates}
        # Only a gate against the champion needs to know it; asking MLflow takes seconds.
        champion = self._champion() if settings.gates.champion else None
        judged_against = champion[0].digest if champion else None

        return [
            Step(
                name="ingest",
                about="read the source and keep a snapshot",
                settings=[data, source.fingerprint()],
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
                settings=[data.split, data.key],
                work=lambda to: split_rows(setting, results, to),
            ),
            Step(name="prepare", about="decode to float32 rows", settings=[], work=lambda to: prepare(setting, results, to)),
            Step(
                name="search",
                about="try candidates, choose one, fit it",
                settings=[settings.train, own],
                work=lambda to: search_models(setting, results, to),
            ),
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
                settings=[settings.gates, judged_against],
                work=lambda to: gate_model(setting, results, champion, to),
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
        """Someone may have cleared the registry; only a local one can be asked without waiting for MLflow."""
        paths, uri = self.setting.opened.paths, self.setting.opened.settings.state.tracking_uri
        return directory.is_dir() and (uri is not None or paths.tracking_database.is_file())

    def _champion(self) -> tuple[Version, Path] | None:
        registry = Registry(self._tracking())
        version = registry.holder(self.setting.name, CHAMPION)
        return None if version is None else (version, registry.fetch(version, self.setting.opened.paths.bundles))

    def _tracking(self) -> Tracking:
        return open_tracking(self.setting.opened.settings.state.tracking_uri, paths=self.setting.opened.paths)


def _code() -> str:
    package = Path(siklus.__file__).parent
    return digest_of_code([package / name for name in CODE])


