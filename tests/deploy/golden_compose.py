"""`python -m tests.deploy.golden_compose` writes the golden files of the stack anew: read the difference."""

import shutil
import tempfile
from pathlib import Path

from siklus.deploy.drafts import LIST
from tests.deploy.projects import deployed, project

GOLDEN = Path(__file__).parent / "golden" / "compose"
ELSEWHERE = ("secrets/", "grafana/dashboards/", LIST)  # drawn, held by other tests, or made of the rest
MORE = """
[serve]
workers = 2
max_body_bytes = 1000000
grace_seconds = 20.0
trusted_keys = ["keys/release.pub"]

[sign]
key = "/etc/siklus/release"
password_file = "ops/release.password"

[deploy]
image = "ghcr.io/acme/flights"
replicas = 3

[notify.ops-mail]
kind = "mail"
to = ["ml-ops@example.com"]
sender = "robot@example.com"
smtp = "smtp://robot@mail.example.com:587"
password_file = "ops/mail.password"

[notify.chat]
kind = "webhook"
url_env = "CHAT_URL"
"""


def rendered(folder: Path) -> Path:
    """What the command writes for the example, below ``folder``."""
    return deployed(project(folder / "flights", MORE), "compose")


def text_of(files: Path) -> dict[str, str]:
    """By their paths; `.env` without its dot, since no repository should hold a file of that name."""
    found = [path for path in sorted(files.rglob("*")) if path.is_file()]
    names = {path.relative_to(files).as_posix(): path for path in found}
    return {
        "env" if name == ".env" else name: path.read_text()
        for name, path in names.items()
        if not name.startswith(ELSEWHERE)
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shutil.rmtree(GOLDEN, ignore_errors=True)
        for name, text in text_of(rendered(Path(folder))).items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_text(text)
