"""Addresses: where a cluster's MLflow and Prometheus answer, and where outcomes are brought."""

import re
from urllib.parse import urlsplit

from msgspec import Struct

from siklus.errors import DeployError
from siklus.project.sections import Project
from siklus.project.shipping import PLAIN_URL

# Where they are by the names that their own instructions give them: for a person to correct.
MLFLOW = "http://mlflow.mlflow:5000"
OPERATED = "http://prometheus-operated.{namespace}:9090"
HERE = frozenset({"localhost", "127.0.0.1", "::1"})  # no other machine means the same by them


class Addresses(Struct, frozen=True, kw_only=True):
    """``host``: of the ingress; None without one. ``tls``: whether it speaks HTTPS."""

    tracking: str
    prometheus: str
    host: str | None
    tls: bool


def addresses_of(project: Project, *, prometheus_namespace: str) -> Addresses:
    """DeployError DP035 for a URL that no line of settings should hold, or an ingress that has a path."""
    usual = OPERATED.format(namespace=prometheus_namespace)
    url = project.deploy.url
    found = urlsplit(url or "")
    if found.path.strip("/"):
        told = f"[deploy] url = {url!r}: the ingress gives the project a host of its own"
        raise DeployError("DP035", told, expected=f"{found.scheme}://{found.netloc}")
    return Addresses(
        tracking=_elsewhere(project.state.tracking_uri, MLFLOW, key="[state] tracking_uri"),
        prometheus=_elsewhere(project.monitor.prometheus, usual, key="[monitor] prometheus"),
        host=found.hostname,
        tls=found.scheme == "https",
    )


def _elsewhere(url: str | None, usual: str, *, key: str) -> str:
    """The project's URL, unless it means a file or a server of the machine where it is read."""
    if url is None or not url.startswith(("http://", "https://")):
        return usual
    if not re.fullmatch(PLAIN_URL, url):
        raise DeployError("DP035", f"{key} is no plain URL: {url!r}", expected=f"such as {usual}")
    return usual if urlsplit(url).hostname in HERE else url
