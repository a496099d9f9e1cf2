"""Permissions: what must be written can be, and what is secret is for its owner alone."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.doctor.mounts import mount_of
from siklus.monitor.amounts import counted
from siklus.project.file import OpenProject
from siklus.project.notify import GitHub, Mail, Webhook
from siklus.records.ids import KEY_FILE

ABOUT = "permissions"
MOUNTED = Path("/run/secrets")
OTHERS_READ = 0o044
OTHERS_WRITE = 0o022


class SecretFile(Struct, frozen=True, kw_only=True):
    """``mode``: its permissions; None where there is no such file. ``readable``: by us."""

    what: str
    path: str
    mode: int | None
    readable: bool
    owner_only: bool = True


def judge_secret(file: SecretFile) -> Finding | None:
    """
    >>> judge_secret(SecretFile(what="keys", path="keys.json", mode=0o644, readable=True)).mend
    '`chmod 600 keys.json`'
    """
    if file.mode is None:
        return trouble(ABOUT, f"{file.path} ({file.what}) is not there", mend=f"the {file.what} in that file")
    if not file.readable:
        cure = f"`chown $(id -u) {file.path}`, or start as its owner"
        return trouble(ABOUT, f"{file.path} ({file.what}) cannot be read by this user", mend=cure)
    if file.mode & OTHERS_WRITE or (file.owner_only and file.mode & OTHERS_READ):
        what = "written" if file.mode & OTHERS_WRITE else "read"
        told = f"{file.path} ({file.what}) can be {what} by others: mode {file.mode:o}"
        return trouble(ABOUT, told, mend=f"`chmod 600 {file.path}`")
    return None


def check_permissions(_case: Case, project: OpenProject) -> Sequence[Finding]:
    state = project.paths.state
    if state.exists() and not os.access(state, os.R_OK | os.X_OK):
        return [_closed(state, to="read")]
    files = list(_files(project))
    found = [finding for each in files if (finding := judge_secret(each)) is not None]
    if not state.exists():
        missing = [] if os.access(project.paths.root, os.W_OK) else [_closed(project.paths.root)]
        return [*missing, *found] or [ok(ABOUT, f"{state} is made when it is needed")]
    folders = [each for each in (state, project.paths.run, project.paths.records) if each.exists()]
    found += [_closed(folder) for folder in folders if not os.access(folder, os.W_OK | os.X_OK)]
    foreign = state.stat().st_uid
    if foreign != os.geteuid():
        told = f"{state} is of user {foreign}, and this is user {os.geteuid()}"
        found.append(note(ABOUT, told, mend="one user for the server, the loop and this command line"))
    if found:
        return found
    secret = f"; {counted(len(files), 'secret file')} for the owner alone" if files else ""
    return [ok(ABOUT, f"{state} can be written{secret}")]


def _closed(folder: Path, *, to: Literal["read", "written"] = "written") -> Finding:
    mount = mount_of(folder.absolute())
    if mount is not None and mount.read_only:
        cure = "a volume mounted there, or another [state] directory"
        return trouble(ABOUT, f"{folder} lies on a disk that is mounted read-only", mend=cure)
    return trouble(ABOUT, f"{folder} cannot be {to} by this user", mend=f"`chown -R $(id -u) {folder}`")


def _files(project: OpenProject) -> Iterator[SecretFile]:
    """Those that Siklus makes, where they are there; those that siklus.toml names, in any case."""
    settings, paths, serve = project.settings, project.paths, project.settings.serve
    made = {"server's key": paths.state / KEY_FILE, "API keys": paths.keys, "admin token": paths.admin_token}
    for what, path in made.items():
        if path.exists():
            # Of API keys only digests are there, so that reading them gives nothing away.
            yield _file(what, path, owner_only=path != paths.keys)
    if serve.tls_key is not None:
        yield _file("TLS key", paths.root / serve.tls_key)
    if serve.tls_certificate is not None:
        yield _file("TLS certificate", paths.root / serve.tls_certificate, owner_only=False)
    for what, name in {"signing key": settings.sign.key, "its password": settings.sign.password_file}.items():
        if name is not None:
            yield _file(what, paths.root / name)
    for name, receiver in settings.notify.items():
        match receiver:
            case Mail(password_file=file) | Webhook(url_file=file) | GitHub(token_file=file):
                if file is not None:
                    yield _file(f"secret of [notify.{name}]", paths.root / Path(file).expanduser())


def _file(what: str, path: Path, *, owner_only: bool = True) -> SecretFile:
    # Mounted into a container they are readable by all in it, and there is nobody else.
    owner_only = owner_only and MOUNTED not in path.parents
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        mode = None
    return SecretFile(
        what=what, path=str(path), mode=mode, readable=os.access(path, os.R_OK), owner_only=owner_only
    )
