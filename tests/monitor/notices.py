"""Alerts to tell of, projects that declare who is told, and a certificate for this machine."""

import socket
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from siklus.monitor.alerts.events import Bars, Event, Notification, Series
from siklus.monitor.notify.opening import Reached, open_receivers
from siklus.monitor.notify.receiver import Receiver as Sender
from siklus.project.notify import Receiver
from siklus.project.sections import Data, Project, ProjectSection

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=2)
PATIENCE_SECONDS = 20.0  # for anything that is expected to happen, on a loaded machine


def event(**given: Any) -> Event:
    """The tutorials' alert, unless ``given`` says otherwise."""
    usual: dict[str, Any] = {
        "rule": "predictions_since_training",
        "signal": "predictions_since_training",
        "state": "firing",
        "comparison": ">",
        "threshold": 4000.0,
        "value": 4031.0,
        "since": SINCE,
        "severity": "info",
        "advice": "Consider retraining: the model has answered 4000 predictions.",
        "receivers": ("ops",),
    }
    return Event(**{**usual, **given})


def notification(*events: Event, **given: Any) -> Notification:
    usual: dict[str, Any] = {"id": 7, "project": "flights", "receiver": "ops", "time": NOW}
    return Notification(**{**usual, **given}, events=events or (event(),))


def series(**given: Any) -> Series:
    usual: dict[str, Any] = {
        "title": "predictions_since_training",
        "unit": "rows",
        "times": tuple(NOW - timedelta(minutes=20 - minute) for minute in range(21)),
        "values": tuple(3600.0 + 21 * minute for minute in range(21)),
        "threshold": 4000.0,
    }
    return Series(**{**usual, **given})


def bars(**given: Any) -> Bars:
    usual: dict[str, Any] = {
        "title": "drift of columns",
        "unit": "psi",
        "names": ("carrier", "dep_delay"),
        "values": (0.41, 0.05),
        "threshold": 0.2,
    }
    return Bars(**{**usual, **given})


def project(**receivers: Receiver) -> Project:
    return Project(
        project=ProjectSection(name="flights", task="regression"),
        data=Data(path="flights.csv", target="air_time"),
        notify=receivers,
    )


def reached(
    root: Path, environment: Mapping[str, str] | None = None, **receivers: Receiver
) -> dict[str, Reached]:
    return open_receivers(project(**receivers), root=root, environment=environment or {}, now=lambda: NOW)


def sender(settings: Receiver, root: Path, environment: Mapping[str, str] | None = None) -> Sender:
    """What ``settings`` under [notify.ops] opens."""
    return reached(root, environment, ops=settings)["ops"].receiver


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost and 127.0.0.1 that signs itself, and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    asked = ["-subj", "/CN=localhost", "-addext", names, "-days", "2", "-nodes"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *kind, *asked, *files], check=True, capture_output=True)
    return certificate, key
