"""`siklus smoke`"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from siklus.bundle.read import open_bundle
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results
from siklus.cli.registered import has_registry, opened_version
from siklus.deploy.pipelines.smoke import Sample, Service, Smoked, sample_of, smoke
from siklus.errors import DeployError, ProjectError, RegistryError
from siklus.project.shipping import ServiceUrl

app = command_app()

NO = 1
KEY = "SIKLUS_API_KEY"  # of the environment: pipelines keep secrets there
NOTHING_HERE = ("PJ001", "RG001")  # no project, no version: a service can be looked at from anywhere


@app.command(name="smoke")
def smoke_command(
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="Where the service answers; [deploy] url.", show_default=False),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Whose golden rows are asked; the project's production version's."),
    ] = None,
    health: Annotated[bool, typer.Option("--health", help="Ask no rows: ready is enough.")] = False,
    expect: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The version that must answer.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds until it must have passed.")] = 60.0,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", metavar="FILE", help=f"An API key, where the service asks for one; or {KEY}."
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Wait until a service is ready, ask it the golden rows, and compare. Exit code 1: it does not pass.

    Until the time is up it may answer with an older version: a new one takes a moment to be taken over.
    """
    service = Service(url=_checked(url, project), key=_key(key_file, os.environ))
    sample = None if health else _sample(bundle, project)
    found = smoke(service, sample, expect=expect, timeout=timeout)
    if as_json:
        print_json(found)
    else:
        results().print(told(found), markup=False)
    return 0 if found.passed else NO


def told(found: Smoked) -> str:
    if not found.passed:
        return f"{found.url} does not pass after {found.seconds:.1f} s: {found.why}"
    rows = "no rows were asked"
    if found.rows:
        rows = f"{found.rows} golden rows come out as sealed (farthest {found.farthest:.1g})"
    return f"{found.url} answers with version {found.version}: {rows}, after {found.seconds:.1f} s."


def _checked(url: str | None, project: Path) -> str:
    given = url if url is not None else opened(project).settings.deploy.url
    try:
        return msgspec.convert(given, ServiceUrl).rstrip("/")
    except msgspec.ValidationError as exc:
        wanted = "a URL such as https://flights.example.com, as an argument or as [deploy] url"
        raise DeployError("DP040", f"a service at {given!r}", expected=wanted) from exc


def _key(path: Path | None, environment: Mapping[str, str]) -> str | None:
    if path is None:
        where, key = KEY, environment.get(KEY, "").strip()
        if not key:
            return None
    else:
        where, key = str(path), _text(path)
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise DeployError("DP041", f"{where} holds no key", expected="one that `siklus keys add` has shown")
    return key


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise DeployError("DP041", f"{path} cannot be read: {exc}", expected="a key alone in a file") from exc


def _sample(bundle: Path | None, project: Path) -> Sample | None:
    if bundle is not None:
        return sample_of(open_bundle(bundle))
    try:
        found = opened(project)
        if has_registry(found):
            return sample_of(opened_version(found, None)[1])
        why = "there is no version here"
    except (ProjectError, RegistryError) as exc:
        if exc.code not in NOTHING_HERE:
            raise
        why = exc.message
    remarks().print(f"{why}, so no golden rows are asked: --bundle DIR names some", markup=False)
    return None
