"""`siklus deploy docker`"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from siklus.cli.deploy.drafted import ForceFlag, ToOption, put, usual
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json
from siklus.cli.registered import fetched
from siklus.deploy.drafts import Draft, compare, write
from siklus.deploy.images.docker import (
    DOCKERFILE,
    LOOP_DOCKERFILE,
    Building,
    docker_drafts,
    image_of,
    way_of_rows,
)
from siklus.deploy.images.released import BUNDLE, Released, put_bundle, released, restamped
from siklus.files import write_atomic
from siklus.project.file import OpenProject
from siklus.registry.publish import refuse_untrusted

app = command_app()

# Of [serve]: what a container decides by how it is run.
OF_THE_MACHINE = ("uds", "admin_port", "tls_certificate", "tls_key")


@app.command()
def docker(
    to: ToOption = None,
    which: Annotated[
        str | None,
        typer.Option(
            "--version",
            metavar="VERSION",
            help="What the image serves: a number, a stage, `latest`, or `trained`, which the last training "
            "here registered; production by default.",
        ),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="DIR", help="Or a sealed bundle, of no registry.")
    ] = None,
    bundle_only: Annotated[
        bool,
        typer.Option("--bundle-only", help="Put another version into files that are there, changed or not."),
    ] = False,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Copy [data] path into the loop's image, too.")
    ] = False,
    force: ForceFlag = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Dockerfiles of the server, with one version in it, and of the loop; the sealed bundle beside them."""
    if which is not None and bundle is not None:
        raise typer.BadParameter("one of --version and --bundle")
    found = opened(project)
    directory = to or usual(found, "docker")
    number, sealed = (None, bundle) if bundle is not None else _registered(found, which)
    values, manifest = released(sealed, number=number)
    if bundle_only:
        refuse_untrusted(found, sealed)
        return _put_bundle_only(sealed, directory, values, as_json=as_json)
    building = Building(directory=directory, with_data=with_data)
    drafts = docker_drafts(found, building, released=values, manifest=manifest)
    refuse_untrusted(found, sealed)  # or the server in the image would not start
    remarks = list(_remarks(found, directory, values, with_data=with_data))
    put(drafts, directory, force=force, remarks=remarks, as_json=as_json)
    _put_bundle(sealed, directory, values)
    return 0


def _registered(project: OpenProject, which: str | None) -> tuple[int, Path]:
    version, bundle = fetched(project, which)
    return version.number, bundle


def _put_bundle_only(bundle: Path, directory: Path, values: Released, *, as_json: bool) -> int:
    _put_bundle(bundle, directory, values)
    told = {"bundle": str(directory / BUNDLE), "version": values.version, "digest": values.bundle_digest}
    if as_json:
        print_json(told)
    else:
        sys.stdout.write(f"Version {values.version} is in {told['bundle']}.\n")
    return 0


def _put_bundle(bundle: Path, directory: Path, values: Released) -> None:
    """With what the Dockerfile says of it, also where a person has changed the rest of that file."""
    put_bundle(bundle, directory)
    dockerfile = directory / DOCKERFILE
    if dockerfile.is_file():
        text = restamped(dockerfile.read_text(encoding="utf-8"), values)
        _restamp(Draft(path=DOCKERFILE, text=text), directory)


def _restamp(draft: Draft, directory: Path) -> None:
    """Write it, and take it for our own only where the file was before."""
    (found,) = compare([draft], directory)
    if found.state in ("changed", "kept"):
        write_atomic(directory / draft.path, draft.text)
    else:
        write([found], directory, force=False)


def _remarks(project: OpenProject, directory: Path, values: Released, *, with_data: bool) -> Iterator[str]:
    image = image_of(project)
    settings = project.settings
    left_out = [name for name in OF_THE_MACHINE if getattr(settings.serve, name) is not None]
    if left_out:
        yield f"Left out: [serve] {', '.join(left_out)}, which a container is given when it is run."
    if not with_data:
        yield f"The loop's image holds no rows: {way_of_rows(project)}."
    yield f"Version {values.version} is in {directory / BUNDLE}. In {project.paths.root}:"
    here = directory.resolve().relative_to(project.paths.root.resolve())
    yield f"  docker build -f {here / DOCKERFILE} -t {image}:{values.version} ."
    yield f"  docker build -f {here / LOOP_DOCKERFILE} -t {image}-loop:{values.version} ."
    yield f"  docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 {image}:{values.version}"
