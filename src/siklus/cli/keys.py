"""`siklus keys`"""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.serve.access.keys import add_key, read_keys, revoke_key
from siklus.serve.access.rate import rate_of, rate_text

app = command_app()

KeyName = Annotated[str, typer.Argument(help="Whose key it is.", show_default=False)]


@app.callback()
def keys() -> None:
    """Who may ask the server. Running servers follow within a second."""


@app.command()
def add(
    name: KeyName,
    rate: Annotated[
        str | None,
        typer.Option(metavar="N/s|N/m|N/h", help="At most so many requests.", show_default=False),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Make a key and show it: this once, since only its digest is kept."""
    per_second = None if rate is None else rate_of(rate)
    path = opened(project).paths.keys
    secret = add_key(path, name, per_second=per_second, now=datetime.now(UTC))
    if as_json:
        print_json({"name": name, "key": secret, "requests_per_second": per_second})
    else:
        print(secret)
        sys.stderr.write(f"This is the key of {name}; it cannot be shown again.\n")
    return 0


@app.command(name="list")
def list_keys(project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """Show whose keys there are; not the keys, which nobody has kept."""
    found = read_keys(opened(project).paths.keys)
    if as_json:
        shown = [
            {"name": key.name, "created": key.created, "requests_per_second": key.requests_per_second}
            for key in found or ()
        ]
        print_json({"keys": shown, "asked_for": found is not None})
    elif found is None:
        results().print("No key was ever added: who reaches the server may ask.", markup=False)
    elif not found:
        results().print("No key is left: nobody may ask.", markup=False)
    else:
        rows = [
            (
                key.name,
                f"{key.created:%Y-%m-%d %H:%M}",
                "any" if key.requests_per_second is None else rate_text(key.requests_per_second),
            )
            for key in found
        ]
        results().print(table("", ["name", "created", "rate"], rows))
    return 0


@app.command()
def revoke(name: KeyName, project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """Take a key away, for good."""
    path = opened(project).paths.keys
    left = revoke_key(path, name)
    if as_json:
        print_json({"revoked": name, "left": [key.name for key in left]})
    else:
        sys.stderr.write(f"The key of {name} is revoked.\n")
        if not left:
            sys.stderr.write(f"No key is left, so nobody may ask; without {path} keys are not asked for.\n")
    return 0
