"""Write each dashboard's file into the package, where `siklus deploy grafana` takes it from."""

from tests.architecture.source import SRC
from tests.deploy.dashboards.all import DASHBOARDS, text_of

FOLDER = SRC / "siklus" / "deploy" / "watching" / "dashboards"

if __name__ == "__main__":
    for name, make in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(text_of(make()), encoding="utf-8")
