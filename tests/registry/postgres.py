"""A PostgreSQL of the tests' own: on a Unix socket in a temporary directory, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRE = "SIKLUS_REQUIRE_SERVERS"  # set to 1, a missing server is a failure and no reason to skip
START_SECONDS = 60


def binaries() -> Path | None:
    """Where initdb and pg_ctl lie; Debian keeps them off the path."""
    found = shutil.which("pg_ctl")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of an empty database. Skips where PostgreSQL is not installed."""
    programs = binaries()
    if programs is None:
        reason = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)(reason)
    # A socket's path has at most 107 characters, and pytest's directories are long.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        user = _give_away(Path(folder))
        data = f"{folder}/data"
        run = [str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "siklus", "--no-sync", "-E", "UTF8"]
        subprocess.run(run, check=True, capture_output=True, user=user, cwd=folder)
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        control = [str(programs / "pg_ctl"), "-D", data, "-w", "-t", str(START_SECONDS)]
        start = [*control, "-l", f"{folder}/log", "-o", options, "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)
        try:
            yield f"postgresql://siklus@/postgres?host={folder}"
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)


def _give_away(folder: Path) -> int | None:
    """PostgreSQL refuses to run as root: the user to run it as, who then owns the folder."""
    if os.getuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, nobody, -1)
    return nobody
