"""Files for Grafana: where it finds Prometheus, and the three dashboards.

The dashboards are the same for every project, a variable in them; `python -m tests.deploy.dashboards`
writes them anew.
"""

import re
from urllib.parse import urlsplit

from msgspec import Struct

from siklus.deploy.drafts import Draft
from siklus.deploy.quoting import one_line
from siklus.deploy.rendering import packaged, render
from siklus.deploy.watching.prometheus import SCRAPE
from siklus.errors import DeployError

DASHBOARDS = ("service", "model", "drift")


class Viewing(Struct, frozen=True, kw_only=True):
    """As Grafana sees them. ``prometheus``: its URL. ``dashboards``: the directory of their files."""

    prometheus: str
    dashboards: str


def grafana_drafts(viewing: Viewing) -> list[Draft]:
    """DeployError DP002 for a path that no file could hold, DP006 for what is no URL of a Prometheus."""
    files = {
        "provisioning/datasources/siklus.yml": render(
            "watching/datasource.yml", url=_literal(_checked(viewing.prometheus)), scrape=SCRAPE
        ),
        "provisioning/dashboards/siklus.yml": render(
            "watching/provider.yml",
            path=_literal(one_line(viewing.dashboards, what="the dashboards' directory")),
        ),
    }
    files |= {
        f"dashboards/siklus-{name}.json": packaged(f"watching/dashboards/{name}.json") for name in DASHBOARDS
    }
    return [Draft(path=path, text=text) for path, text in files.items()]


def _checked(url: str) -> str:
    parts = urlsplit(url) if re.fullmatch(r"[!-~]+", url) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.password:
        shown = "is no http or https URL" if parts is None or not parts.password else "holds a password"
        raise DeployError("DP006", f"the URL of Prometheus {shown}", expected="such as http://localhost:9090")
    return url


def _literal(text: str) -> str:
    """Grafana fills `$NAME` in from its environment; `$$` is a dollar."""
    return text.replace("$", "$$")
