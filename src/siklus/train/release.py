"""The last step: seal the bundle, note the run in MLflow, and register the version if the gates hold."""

from pathlib import Path

import msgspec
import numpy as np

from siklus import __version__
from siklus.bundle.manifest import NATIVE_FILES, ONNX_FILE
from siklus.bundle.papers import Golden, Provenance
from siklus.bundle.read import cached, read_provenance
from siklus.bundle.sign import configured_key, sign_bundle
from siklus.bundle.write import Contents, digest_of
from siklus.project.file import FILE_NAME
from siklus.registry.stages import Stage
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import Run, Status, Tracking, Trial
from siklus.tracking.provenance import SourceState, environment_lock, source_state
from siklus.train.card import card
from siklus.train.champion import SplitNote
from siklus.train.estimator_files import keep_estimator
from siklus.train.results import Exported, Gated, Ingested, LeaderboardRow, Release, Results, Searched, leave
from siklus.train.sealing import GOLDEN_ROWS, reference_profile, seal_among, with_golden
from siklus.train.search import PRUNED
from siklus.train.setting import Setting

REJECTED = ("evaluation.json", "card.md", "pictures")  # of a bundle that is not registered: why it is not


def release(setting: Setting, results: Results, tracking: Tracking, draft: Path) -> str:
    """A version when every gate holds; otherwise a run in MLflow that shows why there is none.

    The first version of a project goes to production, since there is nothing that it could displace;
    any later one to staging, until someone (or a rollout) promotes it.
    """
    registry = Registry(tracking)
    champion = registry.holder(setting.name, "production")
    gated = results.of("gate", Gated)
    state = source_state(setting.opened.paths.root)
    made = _made_before(setting, results, registry)
    if made is not None:
        version, bundle = made
        leave(draft, _released(results, run_id=version.run_id or "", version=version, bundle=bundle))
        return f"version {version.number} of {setting.name}, {version.stage}, which was registered before"
    bundle = seal_bundle(setting, results, state, parent=champion)
    signing = configured_key(setting.opened.settings.sign, root=setting.opened.paths.root)
    if signing is not None and gated.passed:  # a server takes what is signed, so nothing else may be
        sign_bundle(bundle, signing)
    tags = {
        **(state.tags if state else {}),
        "siklus.passed": str(gated.passed).lower(),
        "siklus.trigger": setting.trigger,
    }
    name = f"train {setting.now:%Y-%m-%d %H:%M}"
    with tracking.run(experiment=setting.name, name=name, tags=tags, parent=setting.parent) as run:
        _note_run(run, setting, results, bundle)
        keep_estimator(run, results.model)
        registered: Version | None = None
        if gated.passed:
            stage: Stage = "production" if champion is None else "staging"
            defined = {name: value for name, value in _metrics(results).items() if value is not None}
            registered = registry.register(
                bundle, name=setting.name, run_id=run.id, metrics=defined, stage=stage
            )
        else:
            for paper in REJECTED:
                run.artifact(paper, bundle / paper)
    leave(draft, _released(results, run_id=run.id, version=registered, bundle=bundle))
    if registered is None:
        failed = ", ".join(gate.name for gate in gated.gates if not gate.passed)
        return f"nothing registered: {failed} does not hold; the run {run.id} shows it"
    signed = ", signed" if registered.signers else ""
    return f"version {registered.number} of {setting.name}, {registered.stage}{signed}"


def _made_before(setting: Setting, results: Results, registry: Registry) -> tuple[Version, Path] | None:
    """What this very training has registered, if it was killed before the step was finished, and its bundle.

    Known by its moment, which a training that goes on has from its beginning.
    """
    rows = results.of("ingest", Ingested).digest
    for version in registry.versions(setting.name):
        if version.data_digest != rows or version.digest is None:
            continue
        bundle = cached(version.digest, setting.opened.paths.bundles)
        if bundle is None or read_provenance(bundle).trained != setting.now.isoformat():
            continue
        if version.stage is None:
            stage: Stage = "staging" if registry.holder(setting.name, "production") else "production"
            return registry.promote(setting.name, str(version.number), stage), bundle
        return version, bundle
    return None


def seal_bundle(
    setting: Setting, results: Results, state: SourceState | None, *, parent: Version | None
) -> Path:
    """The sealed bundle under its digest; opened once, so that what is registered is known to answer."""
    exported = results.of("export", Exported)
    fitted = np.concatenate([results.parts.train, results.parts.valid])
    provenance = _provenance(setting, results, state, parent=parent)
    model_file = ONNX_FILE if exported.format == "onnx" else NATIVE_FILES[exported.format]
    contents = Contents(
        name=setting.name,
        contract=setting.contract,
        model=(results.directories["export"] / model_file).read_bytes(),
        model_format=exported.format,
        golden=Golden(instances=[], outputs=[]),
        provenance=provenance,
        profile=reference_profile(setting.contract, results.matrix[fitted], results.predictions),
        evaluation=_evidence(setting, results),
        pictures=results.pictures(),
        card=card(setting, results, provenance),
    )
    test = results.table.take(results.parts.test[:GOLDEN_ROWS])
    return seal_among(
        with_golden(contents, test, now=setting.now), setting.opened.paths.bundles, now=setting.now
    )


def _provenance(
    setting: Setting, results: Results, state: SourceState | None, *, parent: Version | None
) -> Provenance:
    ingested, searched = results.of("ingest", Ingested), results.of("search", Searched)
    return Provenance(
        siklus=__version__,
        trained=setting.now.isoformat(),
        model_kind=searched.candidate,
        triggered_by=setting.trigger,
        git_commit=state.commit if state else None,
        git_dirty=state.dirty if state else None,
        source=setting.origin.source if setting.origin else ingested.source,
        data_digest=ingested.digest,
        data_rows=ingested.rows,
        trained_rows=len(results.parts.train) + len(results.parts.valid),
        seed=setting.opened.settings.train.seed,
        parameters=searched.parameters,
        environment=environment_lock(),
        parent_version=str(parent.number) if parent else None,
        origin=setting.origin,
    )


def _evidence(setting: Setting, results: Results) -> dict[str, object]:
    """evaluation.json: what was measured, on which rows, what was tried, what had to hold."""
    return {
        "split": SplitNote.of(setting.opened.settings.data),
        "evaluation": results.evaluation,
        "search": results.of("search", Searched),
        "export": results.of("export", Exported),
        "gates": results.of("gate", Gated),
    }


def _note_run(run: Run, setting: Setting, results: Results, bundle: Path) -> None:
    """MLflow gets what a person looks for there: settings, figures, pictures, the data, each trial."""
    ingested, searched = results.of("ingest", Ingested), results.of("search", Searched)
    settings = setting.opened.settings
    run.tags({"siklus.bundle": digest_of(bundle), "siklus.data_digest": ingested.digest})
    run.parameters(
        {
            "candidate": searched.candidate,
            **{f"model.{key}": value for key, value in searched.parameters.items()},
            "metric": setting.metric,
            "split": results.parts.by,
            "trials": settings.train.trials,
            "seed": settings.train.seed,
        }
    )
    run.metrics(_metrics(results))
    run.dataset(setting.name, digest=ingested.digest, source=ingested.source, rows=ingested.rows)
    run.artifact("environment.json", msgspec.json.encode(read_provenance(bundle).environment))
    run.artifact("siklus.toml", setting.opened.paths.root / FILE_NAME)
    run.log_batch(_trial(trial, searched.metric) for trial in searched.trials)


def _trial(row: LeaderboardRow, metric: str) -> Trial:
    unfinished: Status = "KILLED" if row.why.startswith(PRUNED) else "FAILED"
    return Trial(
        name=f"{row.number} {row.candidate}",
        parameters={"candidate": row.candidate, **row.parameters},
        metrics={metric: row.score},
        status="FINISHED" if row.score is not None else unfinished,
        seconds=row.seconds,
        tags={"siklus.why": row.why} if row.why else {},
    )


def _metrics(results: Results) -> dict[str, float | None]:
    return {name: found.value for name, found in results.evaluation.metrics.items()}


def _released(results: Results, *, run_id: str, version: Version | None, bundle: Path) -> Release:
    gated, exported = results.of("gate", Gated), results.of("export", Exported)
    return Release(
        version=version.number if version else None,
        stage=version.stage if version else None,
        run_id=run_id,
        passed=gated.passed,
        gates=gated.gates,
        metrics=_metrics(results),
        parity=exported.parity,
        model=results.of("search", Searched).candidate,
        bundle=str(bundle),
        champion=gated.champion,
        signers=version.signers if version else (),
    )
