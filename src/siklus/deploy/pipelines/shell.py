"""Stages as lines of POSIX sh, as both GitHub and GitLab run them."""

import re
import shlex
from collections.abc import Iterator

from siklus.deploy.pipelines.stages import Stage, Words

# A variable of ours inside a word; whatever else a shell would read as its own is quoted.
VARIABLE = re.compile(r"[A-Za-z0-9._:/@+-]*\$[A-Z]+")


def line(words: Words) -> str:
    """The words as one command.

    >>> line(("docker", "push", "ghcr.io/acme/flights:$TAG"))
    'docker push "ghcr.io/acme/flights:$TAG"'
    >>> line(("echo", "a b", "$(id)"))
    "echo 'a b' '$(id)'"
    """
    return " ".join(f'"{word}"' if VARIABLE.fullmatch(word) else shlex.quote(word) for word in words)


def script(stage: Stage) -> str:
    """All commands of a stage, a line each; around them what is said where there is nothing to do."""
    return "\n".join(_lines(stage))


def _lines(stage: Stage) -> Iterator[str]:
    commands = [line(words) for words in stage.commands]
    if stage.only_with is None:
        yield from commands
        return
    yield f"if [ -e {shlex.quote(stage.only_with)} ]; then"
    yield from (f"  {command}" for command in commands)
    yield "else"
    yield f"  echo {shlex.quote(stage.without)}"
    yield "fi"
