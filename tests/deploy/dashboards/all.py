"""The dashboards by name, and their text as it is committed."""

from collections.abc import Callable, Mapping

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy.dashboards.drift import drift
from tests.deploy.dashboards.model import model
from tests.deploy.dashboards.service import service

DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {"service": service, "model": model, "drift": drift}


def text_of(dashboard: Dashboard) -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard) + "\n"
