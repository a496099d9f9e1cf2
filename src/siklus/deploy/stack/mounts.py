"""Mounts: files of the project inside containers, where siklus.toml finds them."""

import re

from siklus.deploy.images.words import PROJECT
from siklus.errors import DeployError

# Neither what parts a mount's words, nor what Compose fills in, nor a way out of the project.
PLAIN = re.compile(r"/?[A-Za-z0-9_.@+-]+(?:/[A-Za-z0-9_.@+-]+)*")


def mount(path: str, *, root: str, what: str) -> str:
    """`HERE:THERE:ro` of a file that siklus.toml names; DeployError DP021 for what no mount could have.

    ``root``: the project's folder as compose.yaml sees it.
    """
    if PLAIN.fullmatch(path) is None or ".." in path.split("/"):
        raise DeployError(
            "DP021",
            f"{what} = {path!r} cannot be mounted",
            expected="a path without `..`, of letters, digits, '.', '_', '-', '+' and '@'",
        )
    return f"{path}:{path}:ro" if path.startswith("/") else f"{root}/{path}:{PROJECT}/{path}:ro"
