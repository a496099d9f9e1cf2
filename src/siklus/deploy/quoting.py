"""Words of a project inside other tools' files: each place has its own way of being broken out of."""

import re

import yaml

from siklus.errors import DeployError
from siklus.project.durations import seconds_of

TARGET = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})")
PLAIN_WORD = re.compile(r"[a-z][a-z0-9./:_-]*[a-z0-9]")
NO_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off"})  # to one reader of YAML or another
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")  # of an environment, as every container carries it
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def yaml_text(text: str) -> str:
    """A string of YAML on one line, whatever is in it.

    >>> print(yaml_text('say "no": #1'))
    "say \\"no\\": #1"
    """
    # As wide as it takes: a folded line is right, but no person would have written it.
    written: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf"))
    return written.rstrip("\n")


def yaml_word(text: str) -> str:
    """A name in YAML as a person writes it: bare, unless it would be read as something else.

    >>> print(yaml_word("ghcr.io/acme/flights"), yaml_word("1"), yaml_word("on"))
    ghcr.io/acme/flights "1" "on"
    """
    return text if PLAIN_WORD.fullmatch(text) and text not in NO_WORDS else yaml_text(text)


def label_value(text: str) -> str:
    """The value of a label in PromQL or in a matcher of Alertmanager, quotes included.

    >>> print(label_value('a"b'))
    "a\\"b"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def plain_in_template(text: str) -> str:
    """Text in an annotation, which Prometheus reads as a template of Go: braces of the text's own stay text.

    >>> plain_in_template("{{ $value }}")
    '{{ "{{" }} $value }}'
    """
    return text.replace("{{", '{{ "{{" }}')


def target(text: str) -> str:
    """`host:port`, checked; DeployError DP001 for anything else."""
    found = TARGET.fullmatch(text)
    if found is None or not 0 < int(found[1]) <= 65535:
        raise DeployError("DP001", f"a target {text!r}", expected="HOST:PORT, such as model.internal:8000")
    return text


def one_line(text: str, *, what: str) -> str:
    """A path or an address as it is; DeployError DP002 when it is empty or has what no line may hold."""
    if not text or UNPRINTABLE.search(text):
        raise DeployError("DP002", f"{what} {text!r}", expected="one line of printable characters")
    return text


def checked_duration(text: str, *, what: str) -> str:
    """A duration as it is; DeployError DP007 for anything else."""
    try:
        seconds_of(text)
    except ValueError as exc:
        raise DeployError("DP007", f"{what}: {exc}", expected="such as 15s, 1m or 1h") from exc
    return text
