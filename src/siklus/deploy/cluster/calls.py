"""Calls: the ports at which the loop asks others, for a policy that lets it and nothing else through."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from siklus.project.notify import GitHub, Mail, Webhook
from siklus.project.sections import Project

POSTGRESQL = 5432
OF_SCHEMES = {"http": 80, "https": 443, "postgresql": POSTGRESQL, "mysql": 3306, "mssql": 1433, "s3": 443}


class Port(Struct, frozen=True, kw_only=True):
    port: int
    whose: str


def store_ports(*, control: str | None, tracking: str) -> tuple[Port, ...]:
    """Those of the database of decisions and of MLflow."""
    return _once([_called(control, POSTGRESQL, "the control database"), _called(tracking, 443, "MLflow")])


def training_ports(project: Project, *, stores: Sequence[Port]) -> tuple[Port, ...]:
    """Those of the stores and of the data."""
    if project.data.url is None:
        return tuple(stores)
    return _once([*stores, _called(project.data.url, 443, "[data] url")])


def loop_ports(project: Project, *, stores: Sequence[Port], prometheus: str) -> tuple[Port, ...]:
    """Those of a training, of Prometheus, and of whoever is told."""
    trained = training_ports(project, stores=stores)
    return _once([*trained, _called(prometheus, 80, "Prometheus"), *_receivers(project)])


def _receivers(project: Project) -> Iterator[Port]:
    for name, receiver in project.notify.items():
        whose = f"[notify.{name}]"
        match receiver:
            case Mail():
                yield Port(port=receiver.server.port, whose=whose)
            case Webhook():
                yield _called(receiver.url, 443, whose)
            case GitHub():
                yield _called(receiver.api, 443, whose)


def _called(url: str | None, usual: int, whose: str) -> Port:
    found = urlsplit(url or "")
    return Port(port=found.port or OF_SCHEMES.get(found.scheme.partition("+")[0], usual), whose=whose)


def _once(ports: Sequence[Port]) -> tuple[Port, ...]:
    """Each port once, with all who are behind it."""
    whose: dict[int, list[str]] = {}
    for each in ports:
        whose.setdefault(each.port, []).append(each.whose)
    return tuple(Port(port=port, whose=", ".join(dict.fromkeys(names))) for port, names in whose.items())
