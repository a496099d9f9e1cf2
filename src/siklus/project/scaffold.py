"""The project file that `siklus init` writes: commented, with what it does not decide left ready to uncomment."""

import json
import re
from dataclasses import dataclass, field
from typing import Literal

BASELINE_GATE = {
    "classification": ('accuracy = ">= 0.85"', "roc_auc"),
    "regression": ('mae = "<= 10"', "mae"),
}


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
    example, champion_metric = BASELINE_GATE[scaffold.task]
    time = f"time = {_quoted(scaffold.time)}" if scaffold.time else '# time = "COLUMN"       # split by time: the latest rows judge'
    key = f"key = {_quoted(scaffold.key)}" if scaffold.key else '# key = "COLUMN"        # names a row for ever, so that splits never shuffle'
    gates = [f"{name} = {value}" for name, value in scaffold.gates.items()]
    return "\n".join(
        [
            "# A Siklus project. Every key is explained in docs/project-file.md; an unknown one is an error.",
            "",
            "[project]",
            f"name = {_quoted(scaffold.name)}",
            f"task = {_quoted(scaffold.task)}",
            "",
            "[data]",
            *(f"{key} = {_block(value)}" for key, value in scaffold.source.items()),
            f"target = {_quoted(scaffold.target)}",
            time,
            key,
            'contract = "contract.json"   # what a row must be: read it, correct it, commit it',
            "",
            "# [data.split]",
            "# valid = 0.2              # chooses between candidates",
            "# test = 0.2               # judges the chosen one; nothing is fitted on it",
            "",
            "[train]",
            'candidates = ["linear", "random-forest", "hist-gradient-boosting"]',
            "trials = 20",
            "seconds = 300",
            "",
            "[gates]                    # all must hold, or nothing is registered",
            *(gates or [f"# {example}"]),
            *([] if "parity" in scaffold.gates else ["# parity = true            # refuse a model that ONNX cannot carry exactly"]),
            f'{f"# champion = {_quoted(champion_metric)}":<28}# not worse than production, on the same rows',
            "",
            "[serve]",
            "port = 8000",
            "",
        ]
    )


def _quoted(text: str) -> str:
    # TOML's basic strings take JSON's escapes, but for DEL, which JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _block(text: str) -> str:
    """A query keeps its lines."""
    if "\n" not in text or "'''" in text:
        return _quoted(text)
    return f"'''\n{text.strip()}\n'''"
