"""Receivers: how their passwords, tokens and URLs come to the containers that tell them something."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from siklus.deploy.quoting import VARIABLE
from siklus.deploy.stack.mounts import mount
from siklus.errors import DeployError
from siklus.project.notify import Mail, Receiver, Webhook

KINDS = ("password", "url", "token", "ca")
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class Handed(Struct, frozen=True, kw_only=True):
    """``variables``: that the loop is given from the environment of Compose. ``secrets``: files beside the
    stack's own, for Alertmanager. ``files``: mounts of what siklus.toml names, for both."""

    variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def handed(receivers: Mapping[str, Receiver], *, root: str) -> Handed:
    """``root``: the project's folder as compose.yaml sees it. DeployError DP021 and DP022."""
    variables, secrets, files = [], [], []
    for name, receiver in receivers.items():
        for kind in KINDS:
            variable, file = (getattr(receiver, f"{kind}_{form}", None) for form in ("env", "file"))
            if variable is not None:
                variables.append(_variable(variable, f"[notify.{name}] {kind}_env"))
                if isinstance(receiver, Mail | Webhook):
                    secrets.append(f"{name}.{kind}")
            elif file is not None:
                files.append(mount(file, root=root, what=f"[notify.{name}] {kind}_file"))
    return Handed(variables=_once(variables), secrets=_once(secrets), files=_once(files))


def receiver_remarks(
    receivers: Mapping[str, Receiver], directory: Path, secrets: tuple[str, ...]
) -> Iterator[str]:
    """What a person has still to do, a sentence each."""
    for secret in secrets:
        if not (directory / "secrets" / secret).exists():
            yield f"Put what Alertmanager needs alone into {directory / 'secrets' / secret}."
    for name, receiver in receivers.items():
        if isinstance(receiver, Mail) and receiver.server.host in HERE:
            yield (
                f"[notify.{name}] smtp names this machine, which in a container is the container: "
                "write the mail server's own name or address."
            )


def _variable(name: str, what: str) -> str:
    if VARIABLE.fullmatch(name) is None:
        raise DeployError("DP022", f"{what} = {name!r}", expected="a variable's name, such as MAIL_PASSWORD")
    return name


def _once(words: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
