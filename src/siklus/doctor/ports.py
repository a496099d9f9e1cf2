"""Ports: whether the server's can be had, and who has them."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble, unknown
from siklus.project.file import OpenProject

PROC = Path("/proc")
LISTENS = "0A"  # a socket's state in /proc/net/tcp
FIRST_FREE = 1024  # below it ports are for root

Held: TypeAlias = Literal["free", "taken", "forbidden", "foreign", "unknown"]


class Holder(Struct, frozen=True, kw_only=True):
    """A process by its number and command line. ``ours``: a server of this very project."""

    pid: int
    command: str
    ours: bool


class Port(Struct, frozen=True, kw_only=True):
    """``key``: where it stands in siklus.toml. ``held``: `foreign` for an address of another machine."""

    key: str
    host: str
    port: int
    held: Held
    holder: Holder | None = None


def judge_port(port: Port) -> Finding:
    where = f"{port.host}:{port.port}"
    about = f"port {port.port}"
    match port.held:
        case "free":
            return ok(about, f"{where} ({port.key}) is free")
        case "taken" if port.holder is not None and port.holder.ours:
            return ok(about, f"{where} ({port.key}) is this project's server, process {port.holder.pid}")
        case "taken":
            who = "somebody that cannot be seen from here"
            if port.holder is not None:
                who = f"process {port.holder.pid}: {port.holder.command}"
            cure = f"another {port.key} in siklus.toml, or end that process"
            return trouble(about, f"{where} ({port.key}) is taken by {who}", mend=cure)
        case "forbidden":
            cure = f"{port.key} = {FIRST_FREE} or above, behind a proxy that has the low port"
            return trouble(about, f"{where} ({port.key}) is not for this user", mend=cure)
        case "foreign":
            return trouble(
                about,
                f"{port.host} ({port.key}) is no address of this machine",
                mend='host = "127.0.0.1" for this machine alone, "0.0.0.0" for all its addresses',
            )
        case "unknown":
            return unknown(about, f"{where} ({port.key}) could not be tried")


def check_ports(_case: Case, project: OpenProject) -> Sequence[Finding]:
    serve = project.settings.serve
    found = []
    if serve.uds is not None:
        found.append(_unix_socket(project.paths.root / serve.uds))
    elif serve.port == 0:
        found.append(note("port", "[serve] port = 0: a free one each time, which the log names"))
    else:
        found.append(judge_port(look_at(project, "[serve] port", serve.host, serve.port)))
    if serve.admin_port:
        admin = look_at(project, "[serve] admin_port", serve.admin_host, serve.admin_port)
        found.append(judge_port(admin))
    return found


def look_at(project: OpenProject, key: str, host: str, port: int) -> Port:
    """Try to have the port, and let it go at once."""
    held = _held(host, port)
    holder = _holder(port, state=project.paths.state) if held == "taken" else None
    return Port(key=key, host=host, port=port, held=held, holder=holder)


def _held(host: str, port: int) -> Held:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as tried:
            # As the server does: a port whose last connections are still ending is free.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as exc:
        known: dict[int | None, Held] = {
            errno.EADDRINUSE: "taken",
            errno.EACCES: "forbidden",
            errno.EADDRNOTAVAIL: "foreign",
        }
        return known.get(exc.errno, "foreign" if isinstance(exc, socket.gaierror) else "unknown")
    return "free"


def _holder(port: int, *, state: Path) -> Holder | None:
    """Who listens there; None for another user's process, or one outside of this container."""
    wanted = {f"socket:[{inode}]" for inode in _listening(port)}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or is another user's
            if any(str(file.readlink()) in wanted for file in (folder / "fd").iterdir()):
                return holder_of(int(folder.name), state=state)
    return None


def _listening(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def holder_of(pid: int, *, state: Path) -> Holder:
    """``ours``: its command line names the state directory, as that of each of our servers does."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return Holder(pid=pid, command="(has ended)", ours=False)
    ours = "siklus.serve" in words and str(state.absolute()) in words
    return Holder(pid=pid, command=" ".join(words).strip()[:120], ours=ours)


def _unix_socket(path: Path) -> Finding:
    about = "socket"
    if not path.parent.is_dir():
        return trouble(about, f"{path}: its folder is not there", mend=f"mkdir -p {path.parent}")
    if not path.exists():
        return ok(about, f"{path} ([serve] uds) is free")
    with socket.socket(socket.AF_UNIX) as tried:
        tried.settimeout(1.0)
        try:
            tried.connect(str(path))
        except OSError:
            return note(
                about, f"{path} is left over, nobody answers there", mend="the next server replaces it"
            )
    return ok(about, f"{path} ([serve] uds) answers")
