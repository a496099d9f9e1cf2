"""`python -m siklus.serve --bundle PATH`: the server as processes of its own, without any of training."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from siklus.errors import SiklusError
from siklus.extras import need
from siklus.project.sections import Records, Serve
from siklus.serve.options import add_options, section_of


def main(arguments: Sequence[str]) -> int:
    """Serve until stopped: 0; 1 if something was cut off then; 2 on wrong usage or for nothing to serve."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        serve, records = section_of(Serve, given), section_of(Records, given)
    except msgspec.ValidationError as exc:
        parser.error(str(exc))
    if given.bundle is None and given.state is None:
        parser.error("one of --bundle and --state is needed: what is to answer?")
    if given.run is not None and given.state is None:
        parser.error("--run is for a server that shares its --state with others")
    # numpy's algebra would start a thread a core when it is imported; processes with threads should not
    # fork, and nothing here multiplies matrices: the models have their own way to.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    plan = need("siklus.serve.plan").Plan(
        serve=serve,
        records=records,
        bundle=given.bundle,
        version=given.version,
        state=given.state,
        run=given.run,
    )
    companions = [shlex.split(command) for command in given.companion]
    try:
        return int(need("siklus.serve.supervision.starting").start(plan, companions=companions))
    except SiklusError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m siklus.serve", description=__doc__)
    parser.add_argument("--bundle", type=Path, help="directory of a sealed bundle")
    parser.add_argument(
        "--version",
        default=os.environ.get("SIKLUS_VERSION"),
        help="its registered number; by default $SIKLUS_VERSION, or the start of its digest",
    )
    parser.add_argument("--state", type=Path, help="state directory: the log, counters, the traffic policy")
    parser.add_argument(
        "--run",
        type=Path,
        help="where it counts, if other servers share the state; without it `run` in there",
    )
    parser.add_argument(
        "--companion", action="append", default=[], help="a command that runs beside the server; repeatable"
    )
    add_options(parser, Serve())
    add_options(parser, Records())
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
