"""Secrets: passwords of the stack, drawn once, each in the form in which somebody reads it."""

import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from siklus.errors import DeployError
from siklus.files import disk_errors, write_once

FOLDER = "secrets"
OWNER_ONLY = 0o700
# Containers read these as users of their own, for whom a bind mount changes no owner; the folder keeps
# everybody else of this machine away.
READABLE = 0o644
LENGTH = 32  # bytes
ACCESS_KEY = "siklus"
OWN = ("postgres_password", "pg_service", "s3", "s3_credentials", "grafana_password", "prometheus_key")


def make_secrets(directory: Path) -> list[str]:
    """Write what is not there yet below ``directory``/secrets; the names of those. Nothing is ever replaced.

    DeployError DP023 for a password that is there and cannot be read.
    """
    folder = directory / FOLDER
    with disk_errors(folder):
        folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        folder.chmod(OWNER_ONLY)
    # The two forms of one password must be of the same one, also where only one of them is there.
    password = _word(folder / "postgres_password")
    key = _key(folder / "s3")
    texts: Mapping[str, str] = {
        "postgres_password": password,
        "pg_service": f"[siklus]\nhost=postgres\nport=5432\nuser=siklus\npassword={password}\n",
        "s3": _identity(key),
        "s3_credentials": f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {key}\n",
        "grafana_password": _drawn(),
        "prometheus_key": _drawn(),
    }
    return [name for name in OWN if write_once(folder / name, texts[name], mode=READABLE)]


class _Credential(msgspec.Struct, rename="camel"):
    access_key: str
    secret_key: str


class _Identity(msgspec.Struct):
    name: str
    credentials: list[_Credential]
    actions: list[str]


class _Identities(msgspec.Struct):
    identities: list[_Identity]


def _identity(key: str) -> str:
    """As SeaweedFS reads who may do what; an admin's bucket is made when something is first put into it."""
    credential = _Credential(access_key=ACCESS_KEY, secret_key=key)
    found = _Identities([_Identity(name="mlflow", credentials=[credential], actions=["Admin"])])
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def _word(path: Path) -> str:
    if not path.exists():
        return _drawn()
    word = _read(path).strip()
    if not word.isascii() or not word.replace("-", "").replace("_", "").isalnum():
        raise DeployError(
            "DP023",
            f"{path}: no password of letters, digits, - and _",
            expected="such a word, alone in the file",
        )
    return word


def _key(path: Path) -> str:
    if not path.exists():
        return _drawn()
    try:
        return msgspec.json.decode(_read(path), type=_Identities).identities[0].credentials[0].secret_key
    except (msgspec.MsgspecError, IndexError) as exc:
        raise DeployError("DP023", f"{path}: {exc}", expected="the identities of an S3 store") from exc


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise DeployError("DP023", f"{path} cannot be read: {exc}", expected="a file of text") from exc


def _drawn() -> str:
    return secrets.token_urlsafe(LENGTH)
