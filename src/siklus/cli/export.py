"""`siklus export`"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from siklus.bundle.manifest import ONNX_FILE, read_manifest
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.registered import resolved, tracking_of
from siklus.errors import ExportError
from siklus.files import write_atomic
from siklus.project.file import OpenProject
from siklus.registry.versions import Registry, Version
from siklus.train.estimator_files import FORMATS, kept_estimator

app = command_app()


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.", show_default=False)],
    form: Annotated[
        Literal["onnx", "joblib", "joblib-gz", "pickle", "torch", "torch-model"],
        typer.Option(
            "--format",
            help="onnx: the served graph. joblib, joblib-gz, pickle: the fitted estimator. torch: its "
            "state_dict; torch-model: its whole module.",
        ),
    ] = "onnx",
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="A number, a stage or `latest`; production by default.",
            show_default=False,
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Write a version's model as a file, for whoever wants it elsewhere.

    ONNX takes decoded rows (`siklus contract export` says how), an estimator the same rows with its
    preparation, and a PyTorch network the prepared columns.
    """
    project_file = opened(project)
    tracking = tracking_of(project_file)
    registry = Registry(tracking)
    version = resolved(project_file, registry, which)
    if form == "onnx":
        content = _graph(project_file, registry, version)
    else:
        content = FORMATS[form](kept_estimator(tracking, version))
    write_atomic(out, content)
    if as_json:
        print_json({"format": form, "file": str(out), "bytes": len(content), "version": version.number})
    else:
        line = f"Version {version.number} of {version.name} as {form}: {out}, {len(content):,} bytes"
        results().print(line, markup=False)
    return 0


def _graph(project: OpenProject, registry: Registry, version: Version) -> bytes:
    bundle = registry.fetch(version, project.paths.bundles)
    sealed_as = read_manifest(bundle).model
    if sealed_as != "onnx":
        raise ExportError(
            "EX018",
            f"{version.name} version {version.number} is sealed as {sealed_as}, since ONNX does not hold it",
            expected="--format joblib, joblib-gz or pickle",
        )
    return (bundle / ONNX_FILE).read_bytes()
