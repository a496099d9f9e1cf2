"""Words: how a server in a container is started. What siklus.toml leaves at its default is not said."""

from collections.abc import Sequence

import msgspec

from siklus.project.sections import Project, Records, Serve
from siklus.serve.options import words_of

PORT = 8000  # in every container, whatever siklus.toml says of the machine that it was written for
STATE, RUN, BUNDLE, TRUSTED = "/srv/state", "/run/siklus", "/srv/bundle", "/srv/trusted"
PROJECT = "/srv/project"  # of the loop's image
# What a container decides: where it listens, and by whom it is run.
OF_THE_CONTAINER = (
    "host", "port", "uds", "insecure", "admin_host", "admin_port", "tls_certificate", "tls_key",
    "feedback_url", "trusted_keys",
)  # fmt: skip


def sealed_words(project: Project, *, trusted: Sequence[str] = ()) -> list[str]:
    """Of a server that answers with the bundle in its image. ``trusted``: names of the keys it trusts."""
    return [f"--bundle={BUNDLE}", *_listening(), *_settings(project.serve, trusted)]


def stack_words(
    project: Project, *, trusted: Sequence[str] = (), feedback_url: str | None = None
) -> list[str]:
    """Of one that follows the traffic policy. ``feedback_url``: where outcomes are taken, if not here."""
    feedback = [] if feedback_url is None else [f"--feedback-url={feedback_url}"]
    of_stack = [f"--state={STATE}", f"--run={RUN}", *_listening(), *feedback]
    return [*of_stack, *_settings(project.serve, trusted), *_said(project.records, Records())]


def _listening() -> list[str]:
    # Open until there is a key: who may come is decided by where the port is published, and by networks.
    return ["--host=0.0.0.0", f"--port={PORT}", "--insecure=true"]


def _settings(serve: Serve, trusted: Sequence[str]) -> list[str]:
    usual = Serve()
    same = {name: getattr(usual, name) for name in OF_THE_CONTAINER}
    found = _said(msgspec.structs.replace(serve, **same), usual)
    return [*found, *(f"--trusted-keys={TRUSTED}/{name}" for name in trusted)]


def _said(section: Serve | Records, usual: Serve | Records) -> list[str]:
    said, defaults = (
        dict(zip(words[::2], words[1::2], strict=True)) for words in (words_of(section), words_of(usual))
    )
    return [f"{option}={value}" for option, value in said.items() if defaults.get(option) != value]
