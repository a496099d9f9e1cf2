"""`siklus sign`"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from siklus.bundle.sign import SigningKey, configured_key, read_password, read_signing_key, sign_bundle
from siklus.bundle.signatures import SIGNATURE_FILE, short
from siklus.bundle.write import digest_of
from siklus.cli.control import author, project_control
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.registered import registry_of, resolved
from siklus.papers.keys import Format, public_file, write_keys
from siklus.papers.model_signing import OPENSSF_FILE, sign_openssf
from siklus.project.file import OpenProject
from siklus.registry.journal import Entry, Journal, evidence_of

app = command_app()

SIGNATURE = "signature"  # the journal's word for it


class Signed(Struct, frozen=True, kw_only=True):
    """``version``: None for a bundle alone. ``key``: the id; ``signature``: the file that holds it."""

    bundle: str
    digest: str
    version: int | None
    key: str
    signature: str


@app.command()
def sign(
    which: Annotated[
        str | None,
        typer.Argument(metavar="VERSION", help="A number, a stage or `latest`.", show_default=False),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="A bundle's folder instead of a version.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="The private key; [sign] key by default.", show_default=False)
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="The file with the key's password.")
    ] = None,
    make: Annotated[
        Path | None,
        typer.Option("--make-key", metavar="NAME", help="Make a pair of keys, NAME and NAME.pub."),
    ] = None,
    form: Annotated[
        Format,
        typer.Option("--format", help="Into the bundle, or a file of OpenSSF Model Signing (an EC key)."),
    ] = "siklus",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=f"Of model-signing: {OPENSSF_FILE} by default.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Vouch for a sealed version with your key, or make a key to do so.

    The signature lies in the bundle and, of a version, in the registry too, so that it travels along.
    """
    if make is not None:
        return _make(make, form, password_file, as_json=as_json)
    if (which is None) == (bundle is None):
        raise typer.BadParameter("one of VERSION, --bundle and --make-key is needed")
    if form == "model-signing":
        if key is None:
            raise typer.BadParameter("the private EC key is needed", param_hint="--key")
        done = _openssf(_folder(which, bundle, project), key, password_file, out or Path(OPENSSF_FILE))
    elif bundle is not None:
        done = _sign_folder(bundle, _key(key, password_file, project))
    else:
        done = _sign_version(opened(project), which, _key(key, password_file, project))
    _show(done, as_json=as_json)
    return 0


def _make(private: Path, form: Format, password_file: Path | None, *, as_json: bool) -> int:
    made = write_keys(private, password=_password(password_file), form=form)
    public = public_file(private)
    if as_json:
        print_json({"private": str(private), "public": str(public), "key": made})
        return 0
    shown = results()
    shown.print(f"{private}: signs. Keep it to yourself, and out of the repository.", markup=False)
    shown.print(f"{public}: verifies. Hand it out; its id is {made}.", markup=False)
    if form == "siklus":
        shown.print(f'  [sign] key = "{private}"  and  [serve] trusted_keys = ["{public}"]', markup=False)
    return 0


def _password(file: Path | None) -> bytes | None:
    return None if file is None else read_password(file)


def _key(file: Path | None, password_file: Path | None, project: Path) -> SigningKey:
    if file is not None:
        return read_signing_key(file, password=_password(password_file))
    found = opened(project)
    configured = configured_key(found.settings.sign, root=found.paths.root)
    if configured is None:
        raise typer.BadParameter("a private key is needed, here or as [sign] key", param_hint="--key")
    return configured


def _folder(which: str | None, bundle: Path | None, project: Path) -> Path:
    if bundle is not None:
        return bundle
    found = opened(project)
    registry = registry_of(found)
    return registry.fetch(resolved(found, registry, which), found.paths.bundles)


def _sign_folder(bundle: Path, key: SigningKey) -> Signed:
    sign_bundle(bundle, key)
    return _signed(bundle, None, key)


def _sign_version(project: OpenProject, which: str | None, key: SigningKey) -> Signed:
    """Beside the signatures that others have left in the registry meanwhile; who did so is journaled."""
    registry = registry_of(project)
    version = resolved(project, registry, which)
    path = registry.fetch(version, project.paths.bundles)
    with project_control(project) as control:  # nobody signs what cannot be journaled
        registry.fetch_signatures(version, path)
        sign_bundle(path, key)
        registry.attach_signatures(version, path)
        done = _signed(path, version.number, key)
        if key.public.id not in version.signers:
            Journal(control, version.name).append(_entry(done))
    return done


def _entry(done: Signed) -> Entry:
    return Entry(
        time=datetime.now(UTC),
        kind=SIGNATURE,
        subject=f"version {done.version}",
        author=author(),
        text=f"version {done.version} is signed by {short(done.key)}",
        evidence=evidence_of(done),
    )


def _openssf(bundle: Path, key: Path, password_file: Path | None, out: Path) -> Signed:
    made = sign_openssf(bundle, key, password=_password(password_file), out=out)
    return Signed(bundle=str(bundle), digest=digest_of(bundle), version=None, key=made, signature=str(out))


def _signed(bundle: Path, version: int | None, key: SigningKey) -> Signed:
    return Signed(
        bundle=str(bundle),
        digest=digest_of(bundle),
        version=version,
        key=key.public.id,
        signature=str(bundle / SIGNATURE_FILE),
    )


def _show(done: Signed, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    what = done.bundle if done.version is None else f"Version {done.version}"
    results().print(f"{what} is signed by {short(done.key)}.", markup=False)
    results().print(f"→ {done.signature}", markup=False)
