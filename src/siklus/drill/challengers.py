"""Challengers: versions of the sandbox's registry, made of its champion, sealed and opened as any other."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec

from siklus.bundle.papers import Golden
from siklus.bundle.read import Bundle
from siklus.bundle.write import Contents
from siklus.errors import DrillError
from siklus.project.file import OpenProject
from siklus.registry.stages import Stage
from siklus.registry.versions import Registry, Version
from siklus.tracking.mlflow import open_tracking
from siklus.train.sealing import seal_among

TRIGGER = "siklus drill"


def contents_like(bundle: Bundle, *, about: str) -> Contents:
    """What a bundle holds, to be sealed again; ``about`` tells it from the original."""
    manifest, path = bundle.manifest, bundle.path
    provenance = msgspec.structs.replace(bundle.provenance(), triggered_by=f"{TRIGGER}: {about}")
    return Contents(
        name=manifest.name,
        contract=bundle.contract,
        model=(path / manifest.model_file).read_bytes(),
        model_format=manifest.model,
        takes=manifest.takes,
        golden=msgspec.json.decode((path / "golden.json").read_bytes(), type=Golden),
        provenance=provenance,
        profile=bundle.profile(),
        evaluation=bundle.document("evaluation.json"),
        pictures={file.name: file.read_bytes() for file in sorted((path / "pictures").glob("*.png"))},
        card=(path / "card.md").read_text(encoding="utf-8"),
    )


def registry_of(project: OpenProject) -> Registry:
    """The sandbox's registry, made when it is new."""
    return Registry(open_tracking(project.settings.state.tracking_uri, paths=project.paths))


def register(project: OpenProject, bundle: Path, *, stage: Stage, about: str) -> Version:
    """Give a sealed bundle of the sandbox the next number."""
    tracking = open_tracking(project.settings.state.tracking_uri, paths=project.paths)
    name = project.settings.project.name
    with tracking.run(experiment=name, name=about) as run:
        return Registry(tracking).register(bundle, name=name, run_id=run.id, metrics={}, stage=stage)


def challenger(
    project: OpenProject, champion: Bundle, *, about: str, now: datetime, model: bytes | None = None
) -> Version:
    """A registered version that is the champion but for its graph, where ``model`` is another one."""
    contents = contents_like(champion, about=about)
    if model is not None:
        contents = replace(contents, model=model)
    bundle = seal_among(contents, project.paths.bundles, now=now)
    version = register(project, bundle, stage="staging", about=about)
    if version.digest is None:
        raise DrillError("DR004", f"{about}: it was registered without a digest", expected="Siklus' registry")
    return version
