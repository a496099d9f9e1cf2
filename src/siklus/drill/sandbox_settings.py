"""The sandbox's project file: the project's own, with durations compressed and nobody real at its ends. Pure.

What is sent where, what is read from where, and where state is kept are all replaced, so that a drill can
neither mail anybody, nor read or write a database of the project's. Rules, triggers and steps stay the
project's own: a drill shows what they do.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from siklus.monitor.alerts.rules import DEFAULTS
from siklus.project.loop import SHADOW
from siklus.project.notify import DEFAULT_RECEIVERS

ROWS_FILE = "rows.parquet"
STATE = ".siklus"
DOMAIN = "drill.invalid"  # RFC 2606: nobody is there
RECEIVER = "drill"  # where the project declares none
CANARY = 0.25  # share, below which it takes minutes until enough requests have met a challenger
HURRIED = ("refused_rate",)  # rules of every project that a fault waits for
BY_THEMSELVES = ("predictions:", "labels:", "schedule:")  # triggers that are due without any fault
BARE = re.compile(r"[A-Za-z0-9_-]+")

# By section and key: what is otherwise than in the project, so that hours become seconds.
COMPRESSED: Mapping[str, Mapping[str, object]] = {
    "train": {"candidates": ["linear", "hist-gradient-boosting"], "trials": 4, "seconds": 30, "jobs": 1},
    "serve": {"workers": 2},
    "records": {"enabled": True},
    "monitor": {
        "enabled": True,
        "look": "1s",
        "step": "2s",
        "window": "20s",
        "joint": "never",
        "evaluator": "siklus",
    },
    "retrain": {
        "cooldown": "0s",
        "per_day": 1000,
        "window": "all",
        "source": False,
        "min_labels": 400,
        "patience": "2m",
        "client_share": 1.0,
    },
    "rollout": {
        "automatic": True,
        "hold": "2s",
        "settle": "3s",
        "freeze": "1s",
        "give_up": "10m",
        "min_requests": 60,
        "min_labels": 200,
    },
}
# What would reach beyond the sandbox, or bind its model to figures that only real traffic keeps.
DROPPED: Mapping[str, tuple[str, ...]] = {
    "data": ("query", "url", "path"),
    "serve": ("uds", "insecure", "admin_host", "admin_port", "tls_certificate", "tls_key", "trusted_keys"),
    "sign": ("key", "password_file"),
    "monitor": ("floor", "prometheus"),
    "retrain": ("trusted", "notify"),
    "state": ("tracking_uri", "control", "directory"),
}


def sandboxed(raw: Mapping[str, Any], *, port: int, smtp: str) -> dict[str, Any]:
    """The project file of the sandbox. ``raw``: that of the project, with the environment's overrides.

    ``port``: where it serves, on this machine only; ``smtp``: the mail server that all receivers go to.
    """
    made: dict[str, Any] = {name: _copied(section) for name, section in raw.items() if name != "gates"}
    for section, keys in DROPPED.items():
        for key in keys:
            made.get(section, {}).pop(key, None)
    for section, changes in COMPRESSED.items():
        made.setdefault(section, {}).update(changes)
    made["data"] |= {"path": ROWS_FILE, "contract": "contract.json"}
    made["serve"] |= {"host": "127.0.0.1", "port": port}
    made["state"] = {"directory": STATE}
    made["rollout"]["steps"] = quick_steps(made["rollout"].get("steps"))
    if "on" in made["retrain"]:
        made["retrain"]["on"] = [on for on in made["retrain"]["on"] if not on.startswith(BY_THEMSELVES)]
    names = made.get("notify") or [RECEIVER]
    made["notify"] = {name: receiver(name, smtp) for name in names}
    made["alerts"] = [_quick_alert(alert) for alert in made.get("alerts", [])]
    if made["monitor"].get("default_alerts", True):
        made["alerts"] += _quick_defaults(made["alerts"])
    return made


def receiver(name: str, smtp: str) -> dict[str, Any]:
    """A receiver of the project's name whose mails all come to the drill."""
    address = f"{name.replace('_', '-')}@{DOMAIN}"
    return {"kind": "mail", "to": [address], "smtp": smtp, "sender": f"siklus@{DOMAIN}", "starttls": "off"}


def quick_steps(steps: list[Any] | None) -> list[Any]:
    """A shadow where the project has one, one canary share, and all."""
    shadow = [SHADOW] if steps is None or SHADOW in steps else []
    return [*shadow, CANARY, 1.0]


def changes(raw: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    """What the sandbox has otherwise, as the project file would have it: `[monitor] look = "1s"`."""
    for section in made:
        if section in ("notify", "alerts", "state", "data"):
            continue
        for key, value in made[section].items():
            if raw.get(section, {}).get(key) != value:
                yield f"[{section}] {key} = {_value(value)}"
    for section, keys in (("monitor", ("floor",)), ("retrain", ("trusted",))):
        for key in keys:
            if key in raw.get(section, {}):
                yield f"[{section}] without {key}"
    if "gates" in raw:
        yield "no [gates]"
    if made.get("alerts"):
        yield '[[alerts]] for = "0s"'
    yield "[notify.*]: mails to the drill, and to nobody else"


def toml_text(raw: Mapping[str, Any]) -> str:
    """TOML of what `tomllib` reads: tables of a section are written in its lines.

    >>> print(toml_text({"data": {"path": "a.csv", "split": {"test": 0.2}}}), end="")
    [data]
    path = "a.csv"
    split = {test = 0.2}
    """
    sections = {name: value for name, value in raw.items() if isinstance(value, Mapping)}
    lines = _lines({name: value for name, value in raw.items() if name not in sections})
    for name, section in sections.items():
        lines += [f"[{_key(name)}]", *_lines(section)]
    return "\n".join(lines) + "\n"


def _quick_alert(alert: Mapping[str, Any]) -> dict[str, Any]:
    """The rule, which tells at once; names of receivers that every project has are kept."""
    quick = {**alert, "for": "0s"}
    if "notify" in quick:
        quick["notify"] = [name for name in quick["notify"] if name not in DEFAULT_RECEIVERS]
    return quick


def _quick_defaults(own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules of every project that hold for minutes before they tell, where it has not replaced them."""
    taken = {alert.get("name") or alert["signal"] for alert in own}
    return [
        {"name": rule.name, "signal": rule.signal, "above": rule.threshold, "for": "0s"}
        for rule in DEFAULTS
        if rule.name in HURRIED and rule.name not in taken
    ]


def _copied(section: Any) -> Any:
    """Of lists and tables a copy, so that the project's own stay as they are."""
    if isinstance(section, Mapping):
        return {key: _copied(value) for key, value in section.items()}
    return [_copied(value) for value in section] if isinstance(section, list) else section


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _quoted(name)


def _value(value: Any) -> str:
    match value:
        case Mapping():
            inside = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items())
            return f"{{{inside}}}"
        case list() | tuple():
            return f"[{', '.join(_value(each) for each in value)}]"
        case str():
            return _quoted(value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case _:
            return str(value)  # dates and times are written as TOML reads them


def _quoted(text: str) -> str:
    # TOML's basic strings take JSON's escapes, but for DEL, which JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
