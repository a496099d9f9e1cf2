"""`python -m siklus.serve --bundle PATH`: the server as a process of its own, without any of training."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from siklus.errors import SiklusError
from siklus.project.sections import Serve
from siklus.serve.plan import Plan
from siklus.serve.run import serve_bundle


def main(arguments: Sequence[str]) -> int:
    """Serve until stopped: 0; 2 on wrong usage or when the bundle cannot be served."""
    parser = argparse.ArgumentParser(prog="python -m siklus.serve", description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, help="directory of a sealed bundle")
    parser.add_argument("--version", help="its registered number; without it the start of its digest")
    # One option for each setting of [serve], so that neither has one that the other lacks.
    defaults = Serve()
    names = Serve.__struct_fields__
    for name in names:
        parser.add_argument(
            f"--{name.replace('_', '-')}", default=getattr(defaults, name), help="default: %(default)s"
        )
    given = parser.parse_args(arguments)
    try:
        settings = msgspec.convert({name: getattr(given, name) for name in names}, type=Serve, strict=False)
    except msgspec.ValidationError as exc:
        parser.error(str(exc))
    try:
        serve_bundle(Plan(serve=settings, bundle=given.bundle, version=given.version))
    except SiklusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
