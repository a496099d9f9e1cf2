"""`siklus package`"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from siklus.bundle.read import Bundle, open_bundle
from siklus.bundle.sign import configured_key, sign_bundle
from siklus.bundle.write import digest_of
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.registered import tracking_of
from siklus.data.sources import open_source
from siklus.project.sections import Data
from siklus.registry.versions import Version
from siklus.table import is_missing
from siklus.train.imported.model_file import open_model
from siklus.train.package import Errand, Sample, contents_of, seal_at
from siklus.train.register_package import register_package
from siklus.train.sealing import seal_among

app = command_app()


@app.command()
def package(
    file: Annotated[
        Path,
        typer.Argument(
            help="The model: .joblib, .pkl, .onnx, .json or .ubj (XGBoost), .txt (LightGBM), .pt."
        ),
    ],
    data: Annotated[Path, typer.Option("--data", help="Rows as the model takes them, with their outcomes.")],
    target: Annotated[str, typer.Option("--target", help="The column with the outcomes.")],
    name: Annotated[str, typer.Option("--name", help="What the bundle is called.")],
    test: Annotated[
        Path | None,
        typer.Option("--test", help="Rows to judge it by, which it was not fitted on.", show_default=False),
    ] = None,
    drop: Annotated[
        str, typer.Option("--drop", help="Columns of the data that it does not take, by commas.")
    ] = "",
    task: Annotated[
        Literal["classification", "regression"] | None,
        typer.Option("--task", help="Where neither the model nor the outcomes tell.", show_default=False),
    ] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle", help="Run what the file's maker put into it. Only for files you trust."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The bundle's folder; .siklus/bundles by default.", show_default=False
        ),
    ] = None,
    register: Annotated[bool, typer.Option("--register", help="Make it the project's next version.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Make a bundle of a model that you already have: proven, described, ready to be served."""
    now = datetime.now(UTC)
    errand = Errand(name=name, now=now, root=project, trigger="siklus package", source=str(data.absolute()))
    project_file = opened(project) if register else None
    model = open_model(file, trust_pickle=trust_pickle)
    gone = [target, *(column.strip() for column in drop.split(",") if column.strip())]
    contents = contents_of(
        model,
        _sample(data, target, gone),
        errand,
        task=task,
        test=_sample(test, target, gone) if test else None,
    )
    bundles = project_file.paths.bundles if project_file else project / ".siklus" / "bundles"
    path = seal_among(contents, bundles, now=now) if out is None else seal_at(contents, out, now=now)
    version = None
    bundle = open_bundle(path)
    if project_file is not None:
        signing = configured_key(project_file.settings.sign, root=project_file.paths.root)
        if signing is not None:
            sign_bundle(path, signing)
        version = register_package(
            bundle, model, errand, name=project_file.settings.project.name, tracking=tracking_of(project_file)
        )
    _show(bundle, version, as_json=as_json)
    return 0


def _sample(file: Path, target: str, gone: list[str]) -> Sample:
    """The rows that have an outcome."""
    read = open_source(Data(path=str(file.absolute()), target=target), directory=Path()).read().table
    labelled = read.take(~is_missing(read[target]))
    return Sample(labelled.drop(gone), labelled.select([target]))


def _show(bundle: Bundle, version: Version | None, *, as_json: bool) -> None:
    evidence: dict[str, Any] = bundle.document("evaluation.json")
    metrics = {metric: found["value"] for metric, found in evidence["evaluation"]["metrics"].items()}
    export = evidence["export"]
    if as_json:
        print_json(
            {
                "bundle": str(bundle.path),
                "digest": digest_of(bundle.path),
                "task": bundle.contract.task,
                "format": export["format"],
                "parity": export["parity"],
                "why": export["why"],
                "metrics": metrics,
                "judged_on": evidence["judged_on"],
                "version": version.number if version else None,
                "stage": version.stage if version else None,
            }
        )
        return
    rows = [(metric, f"{value:.4g}") for metric, value in metrics.items() if value is not None]
    results().print(f"Judged on {evidence['evaluation']['rows']:,} {evidence['judged_on']}:", markup=False)
    results().print(table("", ["metric", "value"], rows))
    sealed = f"Sealed as {export['format']}" + (f", because {export['why']}" if export["why"] else "")
    results().print(f"{sealed}: {bundle.path}", markup=False)
    if version is not None:
        results().print(f"Version {version.number} of {version.name}, {version.stage}.", markup=False)
    serving = "siklus serve" if version else f"siklus serve --bundle {bundle.path}"
    results().print(f"  {serving}", markup=False)
