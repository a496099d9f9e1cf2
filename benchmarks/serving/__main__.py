"""`python -m benchmarks.serving`: the servers side by side; a table on stdout, or JSON."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sklearn
from rich.console import Console

from benchmarks.serving.batches import batches
from benchmarks.serving.case import Case, default_cache, open_case
from benchmarks.serving.clients import CLIENTS, installed_clients
from benchmarks.serving.contenders import (
    OWN,
    PEER_DIALECTS,
    PEERS,
    SIKLUS,
    environment_of,
    installed_peers,
    mark_installed,
    peer_contenders,
)
from benchmarks.serving.failures import BenchmarkError
from benchmarks.serving.figures import medians, ratios
from benchmarks.serving.load import LOADS, available
from benchmarks.serving.page import markdown
from benchmarks.serving.report import Report, tables, this_machine
from benchmarks.serving.rounds import Plan, Session, measure

OWN_SESSION = "own"
QUICK_CONTENDERS = (SIKLUS, "baseline", "constant")
QUICK_SECONDS = 34.0  # until no round is begun any more; starting and ending the servers needs the rest of 50
CONNECTIONS = (1, 16, 64)


def main(arguments: Sequence[str]) -> int:
    """0 when everything was measured; 1 with the reason on stderr when it could not be."""
    given = _parser().parse_args(arguments)
    started = time.monotonic()
    try:
        cache = given.cache or default_cache()
        if given.install:
            for peer in given.install:
                install(peer, cache)
            return 0
        report = run(given, cache, deadline=started + QUICK_SECONDS if given.quick else None)
    except BenchmarkError as error:
        sys.stderr.write(f"benchmarks.serving: {error}\n")
        return 1
    encoded = msgspec.json.encode(report)
    if given.output:
        given.output.write_bytes(encoded + b"\n")
    if given.json:
        sys.stdout.write(encoded.decode() + "\n")
    elif given.markdown:
        sys.stdout.write(markdown(report))
    else:
        Console(width=None if sys.stdout.isatty() else 110).print(tables(report))
    return 0


def run(given: argparse.Namespace, cache: Path, *, deadline: float | None) -> Report:
    """Everything that was asked for, session by session."""
    case = open_case(cache)
    sessions = _sessions(given, cache)
    rounds, standings, left_out = [], [], _left_out(given, cache)
    for number, session in enumerate(sessions):
        names = ", ".join(contender.name for contender in session.contenders)
        sys.stderr.write(f"session {number + 1} of {len(sessions)}: {names}\n")
        plan = _plan(given, case, full=session.name == OWN_SESSION and not given.quick, deadline=deadline)
        with tempfile.TemporaryDirectory(prefix="siklus-benchmark-") as scratch:
            seen = measure(session, plan, case=case, scratch=Path(scratch))
        rounds += seen.rounds
        standings += seen.standings
        left_out += seen.refusals
    figures = medians(rounds)
    return Report(
        ratios=ratios(figures, standings),
        taken=datetime.now(UTC),
        machine=this_machine(),
        load=given.load,
        rounds=given.rounds,
        seconds=given.seconds,
        figures=figures,
        standings=standings,
        left_out=left_out,
    )


def install(peer: str, cache: Path) -> None:
    """Into an environment of its own, with the scikit-learn that the pickle was made with."""
    environment = environment_of(peer, cache)
    script = PEERS / peer / "install.sh"
    requirement = f"scikit-learn=={sklearn.__version__}"
    sys.stderr.write(f"installing {peer} into {environment}\n")
    done = subprocess.run(
        ["/bin/sh", str(script), str(environment), requirement],
        env={**os.environ, "PYTHON": sys.executable},
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{script} failed")
    mark_installed(peer, cache)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="ours, BASELINE and the constant at c16, in 50 s"
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of tables")
    parser.add_argument("--markdown", action="store_true", help="a short table for a first page instead")
    parser.add_argument("--output", type=Path, help="write the JSON into this file as well")
    parser.add_argument("--rounds", type=int, default=3, help="of each server in each setting (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="of each round (%(default)s)")
    parser.add_argument(
        "--starts", type=int, default=2, help="of each server, for its start-up (%(default)s)"
    )
    parser.add_argument("--load", choices=LOADS, default=available(), help="what asks (%(default)s)")
    parser.add_argument(
        "--sessions",
        nargs="+",
        choices=[OWN_SESSION, *PEER_DIALECTS],
        metavar="SESSION",
        help=f"only these: {OWN_SESSION}, or a peer's name (all that are installed)",
    )
    parser.add_argument("--cache", type=Path, help="where the model and the peers are kept")
    parser.add_argument(
        "--install", nargs="+", choices=PEER_DIALECTS, metavar="PEER", help="install peers; no run"
    )
    return parser


def _sessions(given: argparse.Namespace, cache: Path) -> list[Session]:
    """Ours beside what needs nothing further, then beside each peer: idle peers are not always idle."""
    if given.quick:
        return [Session(name=OWN_SESSION, contenders=[OWN[name] for name in QUICK_CONTENDERS])]
    return [
        Session(
            name=name,
            contenders=list(OWN.values())
            if name == OWN_SESSION
            else [OWN[SIKLUS], *peer_contenders(name, cache)],
        )
        for name in given.sessions or [OWN_SESSION, *installed_peers(cache)]
    ]


def _plan(given: argparse.Namespace, case: Case, *, full: bool, deadline: float | None) -> Plan:
    """``full``: everything that only the first session of a whole run is asked."""
    return Plan(
        load=LOADS[given.load],
        connections=[16] if given.quick else CONNECTIONS,
        rounds=given.rounds,
        seconds=given.seconds,
        starts=given.starts,
        named_connections=[16] if full else [],
        clients=installed_clients() if full else [],
        batches=batches(case) if full else [],
        deadline=deadline,
    )


def _left_out(given: argparse.Namespace, cache: Path) -> list[str]:
    if given.quick:
        return ["peers, other settings: --quick"]
    peers = [peer for peer in PEER_DIALECTS if peer not in installed_peers(cache)]
    clients = [client for client in CLIENTS if client not in installed_clients()]
    wire = (
        []
        if given.load == "wrk"
        else ["wrk, so the load is a slower one of our own, and the ratios are smaller"]
    )
    return [
        *(f"{peer}: not installed (python -m benchmarks.serving --install {peer})" for peer in peers),
        *(f"{client}: not installed" for client in clients),
        *wire,
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
