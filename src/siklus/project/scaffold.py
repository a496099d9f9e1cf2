"""The project file that `siklus init` writes: commented, and what it leaves open is ready to uncomment."""

import json
import re
from dataclasses import dataclass, field
from typing import Literal

BASELINE_GATE = {
    "classification": ('accuracy = ">= 0.85"', "roc_auc"),
    "regression": ('mae = "<= 10"', "mae"),
}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # what a literal string of TOML may not hold
TRAIN = """\
# [data.split]
# valid = 0.2               # chooses between candidates
# test = 0.2                # judges the chosen one; nothing is fitted on it

[train]
candidates = ["linear", "random-forest", "hist-gradient-boosting"]
trials = 20
seconds = 300
"""
LOOP = """\
# [retrain]                 # what `siklus up` trains anew on, and when
# on = ["drift", "quality"] # or "labels:1000", "predictions:4000", "schedule:0 3 * * 1"
# window = "recent 90d"     # or "all", "sliding 50000"; logged rows once their outcome is known
# min_labels = 2000         # outcomes since the last training, without which nothing begins

# [rollout]                 # how a version that is no worse comes to its users
# steps = ["shadow", 0.05, 0.25, 1.0]
# hold = "1h"               # at least, on each step
"""
ALERTS = """\
# [notify.ops-mail]         # who hears of alerts and of the loop; nobody: the log has it
# kind = "mail"
# to = ["ops@example.com"]
# smtp = "smtp://localhost:25"

# [[alerts]]                # a rule of your own; the default ones are in docs/alerts.md
# signal = "predictions_since_training"
# above = 4000
# for = "1m"
# advice = "Consider retraining: the model has answered 4000 predictions since it was trained."
"""
DEPLOY = """\
# [deploy]                  # for `siklus deploy docker|compose|kubernetes|github|gitlab`: docs/deploy.md
# image = "ghcr.io/acme/model"        # without a tag
# host = "deploy@model.example.com"   # where the pipeline brings it by ssh, into this folder there:
# folder = "/srv/model"
# url = "https://model.example.com"   # where it answers then, for the health check
"""


@dataclass(frozen=True, kw_only=True)
class Scaffold:
    """``source`` are the lines of [data] that say where rows come from, such as {"path": "data.csv"}."""

    name: str
    task: Literal["classification", "regression"]
    source: dict[str, str]
    target: str
    time: str | None = None
    key: str | None = None
    gates: dict[str, str] = field(default_factory=dict)


def project_name(text: str) -> str:
    """A name that is safe in paths, URLs and labels, from any other.

    >>> project_name("NYC Flights (2013)")
    'nyc-flights-2013'
    """
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:63] or "project"


def project_text(scaffold: Scaffold) -> str:
    """siklus.toml, as TOML that reads back to the same settings."""
    head = [
        "# A Siklus project. Every key is explained in docs/project-file.md; an unknown one is an error.",
        "",
        "[project]",
        f"name = {_quoted(scaffold.name)}",
        f"task = {_quoted(scaffold.task)}",
        "",
    ]
    tail = ["", "[serve]", "port = 8000", "", LOOP, ALERTS, DEPLOY]
    return "\n".join([*head, *_data(scaffold), "", TRAIN, *_gates(scaffold), *tail])


def _data(scaffold: Scaffold) -> list[str]:
    time = _open('time = "COLUMN"', "split by time: the latest rows judge")
    key = _open('key = "COLUMN"', "names a row for ever, so that splits never shuffle")
    return [
        "[data]",
        *(f"{name} = {_written(name, text)}" for name, text in scaffold.source.items()),
        f"target = {_quoted(scaffold.target)}",
        f"time = {_quoted(scaffold.time)}" if scaffold.time else time,
        f"key = {_quoted(scaffold.key)}" if scaffold.key else key,
        'contract = "contract.json"  # what a row must be: read it, correct it, commit it',
    ]


def _gates(scaffold: Scaffold) -> list[str]:
    example, champion_metric = BASELINE_GATE[scaffold.task]
    lines = [f"{'[gates]':<28}# all must hold, or nothing is registered"]
    lines += [f"{name} = {value}" for name, value in scaffold.gates.items()] or [f"# {example}"]
    if "parity" not in scaffold.gates:
        lines.append(_open("parity = true", "refuse a model that ONNX cannot carry exactly"))
    champion = f"champion = {_quoted(champion_metric)}"
    return [*lines, _open(champion, "not worse than production, on the same rows")]


def _open(setting: str, about: str) -> str:
    """A line that is left commented."""
    return f"# {setting:<26}# {about}"


def _quoted(text: str) -> str:
    # TOML's basic strings take JSON's escapes, but for DEL, which JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _written(name: str, text: str) -> str:
    """A query keeps its lines where TOML can hold them; SQL does not mind one more at its end."""
    if name != "query" or "\n" not in text or "'''" in text or CONTROL.search(text):
        return _quoted(text)
    return f"'''\n{text}\n'''"
