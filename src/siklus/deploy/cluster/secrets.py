"""Secrets: passwords, keys, tokens and URLs that the loop needs, and how they come there. Never a value."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from siklus.deploy.quoting import VARIABLE
from siklus.errors import DeployError
from siklus.project.notify import Receiver
from siklus.project.sections import Project

STEP = "__"  # what a variable that overrides a setting has between its words
DATA_URL, SIGN = "SIKLUS_DATA__URL", "SIKLUS_SIGN__"
KINDS = ("password", "url", "token")


class Secret(Struct, frozen=True, kw_only=True):
    """A word of the project's Secret. ``key``: in there.

    One of ``variable``, which siklus.toml reads it from, and ``setting``, which overrides the path of a file
    that it reads.
    """

    key: str
    meaning: str
    variable: str | None = None
    setting: str | None = None


def training_secrets(project: Project) -> tuple[Secret, ...]:
    """Of whatever trains: the way to its rows, and what it signs with."""
    wanted = (
        (
            project.data.url,
            Secret(key="data-url", meaning="[data] url, where it has a password", variable=DATA_URL),
        ),
        (project.sign.key, Secret(key="sign-key", meaning="the key of [sign]", setting=f"{SIGN}KEY")),
        (
            project.sign.password_file,
            Secret(key="sign-password", meaning="the password of that key", setting=f"{SIGN}PASSWORD_FILE"),
        ),
    )
    return tuple(secret for named, secret in wanted if named is not None)


def notify_secrets(receivers: Mapping[str, Receiver]) -> tuple[Secret, ...]:
    """DeployError DP034 for a name that no variable of a container can carry."""
    return tuple(_secrets(receivers))


def _secrets(receivers: Mapping[str, Receiver]) -> Iterator[Secret]:
    for name, receiver in receivers.items():
        for kind in KINDS:
            variable = getattr(receiver, f"{kind}_env", None)
            file = getattr(receiver, f"{kind}_file", None)
            meaning = f"the {kind} of [notify.{name}]"
            if variable is not None:
                if not VARIABLE.fullmatch(variable):
                    told = f"[notify.{name}] {kind}_env = {variable!r}"
                    raise DeployError("DP034", told, expected="a variable's name, such as MAIL_PASSWORD")
                yield Secret(key=f"{name}.{kind}", meaning=meaning, variable=variable)
            elif file is not None:
                if STEP in name or name.endswith("_"):
                    told = f"[notify.{name}]: no variable can override a setting of that name"
                    raise DeployError("DP034", told, expected=f"another name for it, or {kind}_env")
                setting = f"SIKLUS_NOTIFY__{name.upper()}__{kind.upper()}_FILE"
                yield Secret(key=f"{name}.{kind}", meaning=meaning, setting=setting)
