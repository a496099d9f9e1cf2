"""`siklus verify`"""

from pathlib import Path
from typing import Annotated

import typer

from siklus.bundle.signatures import TrustedKeys, read_trusted
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.registered import registry_of, resolved
from siklus.errors import BundleError, RegistryError
from siklus.papers.verifying import Check, Verified, verified
from siklus.registry.publish import trusted_by

app = command_app()


@app.command()
def verify(
    what: Annotated[
        str,
        typer.Argument(
            metavar="BUNDLE|VERSION", help="A bundle's folder, or a version: a number, a stage or `latest`."
        ),
    ],
    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="A public key that must have signed it; repeatable: one of them is enough.",
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Check a bundle: its files, its model's golden rows, and who has signed it.

    Exit code 1 if anything fails. Of a version, [serve] trusted_keys are asked for where no --key is given.
    """
    keys = read_trusted([str(file) for file in key or ()], root=Path())
    folder = Path(what)
    found = verified(folder, keys=keys) if folder.is_dir() else _version(what, project, keys)
    if as_json:
        print_json({"holds": found.holds, **_document(found)})
    else:
        _show(found)
    return 0 if found.holds else 1


def _version(which: str, project: Path, keys: TrustedKeys | None) -> Verified:
    """The version's bundle, as the registry has it."""
    project_file = opened(project)
    registry = registry_of(project_file)
    version = resolved(project_file, registry, which)
    try:
        path = registry.fetch(version, project_file.paths.bundles)
    except (BundleError, RegistryError) as error:
        told = Check(name="registry", holds=False, told=error.message, code=error.code)
        return Verified(bundle=f"{version.name} version {version.number}", digest=None, checks=(told,))
    return verified(path, keys=keys or trusted_by(project_file))


def _document(found: Verified) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _show(found: Verified) -> None:
    shown = results()
    shown.print(found.bundle, markup=False)
    rows = [("holds" if check.holds else "FAILS", check.name, check.told) for check in found.checks]
    shown.print(table("", ["", "", ""], rows))
